"""The result of an audit: one frozen value that converts to text, JSON and a notebook table."""

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lem_safe.auditor.caveats import caveats
from lem_safe.auditor.clouds import CloudFractions
from lem_safe.auditor.formats import FORMATS, to_json
from lem_safe.auditor.headline import reason
from lem_safe.auditor.movement import Movement
from lem_safe.auditor.reading import Unseen
from lem_safe.auditor.repeats import Repeats
from lem_safe.auditor.samples import Unit
from lem_safe.auditor.standing import Verdict
from lem_safe.auditor.text import to_html, to_text
from lem_safe.auditor.unclaimed import Unclaimed, unclaimed_in
from lem_safe.auditor.unequal import Unequal
from lem_safe.auditor.verdict import ConstraintReport, UnionReport
from lem_safe.bounds.evidence import Method
from lem_safe.errors import BadInput
from lem_safe.escaping import on_one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class AuditReport:
    """The verdict on n samples against one scenario. The exit status depends on `passed` alone."""

    passed: bool
    samples: int
    confidence: float
    assumes: str
    """independent samples (clouds, chains, paths); or coupled cloud, samples used in tuning, copies, or
    frozen run: bound not claimed.
    """
    constraints: tuple[ConstraintReport, ...]
    scenario: str
    """The scenario's name."""
    fingerprint: str
    assumes_detail: str
    """The assumption in a sentence, and how several constraints share the confidence."""
    require: str
    """What passing requires: `passed`, the census and the trace; `bound`, also a certified bound; `anytime`,
    also an anytime-valid one.
    """
    correction: str
    """How several constraints share the error: bonferroni or holm."""
    union: UnionReport | None
    """The samples inside any constrained region; None for a single constraint."""
    after_step: int
    """The first step of the trace that is checked."""
    near_within: float | None
    """The distance within which `near` counts; None where not requested."""
    columns: tuple[str, ...]
    columns_matched: str
    """By name, or by position where the samples or the scenario have no names of their own."""
    source: str
    verdict: Verdict = "inconclusive"
    """The verdict on all constraints together: violated if any is, certified if all are."""
    method: Method = "clopper-pearson"
    """The method of the bounds."""
    unit: Unit = "sample"
    """The unit of independence, which the bounds count."""
    units: int = 0
    """The number of units."""
    rows: int = 0
    """Rows read: `samples`, or for paths all their recorded times."""
    seed: int | None = None
    """The seed of the samples, where their file states it."""
    clouds: str | None = None
    """The file of separate clouds that the bound is computed from; None for the samples themselves."""
    looks: int | None = None
    """The number of evaluations of an audit that grows; None for an audit made once."""
    columns_detail: str = ""
    """Which column of the samples is used as which of the scenario's, in words; empty where the names are
    equal.
    """
    repeats: Repeats | None = None
    """How many rows are distinct, and how many units."""
    movement: Movement | None = None
    """Whether the run's particles have moved, where a trace or the file records it."""
    dropped: int | None = None
    """Rows that missed a value and were left out; None where such a row is an error."""
    unclaimed: Unclaimed | None = None
    """Why no bound is claimed; None where one is."""
    by_cloud: tuple[CloudFractions, ...] = ()
    """For several clouds, one entry per constraint: the mean of their fractions, and the largest."""
    kinds: dict[str, str] | None = None
    """What the columns that hold no numbers hold, by name: text, date or boolean; None where all do."""
    unseen: tuple[Unseen, ...] = ()
    """Texts that rules compare a column with and that never occur in it."""
    unequal: tuple[Unequal, ...] = ()
    """Columns that are not, in some row, what the scenario derives them as."""

    @property
    def status(self) -> int:
        """The exit status: 0 passed, 1 failed."""
        return 0 if self.passed else 1

    def to_dict(self) -> dict[str, Any]:
        """The content of audit.json: plain lists, dicts, numbers and None."""
        plain = json.loads(json.dumps(dataclasses.asdict(self), allow_nan=False))
        return {"schema_version": SCHEMA_VERSION, **plain, "reason": reason(plain), "caveats": caveats(plain)}

    def to_json(self) -> str:
        """audit.json, readable, without NaN."""
        return to_json(self.to_dict())

    def to(self, form: str) -> str:
        """The audit as `text`, `json`, `junit`, `markdown` or `github`; ValueError for another form."""
        if form not in FORMATS:
            raise ValueError(f"an audit has no form '{form}'; choose one of {', '.join(FORMATS)}")
        return FORMATS[form](self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> "AuditReport":
        """The report that `to_json` wrote; BadInput for an unknown schema version and for anything that is
        not an audit.
        """
        try:
            data = json.loads(text)
            version = data.pop("schema_version", None)
        except (ValueError, AttributeError, TypeError, RecursionError) as error:
            raise BadInput(f"audit.json: is damaged ({error}); audit the samples again") from None
        if version != SCHEMA_VERSION:
            raise BadInput(
                f"audit.json: schema_version must be {SCHEMA_VERSION}; got {version}; audit the samples again"
            )
        known = {field.name for field in dataclasses.fields(cls)}
        try:
            constraints = tuple(ConstraintReport.from_dict(c) for c in data.pop("constraints"))
            union = UnionReport.from_dict(data["union"]) if data["union"] else None
            read = {name: value for name, value in data.items() if name in known}
            for name, made in (("repeats", Repeats), ("movement", Movement)):
                read[name] = made(**data[name]) if data.get(name) is not None else None
            read["unclaimed"] = unclaimed_in(data)
            read["unseen"] = tuple(
                Unseen(**{**each, "values": tuple(each["values"])}) for each in data.get("unseen", ())
            )
            read["unequal"] = tuple(Unequal(**each) for each in data.get("unequal", ()))
            read["by_cloud"] = tuple(CloudFractions(**each) for each in data.get("by_cloud", ()))
            return cls(
                **{**read, "constraints": constraints, "union": union, "columns": tuple(data["columns"])}
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInput(f"audit.json: is damaged ({error}); audit the samples again") from None

    def to_text(self) -> str:
        """The verdict for a terminal."""
        return to_text(self.to_dict())

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Each constraint's fraction, interval and tolerance, drawn on `ax` or on new axes, which are
        returned.
        """
        from lem_safe.auditor.plot import plot

        return plot(self.constraints, self.unclaimed is None, ax)

    def __repr__(self) -> str:
        found = ", ".join(
            f"{c.set} {100 * c.fraction:.3g} % of {100 * c.beta:.3g} %" for c in self.constraints
        )
        return on_one_line(
            f"<AuditReport {self.scenario}: {'passed' if self.passed else 'failed'}, {self.samples:,} "
            f"samples, {found}>"
        )

    def _repr_html_(self) -> str:
        return to_html(self.to_dict())

    def __str__(self) -> str:
        return self.to_text()
