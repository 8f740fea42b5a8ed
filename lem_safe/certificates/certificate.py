"""certificate.json: what was certified, from which samples, under which assumption, and what is needed to
check it again.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from lem_safe.auditor.standing import Verdict
from lem_safe.bounds.evidence import Method
from lem_safe.bounds.several import Correction
from lem_safe.errors import BadInput, Fault
from lem_safe.files import write_json
from lem_safe.formatting import aligned, level, percent
from lem_safe.inputs import read_mapping

SCHEMA_VERSION = 1
FILE = "certificate.json"
AGAIN = "certify again, or restore the file"
HEADS = ("unsafe set", "tolerated", "found", "upper limit", "without the filter", "verdict")


@dataclass(frozen=True)
class CertifiedConstraint:
    """What is known of one constraint: the count of the samples, and the anytime-valid bound on their
    distribution.
    """

    set: str
    beta: float
    violations: int
    fraction: float
    upper_bound: float
    verdict: Verdict
    decided_at: int | None
    """After how many units it was decided; None where it was not."""


@dataclass(frozen=True)
class GeometryFile:
    """A file that a region is read from, beside the certificate, and its content's hash."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Certificate:
    """The outcome of `lem-safe certify`. `verdict` is that of all constraints together, at `confidence`."""

    verdict: Verdict
    scenario: str
    """The scenario's name."""
    fingerprint: str
    """Of the scenario that was sampled, with its multipliers."""
    confidence: float
    correction: Correction
    method: Method
    unit: Literal["sample", "cloud"]
    """What is independent: every sample, or every cloud of `particles` samples."""
    particles: int | None
    samples: int
    sha256: str
    """Of the samples as float64, little-endian, row by row in the order of `columns`."""
    columns: tuple[str, ...]
    constraints: tuple[CertifiedConstraint, ...]
    evaluations: tuple[int, ...]
    """After how many samples the bound was evaluated."""
    budget: int
    """The most samples that would have been drawn, stated before the first."""
    assumes: str
    question: dict[str, Any]
    """The regions and tolerances, as a scenario file that only an audit reads; paths start at the
    certificate's folder.
    """
    geometry: tuple[GeometryFile, ...]
    seed: int
    filter: dict[str, Any]
    sampler: dict[str, Any]
    pilot: dict[str, Any] | None
    """What was learned from particles that are not among the samples; None without a pilot."""
    replaced_filter: str | None
    """The kind of the scenario's own filter where its particles depend on each other, and a tilt took its
    place; None otherwise.
    """
    data: tuple[dict[str, str], ...]
    """Name and hash of every file that the scenario reads."""
    software: dict[str, Any]
    issued: str
    """The date, in UTC."""

    @property
    def certified(self) -> bool:
        return self.verdict == "certified"

    @property
    def status(self) -> int:
        """The exit status: 0 certified, 1 not."""
        return 0 if self.certified else 1

    def to_dict(self) -> dict[str, Any]:
        """The content of certificate.json."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self), allow_nan=False))
        return {"schema_version": SCHEMA_VERSION, **plain}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2, allow_nan=False, ensure_ascii=False)

    def write(self, path: Path) -> None:
        """Writes the file, atomically."""
        write_json(path, self.to_dict())

    @classmethod
    def read(cls, path: Path) -> "Certificate":
        """The certificate in a file; BadInput for anything else."""
        data = read_mapping(path, AGAIN)
        if data.pop("schema_version", None) != SCHEMA_VERSION:
            raise BadInput(
                Fault(
                    f"is not a certificate that this version reads: schema_version must be {SCHEMA_VERSION}; "
                    f"{AGAIN}",
                    str(path),
                )
            )
        try:
            return cls.from_dict(data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInput(Fault(f"is damaged ({error}); {AGAIN}", str(path))) from None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Certificate":
        """What `to_dict` wrote, without its version; later keys are ignored."""
        read = _known(cls, data)
        read["constraints"] = tuple(
            CertifiedConstraint(**_known(CertifiedConstraint, c)) for c in read["constraints"]
        )
        read["geometry"] = tuple(GeometryFile(**_known(GeometryFile, g)) for g in read["geometry"])
        for name in ("columns", "evaluations", "data"):
            read[name] = tuple(read[name])
        numbers = (read["samples"], read["budget"], *read["evaluations"])
        if not all(isinstance(v, int) and not isinstance(v, bool) for v in numbers):
            raise ValueError("samples, budget and evaluations must be whole numbers")
        if not isinstance(read["question"], dict):
            raise ValueError("question must be a mapping")
        return cls(**read)

    def __str__(self) -> str:
        free = None if self.pilot is None else self.pilot["unfiltered"]
        rows = [
            (
                c.set,
                f"{percent(c.beta)}",
                f"{percent(c.fraction)} ({c.violations:,})",
                f"{percent(c.upper_bound)}",
                "not known" if free is None else f"{percent(free[i])} (pilot)",
                c.verdict,
            )
            for i, c in enumerate(self.constraints)
        ]
        after = [] if (what := remedy(self)) is None else [what, ""]
        return "\n".join([headline(self), "", *aligned([HEADS, *rows]), "", *after, self.assumes])


def headline(certificate: Certificate) -> str:
    """One line: the outcome, the scenario, the number of samples."""
    swapped = certificate.replaced_filter
    instead = f", with the filter tilt in place of {swapped}" if swapped else ""
    of = f"{certificate.scenario}{instead}: {certificate.samples:,} samples"
    confident = f"at {level(certificate.confidence)} confidence"
    if certificate.verdict == "certified":
        return f"CERTIFIED  {of}: every tolerance holds {confident}, if {_independent(certificate)}"
    if certificate.verdict == "violated":
        over = ", ".join(c.set for c in certificate.constraints if c.verdict == "violated")
        return f"NOT CERTIFIED  {of}: their distribution is over the tolerance of {over} {confident}"
    return (
        f"NOT CERTIFIED  {of}, the whole budget: too few to decide; more of them, or fewer inside, would "
        "(--budget)"
    )


def remedy(certificate: Certificate) -> str | None:
    """What to do where it is not certified; None where it is."""
    if certificate.certified:
        return None
    if certificate.verdict == "inconclusive":
        return f"Next: --budget above {certificate.budget:,}, in another --out with another --seed."
    if certificate.pilot is None:
        return "Next: filter: {kind: tilt, multipliers: auto}, which learns how much to refuse in a pilot."
    aims = ", ".join(
        f"{100 * aim:.3g} % in {c.set}"
        for aim, c in zip(certificate.pilot["aims"], certificate.constraints, strict=True)
    )
    return (
        f"Next: the pilot aimed at {aims}, which the samples did not reach: they had not settled. Use more "
        "sampler.steps, or another sampler.init."
    )


def _independent(certificate: Certificate) -> str:
    if certificate.unit == "sample":
        return "the samples are independent"
    clouds = certificate.samples // (certificate.particles or 1)
    return f"the {clouds:,} clouds are independent"


def _known(cls: type, data: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a dataclass' fields, without those of a later version."""
    return {field.name: data[field.name] for field in fields(cls)}
