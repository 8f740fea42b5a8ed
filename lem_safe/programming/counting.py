"""`lem_safe.count`: counts of batches that add up, from which fractions, bounds and reports come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, SupportsFloat

from lem_safe.auditing import Asked, table_format
from lem_safe.auditor import AuditReport
from lem_safe.auditor.batch import Batch
from lem_safe.auditor.opening import Source, names_without_rows
from lem_safe.bounds.clopper_pearson import upper_bound
from lem_safe.bounds.several import Correction
from lem_safe.errors import BadInput, Fault
from lem_safe.formatting import percent
from lem_safe.sharded import audit_of, batch_of, bounds_of, constrained


@dataclass(frozen=True)
class Counts:
    """How many of `samples` rows are inside each region, by name; counts of two batches add with `+`, in any
    order and any grouping, and can be sent to other processes (pickle).
    """

    inside: Mapping[str, int]
    samples: int
    batch: Batch | None = field(default=None, repr=False)
    """Everything else that a report needs."""

    def __add__(self, other: "Counts") -> "Counts":
        if not isinstance(other, Counts):
            return NotImplemented
        if list(self.inside) != list(other.inside):
            raise BadInput(
                Fault(f"counts of {', '.join(other.inside)} do not add to counts of {', '.join(self.inside)}")
            )
        both = {name: k + other.inside[name] for name, k in self.inside.items()}
        return Counts(both, self.samples + other.samples, _both(self, other))

    def __radd__(self, other: Any) -> "Counts":
        """So that sum(batches) works, which begins with 0."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    @property
    def fractions(self) -> dict[str, float]:
        """The fraction inside each region."""
        self._must_have_rows()
        return {name: k / self.samples for name, k in self.inside.items()}

    def upper_bounds(self, confidence: float = 0.95) -> dict[str, float | None]:
        """Upper bounds of the probability of each region, which hold together with this confidence, where all
        rows (or clouds, chains, paths) are independent draws from one distribution (A.2, A.4). None where a
        report claims no bound: for one filtered cloud, copies, a run that has not moved.
        """
        if not 0 < confidence < 1:
            raise BadInput(Fault(f"must be between 0 and 1; got {confidence!r}", key="confidence"))
        self._must_have_rows()
        if self.batch is not None:
            return bounds_of(self.batch, confidence)
        each = 1 - (1 - confidence) / len(self.inside)
        return {name: upper_bound(k, self.samples, each) for name, k in self.inside.items()}

    def report(
        self, *, strict: bool = False, correction: Correction | None = None, clouds: Source | None = None
    ) -> AuditReport:
        """The audit of all rows counted, without what depends on their numbers: which rows the worst are,
        quantiles of the rows inside, and the effective number of samples.

        The options are those of `lem_safe.audit`.
        """
        self._must_have_rows()
        if self.batch is None:
            raise BadInput(Fault("a report needs counts that lem_safe.count has made"))
        return audit_of(self.batch, strict=strict, correction=correction, clouds=clouds)

    def _must_have_rows(self) -> None:
        if not self.samples:
            raise BadInput(Fault("no row was counted, so there is no fraction and no bound"))

    def __str__(self) -> str:
        share = (lambda k: f" ({percent(k / self.samples)})") if self.samples else (lambda k: "")
        each = ", ".join(f"{k:,} in {name}{share(k)}" for name, k in self.inside.items())
        return f"{self.samples:,} samples: {each}"


def _both(one: Counts, other: Counts) -> Batch | None:
    """What a report needs of both; None where it cannot be known of one of them."""
    for empty, filled in ((one, other), (other, one)):
        if empty.batch is None and not empty.samples:
            return filled.batch
    return None if one.batch is None or other.batch is None else one.batch.plus(other.batch)


def count(
    batch: Source,
    regions: Asked,
    *,
    beta: SupportsFloat | Mapping[str, SupportsFloat] | None = None,
    columns: Sequence[str] | None = None,
    header: bool | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    missing: str = "error",
    near: float | None = None,
) -> Counts:
    """The rows of a batch inside each constrained region of a scenario, or inside each of some regions by
    name.

    batch: what `lem_safe.audit` takes, or a table without rows. regions: a scenario, its file or name, or
    regions by name. beta: of regions by name, the fractions that a report tolerates, 0 by default. The other
    options are those of `lem_safe.audit`. Raises BadInput.
    """
    tolerated = 0.0 if isinstance(regions, Mapping) and beta is None else beta
    empty = _without_rows(batch)
    if empty is not None:
        own, width = empty
        names = constrained(regions, own if columns is None else columns, width, tolerated)
        return Counts(dict.fromkeys(names, 0), 0)
    form = table_format(header, separator, decimal, missing)
    found = batch_of(batch, regions, tolerated, columns=columns, form=form, near=near)
    return Counts(found.inside(), found.n, found)


def _without_rows(batch: Source) -> tuple[list[str] | None, int] | None:
    """The names and the number of columns of a table, or a Parquet or Arrow file, that has no rows; None for
    what has some.
    """
    shape = getattr(batch, "shape", None)
    if shape is not None and len(shape) == 2 and shape[0] == 0:
        return _names(batch), shape[1]
    names = names_without_rows(batch)
    return None if names is None else (names, len(names))


def _names(batch: Source) -> list[str] | None:
    """The names of a table's columns; None where it has none."""
    schema = getattr(batch, "schema", None)
    names = getattr(batch, "columns", None) if schema is None else schema.names
    return None if names is None else [str(name) for name in names]
