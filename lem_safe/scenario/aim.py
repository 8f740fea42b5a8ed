"""The aim of a filter: a budget at or below the tolerance, so that finished samples leave the margin that a
certificate needs.

A filter that uses its whole tolerance ends with β n inside, and no bound on their distribution is then below
β. `aim: auto` is the largest count k of n that the later audit would still certify, with its error shared
among the constraints (A.4), by the audit's own method: Clopper–Pearson on n samples (A.2), the e-process
under `require: anytime` (A.4), betting on R clouds with k/n each under `replicas: R` (A.5). Holm's procedure
decides at least as much. The audit uses β in any case.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Lt

from barriers.budget import budget, share
from barriers.specification import SpecificationError
from lem_safe.bounds import Betting, Evidence, Fixed, Sequential
from lem_safe.bounds.betting import clouds_needed
from lem_safe.bounds.power import largest_probability, pilot_particles
from lem_safe.bounds.search import smallest_size
from lem_safe.formatting import level

KEY = "aim"
AIM = Literal["auto"] | Annotated[float, Ge(0), Lt(1)] | list[Annotated[float, Ge(0), Lt(1)]] | None
DESCRIPTION = (
    "The budget that the filter enforces, at most beta: one number for all constraints, or "
    "one per constraint; beta by default. auto: the largest budget with which the audit "
    "would still certify beta at audit.confidence, by the bound that it uses: for "
    "independent samples, or for audit.replicas clouds."
)
UNCOUNTABLE = "no countable number would; use a larger beta"


class Judged(NamedTuple):
    """What the audit of a run will count: `samples` in each of `replicas` clouds; require: as in
    `audit.require`; steps: how many recorded steps it judges.
    """

    samples: int
    confidence: float = 0.95
    require: str = "passed"
    replicas: int = 1
    steps: int = 1

    def evidence(self, inside: int) -> Evidence:
        """The evidence of the audit if `inside` of the samples, of each cloud, end in a region."""
        if self.replicas > 1:
            return Betting(np.full(self.replicas, inside / self.samples))
        return Sequential(inside, self.samples) if self.require == "anytime" else Fixed(inside, self.samples)

    def certifies(self, inside: int, beta: float, constraints: int = 1) -> bool:
        """Whether that certifies beta with this many constraints."""
        return self.evidence(inside).p_certify(beta) <= (1 - self.confidence) / constraints

    def most(self, beta: float, constraints: int = 1) -> int | None:
        """The largest count, of each cloud, that certifies beta; None where not even 0 does.

        >>> Judged(1000).most(0.03), Judged(1000, require="anytime").most(0.03)
        (20, 15)
        >>> Judged(1000, replicas=40).most(0.1)
        24
        """
        if not self.certifies(0, beta, constraints):
            return None
        low, high = 0, budget(beta, self.samples) + 1  # a count over the budget is evidence against
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.certifies(middle, beta, constraints) else (low, middle)
        return low

    def lacking(self, beta: float, constraints: int = 1, inside: int = 0) -> str | None:
        """What a certificate needs with this many inside; None where nothing, or where beta is 0."""
        if beta == 0 or self.certifies(inside, beta, constraints):
            return None
        if self.replicas > 1:
            clouds = clouds_needed(
                beta, np.array([inside / self.samples]), 1 - (1 - self.confidence) / constraints
            )
            return UNCOUNTABLE if clouds is None else f"use audit.replicas >= {clouds:,}"
        enough = smallest_size(lambda n: self._replace(samples=n).certifies(inside, beta, constraints))
        return UNCOUNTABLE if enough is None else f"use sampler.samples >= {enough:,}"

    def too_few(self, beta: float, constraints: int = 1) -> str | None:
        """A remark where `auto` allows none inside, and how many more samples would allow one; None
        otherwise.
        """
        more = self.lacking(beta, constraints, inside=1) if self.most(beta, constraints) == 0 else None
        return None if more is None else f"auto aims at 0 with {self}; to leave room for one inside, {more}"

    def __str__(self) -> str:
        if self.replicas > 1:
            return f"{self.replicas:,} clouds"
        return f"{self.samples:,} samples" + " (anytime-valid)" * (self.require == "anytime")


def aims(filter: Mapping[str, Any], betas: Sequence[float], judged: Judged) -> tuple[float, ...]:
    """The aim of a filter's specification, one number per constraint; raises SpecificationError naming the
    invalid key.
    """
    for i, member in enumerate(filter.get("filters", ())):
        if isinstance(member, Mapping) and KEY in member:
            raise SpecificationError(
                "belongs to the whole chain; write it beside `filters`", ("filters", i, KEY)
            )
    aim, power = filter.get(KEY), power_of(filter)
    if power is not None and aim in (None, "auto"):
        if aim == "auto":
            for β in betas:
                _auto(β, judged, len(betas))  # refuses what cannot be certified
        pilot = pilot_particles(judged.samples, betas)
        return tuple(independent_aim(β, judged, len(betas), power, pilot) for β in betas)
    if aim is None:
        return tuple(betas)
    if aim == "auto":
        each = {
            β: _auto(β, judged, len(betas)) for β in sorted(betas)
        }  # the smallest one first: what it needs suffices for all
        return tuple(each[β] for β in betas)
    if isinstance(aim, list) and len(aim) != len(betas):
        raise SpecificationError(
            f"must be one number, or one for each of {len(betas)} constraints; got {len(aim)}", (KEY,)
        )
    numbers = aim if isinstance(aim, list) else [aim] * len(betas)
    for i, (number, β) in enumerate(zip(numbers, betas, strict=True)):
        if number > β:
            where: tuple[str | int, ...] = (KEY, i) if isinstance(aim, list) else (KEY,)
            raise SpecificationError(
                f"must be at most beta = {β:g}, which is what the audit judges; got {number:g}", where
            )
    return tuple(float(number) for number in numbers)


def power_of(filter: Mapping[str, Any]) -> float | None:
    """The power asked of a filter whose multipliers a pilot learns, or of such a member of a chain; None for
    any other.
    """
    if filter.get("multipliers") == "auto":
        return float(filter["power"]) if "power" in filter else 0.95
    members = (power_of(member) for member in filter.get("filters", ()) if isinstance(member, Mapping))
    return next((power for power in members if power is not None), None)


def independent_aim(beta: float, judged: Judged, constraints: int, power: float, pilot: int) -> float:
    """The largest probability of being inside with which n independent particles, their multipliers learned
    from a pilot of `pilot` particles, stay within beta at every judged step and, where that is possible,
    certify it at the end: both of every constraint with probability `power`.
    """
    if beta == 0:
        return 0.0
    n, clouds = judged.samples, judged.replicas
    fails = (1 - power) / constraints / clouds
    limits = [(budget(beta, n), fails / 2 / judged.steps)]
    most = judged.most(beta, constraints)
    if most is not None:
        limits.append((most, fails / 2))
    return largest_probability(n, tuple(limits), beta, pilot)


def without_aim(filter: Mapping[str, Any]) -> dict[str, Any]:
    """The filter's own keys."""
    return {key: value for key, value in filter.items() if key != KEY}


def leaves_room(filter: Mapping[str, Any], *, claimed: bool) -> str:
    """Why a filter aims below the tolerance, as the end of a sentence: for a certificate, where auto chose
    the aim and a bound is claimed.
    """
    return ", to leave the room that a certificate needs" if filter.get(KEY) == "auto" and claimed else ""


def never_certified(
    sets: Sequence[str], betas: Sequence[float], judged: Judged, *, couples: bool
) -> str | None:
    """Why no run can be certified, whatever its counts, and the remedy; None where one can. couples: whether
    the filter makes particles dependent.
    """
    m = len(betas)
    zero = [name for name, β in zip(sets, betas, strict=True) if β == 0]
    if zero:
        return (
            f"beta = 0, as '{zero[0]}' has, cannot be certified by any number of samples; use a beta above 0"
        )
    if couples and judged.replicas == 1:
        clouds = fewest_clouds(min(betas), judged.confidence, m) if m else 2
        way = f"use audit.replicas >= {clouds:,}" if clouds is not None else UNCOUNTABLE
        return (
            "the particles of one filtered cloud are not independent, so no confidence bound is computed "
            f"from one cloud; {way}"
        )
    short = [
        (name, β, lacking)
        for name, β in zip(sets, betas, strict=True)
        if (lacking := judged.lacking(β, m)) is not None
    ]
    if not short:
        return None
    name, β, lacking = min(short, key=lambda found: found[1])
    return f"{judged} are too few to certify beta = {β:g} in '{name}', even with 0 violations; {lacking}"


def fewest_clouds(beta: float, confidence: float, constraints: int = 1) -> int | None:
    """How many clouds, none with a particle inside, certify beta > 0; None where no countable number does."""
    return clouds_needed(beta, np.zeros(1), 1 - (1 - confidence) / constraints)


def _auto(beta: float, judged: Judged, constraints: int) -> float:
    if beta == 0:
        raise SpecificationError(
            "auto cannot be used where beta is 0, as a tolerance of 0 cannot be certified; leave aim out",
            (KEY,),
        )
    k = judged.most(beta, constraints)
    if k is None:
        among = f" shared by {constraints} constraints" if constraints > 1 else ""
        raise SpecificationError(
            f"auto cannot certify beta = {beta:g}: {judged} are too few for a bound at "
            f"{level(judged.confidence)} confidence{among}, even with 0 violations; "
            f"{judged.lacking(beta, constraints)}, or leave aim out",
            (KEY,),
        )
    return share(k, judged.samples)
