"""What the judge found, as values: each measure beside its floor, column by column, and for files."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from lem_safe.escaping import on_one_line
from lem_safe.judging.splits import Beside
from lem_safe.judging.table import Table

SHOWN = 40
"""Columns of the matrices of associations that are kept; beyond that none is."""


@dataclass(frozen=True)
class Measure:
    """One measure. name: as in quality.json; title: for people; where: the column or the pair that it is
    about, where it is the largest of several; beside: None where it could not be measured, and note says why.
    """

    name: str
    title: str
    beside: Beside | None
    where: tuple[str, ...] = ()
    note: str = ""

    @property
    def within(self) -> bool | None:
        """Whether it is within its floor; None where it could not be measured."""
        return None if self.beside is None else self.beside.within

    def to_dict(self) -> dict[str, Any]:
        """For quality.json."""
        numbers = {} if self.beside is None else asdict(self.beside)
        return {
            "name": self.name,
            "title": self.title,
            "within": self.within,
            "where": list(self.where),
            **numbers,
            "note": self.note,
        }


@dataclass(frozen=True)
class ColumnJudgement:
    """One column. distance: KS or TV beside its floor. outside: the share of all samples' cells beyond the
    real range, or with a level that no real row has. spread: standard deviation over the real one. whole:
    share of whole numbers, real and of the samples. missing: shares, real and of the samples.
    """

    name: str
    kind: str
    measure: str
    distance: Beside | None
    outside: float
    spread: float | None
    missing: tuple[float, float]
    whole: tuple[float | None, float | None]

    def to_dict(self) -> dict[str, Any]:
        """For quality.json."""
        found = None if self.distance is None else {**asdict(self.distance), "within": self.distance.within}
        return {**asdict(self), "distance": found, "missing": list(self.missing), "whole": list(self.whole)}


@dataclass(frozen=True)
class Pairs:
    """The associations of real rows and of samples, means over the splits."""

    columns: tuple[str, ...]
    real: Float[np.ndarray, "d d"]
    samples: Float[np.ndarray, "d d"]

    def to_dict(self) -> dict[str, Any] | None:
        """For quality.json; None where there are too many columns."""
        if len(self.columns) > SHOWN:
            return None
        real, samples = (np.round(m, 6).tolist() for m in (self.real, self.samples))
        return {"columns": list(self.columns), "real": real, "samples": samples}


@dataclass(frozen=True, repr=False)
class Judgement:
    """Everything that was found. copies: rows of the samples that equal a real row, in every cell; repeats:
    those that equal an earlier sample, and the same of the real rows; copies_of_holdout: those that equal a
    held-out row. notes: what was left out, and why.
    """

    samples: str
    real: str
    holdout: str | None
    rows: Mapping[str, int]
    measures: tuple[Measure, ...]
    columns: tuple[ColumnJudgement, ...]
    pairs: Pairs
    copies: Mapping[str, int | None]
    target: Mapping[str, Any] | None
    sdmetrics: Mapping[str, Any]
    notes: tuple[str, ...]
    seed: int
    tables: tuple[Table, Table]
    """The real rows and the samples, for pictures."""

    @property
    def beyond(self) -> tuple[Measure, ...]:
        """The measures beyond their floors."""
        return tuple(m for m in self.measures if m.within is False)

    def __getitem__(self, name: str) -> Measure:
        """A measure by its name; KeyError where there is none."""
        for measure in self.measures:
            if measure.name == name:
                return measure
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """The content of quality.json."""
        return {
            "schema_version": 1,
            "samples": self.samples,
            "real": self.real,
            "holdout": self.holdout,
            "rows": dict(self.rows),
            "seed": self.seed,
            "within_noise": not self.beyond,
            "measures": [measure.to_dict() for measure in self.measures],
            "columns": [column.to_dict() for column in self.columns],
            "associations": self.pairs.to_dict(),
            "copies": dict(self.copies),
            "target": None if self.target is None else dict(self.target),
            "sdmetrics": dict(self.sdmetrics),
            "notes": list(self.notes),
        }

    def __repr__(self) -> str:
        from lem_safe.judging.words import headline

        return on_one_line(f"<Judgement {headline(self)}>")

    def __str__(self) -> str:
        from lem_safe.judging.words import to_text

        return to_text(self)


def known(value: float) -> float | None:
    """A number for JSON; None where it is not finite."""
    return float(value) if math.isfinite(value) else None
