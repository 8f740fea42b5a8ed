"""Rows of a generator within their tolerances, as they come (P.9): any callable that returns rows, such as a
tabular synthesizer or a diffusion model, is asked until enough of its rows are accepted.

A first batch determines the multipliers of the projection (G.4) and is not yielded. Of the rows that follow,
all outside every region are accepted, and others with probability e^{−μ·π}; so far this is the KL projection
of what is drawn. An accepted row is yielded if, for every set it is in, the rows yielded then hold at most
⌊β_k j⌋ of j inside. So after every row the count is within its budget, whatever is drawn. Expected draws per
row: 1/Σ_π q_π e^{−μ·π}, q the shares of the first batch.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from os import PathLike
from typing import Any, Generic, SupportsFloat, TypeVar

import numpy as np
from jaxtyping import Bool, Float

from barriers.arrays import torch
from barriers.sets import UnsafeSet
from lem_safe.auditing import Asked, scenario_for, table_format
from lem_safe.auditor.opening import open_samples
from lem_safe.auditor.question import Question
from lem_safe.errors import BadInput, Fault, NumericalFailure
from lem_safe.keys import Key
from lem_safe.registry import MAKERS
from lem_safe.scenario import Scenario
from lem_safe.thinning.in_memory import selected
from lem_safe.thinning.membership import inside_each
from lem_safe.thinning.plan import chances, tilted

ROWS = TypeVar("ROWS")

BATCH = 1000
"""Rows asked for at a time."""
SLACK = 4
"""By default, the draws stop after so many times their expected number."""


class Accepted(Generic[ROWS]):
    """An iterator over batches of accepted rows, of the type that the generator returns, `rows` in all.

    multipliers: in nats, one per set. cost: expected draws per yielded row. most_draws: the largest number of
    draws. drawn, yielded: so far. inside: how many of the yielded rows are inside each set, by its name.
    """

    def __init__(self, draw: Callable[[int], ROWS], judge: "Judge", rows: int, batch: int, most: int | None):
        self._draw, self._judge, self._batch = draw, judge, batch
        self.rows, self.multipliers, self.cost = rows, judge.multipliers, judge.cost
        self.drawn, self.yielded, self.learned_from = judge.learned_from, 0, judge.learned_from
        expected = self.drawn + math.ceil(rows * self.cost)
        self.most_draws = self.drawn + math.ceil(SLACK * rows * self.cost) + batch if most is None else most
        if expected > self.most_draws:
            message = (
                f"about {expected:,} draws are needed for {rows:,} rows, {self.cost:.3g} each after "
                f"{self.drawn:,} to learn from; at most {self.most_draws:,} are allowed; allow more, or ask "
                "for fewer rows"
            )
            raise BadInput(Fault(message, key="most_draws"))
        self._batches = self._yielded()

    @property
    def inside(self) -> dict[str, int]:
        """How many of the rows yielded so far are inside each set."""
        return dict(zip(self._judge.sets, self._judge.inside, strict=True))

    def __iter__(self) -> "Accepted[ROWS]":
        return self

    def __next__(self) -> ROWS:
        """The next accepted rows, at least one; raises NumericalFailure where the draws are used up."""
        return next(self._batches)

    def __repr__(self) -> str:
        return (
            f"<Accepted: {self.yielded:,} of {self.rows:,} rows after {self.drawn:,} draws, about "
            f"{self.cost:.3g} draws per row, at most {self.most_draws:,}>"
        )

    def _yielded(self) -> Iterator[ROWS]:
        while self.yielded < self.rows:
            asked = min(self._batch, self.most_draws - self.drawn)
            if asked <= 0:
                raise NumericalFailure(
                    f"accepted: {self.yielded:,} of {self.rows:,} rows after {self.drawn:,} draws, the most "
                    f"that are allowed; {self.cost:.3g} draws per row were expected from the first "
                    f"{self.learned_from:,}; allow more draws, or check whether the generator has changed"
                )
            batch = self._draw(asked)
            stays = self._judge.stays(batch, self.rows - self.yielded)
            self.drawn += len(stays)
            self.yielded += int(stays.sum())
            if stays.any():
                yield selected(batch, stays)


class Judge:
    """What decides on each row: the sets, the probabilities learned from a first batch, and the rows yielded
    so far.
    """

    def __init__(
        self, first: Any, scenario: Scenario, columns: Sequence[str] | None, missing: str, seed: int
    ):
        self._scenario, self._columns, self._key = scenario, columns, Key(seed).fold("accepted")
        self._form = table_format(None, None, None, missing)
        self.sets, inside, there = self._membership(first)
        betas = [min(c.beta for c in scenario.constraints if c.set == name) for name in self.sets]
        self._betas = [Fraction(repr(float(β))) for β in betas]
        patterns, counts = np.unique(inside[there], axis=0, return_counts=True)
        if not len(patterns):
            raise BadInput(Fault("the first batch has no row without a missing value", key="draw"))
        try:
            found = tilted(patterns, counts.astype(np.int64), betas)
        except ValueError as error:
            names = ", ".join(self.sets)
            raise BadInput(
                Fault(
                    f"the first {len(inside):,} draws cannot meet the tolerances of {names}, as too few are "
                    "outside; raise a tolerance, or use a generator that leaves these regions more often",
                    key="constraints",
                )
            ) from error
        self.multipliers = found.multipliers
        self._scale = 1 / float(chances(patterns, self.multipliers).max())
        self.cost = float(len(inside) / (counts @ found.keep))
        self.learned_from, self._seen, self._yielded = len(inside), 0, 0
        self.inside = [0] * len(betas)

    def stays(self, batch: Any, most: int) -> Bool[np.ndarray, "n"]:
        """Which rows of a batch are yielded, at most so many; the batch ends with the last of them."""
        _, inside, there = self._membership(batch)
        chance = np.minimum(chances(inside, self.multipliers) * self._scale, 1.0)
        accepted = there & (self._uniforms(len(inside)) < chance)
        stays = np.zeros(len(inside), dtype=bool)
        for i in np.flatnonzero(accepted).tolist():
            if most and self._has_room(inside[i]):
                stays[i] = True
                most -= 1
        return stays

    def _has_room(self, inside: Bool[np.ndarray, "m"]) -> bool:
        """Whether a row may be yielded next; then it is counted."""
        after = [count + int(own) for count, own in zip(self.inside, inside, strict=True)]
        total = self._yielded + 1
        if any(own and k > β * total for k, own, β in zip(after, inside, self._betas, strict=True)):
            return False
        self.inside, self._yielded = after, total
        return True

    def _uniforms(self, n: int) -> Float[np.ndarray, "n"]:
        self._seen += 1
        return self._key.fold(self._seen).uniform(torch.empty(n, dtype=torch.float64)).numpy()

    def _membership(
        self, batch: Any
    ) -> tuple[Mapping[str, UnsafeSet], Bool[np.ndarray, "n m"], Bool[np.ndarray, "n"]]:
        """The sets, which rows are inside each, and which miss no value."""
        opened = open_samples(batch, self._columns, self._form)
        question = Question(self._scenario, makers=MAKERS)
        match = question.match(opened)
        if match.unit != "sample":
            message = f"must be rows that are samples of their own; they number {match.unit}s"
            raise BadInput(Fault(f"{message}; leave that column out", key="draw"))
        sets = question.sets(match)
        parts = list(match.marked(opened))
        missing = np.concatenate([part.missing for part in parts])
        inside = np.zeros((len(missing), len(sets)), dtype=bool)
        inside[~missing] = inside_each(np.concatenate([part.x for part in parts])[~missing], sets)
        return sets, inside, ~missing


def accepted(
    draw: Callable[[int], ROWS],
    scenario: Asked,
    rows: int,
    *,
    batch: int = BATCH,
    most_draws: int | None = None,
    beta: SupportsFloat | Mapping[str, SupportsFloat] | None = None,
    columns: Sequence[str] | None = None,
    missing: str = "error",
    seed: int | None = None,
) -> Accepted[ROWS]:
    """Rows of a generator within the tolerances of a scenario: batches of accepted rows, `rows` in all.

    draw: called as draw(n), returns rows, about n of them: a data frame, an array, a tensor, an Arrow table.
    They must be independent of one another. Batches are of the same type. The first one is drawn at once: it
    determines the probabilities and the expected cost, and is not yielded.
    scenario, beta, columns, missing: as in `lem_safe.audit`. batch: draws at a time. most_draws: the largest
    number of draws, the first batch included; by default about 4 times their expected number. seed: of the
    choice, by default the scenario's.
    Raises BadInput where the tolerances cannot be met, or not with so many draws; the iterator raises
    NumericalFailure where the draws are used up before.
    """
    for name, value in (("rows", rows), ("batch", batch)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise BadInput(Fault(f"must be a whole number, at least 1; got {value!r}", key=name))
    first = draw(batch)
    if isinstance(first, str | PathLike):
        raise BadInput(Fault(f"must return rows in memory; got {first!r:.60}, a file's name", key="draw"))
    loaded = scenario_for(scenario, open_samples(first, columns), None, beta)
    judge = Judge(first, loaded, columns, missing, loaded.seed if seed is None else seed)
    return Accepted(draw, judge, rows, batch, most_draws)
