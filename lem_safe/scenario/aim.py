"""What a filter aims at: a budget at or below the tolerance, so that finished samples leave the room that a certificate needs.

A filter that fills its tolerance to the brim ends with β n inside, and no bound on their law is then below β. `aim: auto` is the largest
count k whose Clopper–Pearson upper bound, at the audit's confidence with its error shared among the constraints (A.2, A.4), is at most β.
The audit judges β all the same.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from annotated_types import Ge, Lt

from barriers.budget import certifiable, fewest_samples, share
from barriers.specification import SpecificationError

KEY = "aim"
AIM = Literal["auto"] | Annotated[float, Ge(0), Lt(1)] | list[Annotated[float, Ge(0), Lt(1)]] | None
DESCRIPTION = (
    "The budget that the filter enforces, at most beta, for all constraints or one each; beta where not given. "
    "auto: the largest that still certifies beta at audit.confidence, if the samples are independent."
)


def aims(filter: Mapping[str, Any], betas: Sequence[float], samples: int, confidence: float) -> tuple[float, ...]:
    """What a filter's specification aims at, one number a constraint; raises SpecificationError at the key that cannot be."""
    for i, member in enumerate(filter.get("filters", ())):
        if isinstance(member, Mapping) and KEY in member:
            raise SpecificationError("belongs to the whole chain; write it beside `filters`", ("filters", i, KEY))
    aim = filter.get(KEY)
    if aim is None:
        return tuple(betas)
    if aim == "auto":
        return tuple(_auto(β, samples, (1 - confidence) / len(betas), confidence, len(betas)) for β in betas)
    if isinstance(aim, list) and len(aim) != len(betas):
        raise SpecificationError(f"must be one number, or one for each of {len(betas)} constraints; got {len(aim)}", (KEY,))
    numbers = aim if isinstance(aim, list) else [aim] * len(betas)
    for i, (number, β) in enumerate(zip(numbers, betas, strict=True)):
        if number > β:
            where: tuple[str | int, ...] = (KEY, i) if isinstance(aim, list) else (KEY,)
            raise SpecificationError(f"must be at most beta = {β:g}, which is what the audit judges; got {number:g}", where)
    return tuple(float(number) for number in numbers)


def without_aim(filter: Mapping[str, Any]) -> dict[str, Any]:
    """The filter's own keys."""
    return {key: value for key, value in filter.items() if key != KEY}


def _auto(beta: float, n: int, alpha: float, confidence: float, m: int) -> float:
    if beta == 0:
        raise SpecificationError(
            "auto has nothing to aim at where beta is 0: no number of samples certifies 0; leave aim out", (KEY,)
        )
    k = certifiable(beta, n, alpha)
    if k is None:
        among = f" shared by {m} constraints" if m > 1 else ""
        raise SpecificationError(
            f"auto finds no count that {n:,} samples certify beta = {beta:g} with, not even 0, at {100 * confidence:g} % confidence{among}; "
            f"take sampler.samples >= {fewest_samples(beta, alpha):,}, or leave aim out",
            (KEY,),
        )
    return share(k, n)
