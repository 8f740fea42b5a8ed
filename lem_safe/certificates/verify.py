"""Verification: the samples counted again in the certificate's regions, and every claim compared with what
the counts say. Nothing that sampled or filtered is used, and no energy is built unless a region is made of
one.
"""

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lem_safe.auditor.audit import concluded
from lem_safe.auditor.audit_report import AuditReport
from lem_safe.auditor.opening import Source, open_samples
from lem_safe.auditor.question import Question
from lem_safe.auditor.reading import must_be_rules
from lem_safe.auditor.samples import Samples
from lem_safe.certificates.certificate import Certificate
from lem_safe.certificates.evaluations import Asked, evaluated
from lem_safe.certificates.question import asked, changed
from lem_safe.certificates.records import constraints_of, rows_sha256
from lem_safe.errors import BadInput
from lem_safe.registry import MAKERS
from lem_safe.scenario import Scenario

SAME = 1e-6
"""Relative difference of two bounds that different versions of a library may compute."""


@dataclass(frozen=True)
class Verification:
    """What a certificate says, and where the samples say something else; nothing if it is right."""

    certificate: Certificate
    differences: tuple[str, ...]

    @property
    def verified(self) -> bool:
        """Whether the certificate certifies, and everything in it was found again."""
        return not self.differences and self.certificate.certified

    @property
    def status(self) -> int:
        """The exit status: 0 verified, 1 not."""
        return 0 if self.verified else 1

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": 1,
            "verified": self.verified,
            "differences": list(self.differences),
            "certificate": self.certificate.to_dict(),
        }

    def __str__(self) -> str:
        c = self.certificate
        if self.differences:
            found = "\n".join(f"  {text}" for text in self.differences)
            return f"NOT VERIFIED  {c.scenario}: the certificate does not fit these samples\n{found}"
        if not c.certified:
            return f"NOT VERIFIED  the certificate is right about these samples, and certifies nothing\n{c}"
        return f"VERIFIED  counted again from {c.samples:,} samples, with geometry alone\n{c}"


def verify(certificate: Path | str, samples: Source) -> Verification:
    """Checks a certificate.json against the samples (any source that an audit reads, in their order).

    Its regions are read from the copies beside it. Raises BadInput where either cannot be read.
    """
    path = Path(certificate)
    found = Certificate.read(path)
    differences = [f"{name} is not the file that was certified" for name in changed(found, path)]
    question = Question(_judged(asked(found, path)), makers=MAKERS)
    opened = _as_certified(open_samples(samples, None), found, question)
    differences += _of_samples(found, opened, question)
    return Verification(found, tuple(differences))


def _as_certified(samples: Samples, found: Certificate, question: Question) -> Samples:
    """Samples of a table without marks of their own: clouds as the certificate says, missing cells where all
    regions are rules, which hold such rows inside.
    """
    if found.unit == "cloud" and found.particles and samples.unit == "sample":
        samples = replace(samples, unit="cloud", each=found.particles)
    with suppress(BadInput):
        must_be_rules(question.scenario.unsafe, samples.source)
        samples = replace(samples, gaps="keep")
    return samples


def _judged(scenario: Scenario) -> Scenario:
    """The question with an anytime-valid bound."""
    audit = scenario.audit.model_copy(update={"require": "anytime"})
    return scenario.model_copy(update={"audit": audit})


def _of_samples(found: Certificate, samples: Samples, question: Question) -> list[str]:
    """How the samples, and what they say, differ from the certificate."""
    inside, sha256 = _counted(samples, question)
    if len(inside) != found.samples:
        return [f"samples: {found.samples:,} were certified; the file has {len(inside):,}"]
    differences = []
    if sha256 != found.sha256:
        differences.append("samples: their values are not those that were certified (sha256)")
    if (wrong := _impossible(found, len(question.scenario.constraints))) is not None:
        return [*differences, wrong]
    audit = question.scenario.audit
    betas = tuple(c.beta for c in question.scenario.constraints)
    asked = Asked(betas, audit.confidence, audit.correction)
    again = evaluated(asked, found.evaluations, inside, found.particles)
    report = concluded(samples, question, again.standings, len(found.evaluations))
    return differences + _of_claims(found, report)


def _counted(samples: Samples, question: Question) -> tuple[np.ndarray, str]:
    """Membership of every sample in the region of every constraint, [n, m], and the hash of all values."""
    match = question.match(samples)
    sets = question.sets(match)
    names = [c.set for c in question.scenario.constraints]
    inside: list[np.ndarray] = []

    def counting() -> Iterator[np.ndarray]:
        for block in match.blocks(samples):
            inside.append(np.stack([sets[name].contains(block.x).numpy() for name in names], 1))
            yield block.x.numpy()

    sha256 = rows_sha256(counting())
    return np.concatenate(inside), sha256


def _impossible(found: Certificate, constraints: int) -> str | None:
    """Why the evaluations cannot have been made like that; None where they can."""
    ends = (0, *found.evaluations)
    steps = [last - first for first, last in zip(ends, found.evaluations, strict=False)]
    each = found.particles or 1
    if not steps or min(steps) < 1 or ends[-1] != found.samples or each < 1 or any(s % each for s in steps):
        return f"evaluations: must rise to the number of samples, {found.samples:,}, in whole units"
    if len(found.constraints) != constraints:
        return f"constraints: {len(found.constraints)} are claimed, {constraints} are asked"
    return None


def _of_claims(found: Certificate, report: AuditReport) -> list[str]:
    """Every claim that the samples do not bear out."""
    claims: dict[str, tuple[Any, Any]] = {
        "verdict": (found.verdict, report.verdict),
        "confidence": (found.confidence, report.confidence),
        "correction": (found.correction, report.correction),
        "method": (found.method, report.method),
        "unit": (found.unit, report.unit),
        "columns": (found.columns, report.columns),
    }
    for claimed, counted in zip(found.constraints, constraints_of(report), strict=True):
        for name, value in vars(counted).items():
            claims[f"{counted.set}: {name}"] = (getattr(claimed, name), value)
    return [
        f"{name}: {_shown(claimed)} is claimed, {_shown(counted)} was found"
        for name, (claimed, counted) in claims.items()
        if not _same(claimed, counted)
    ]


def _same(claimed: Any, counted: Any) -> bool:
    if isinstance(counted, float) and isinstance(claimed, int | float):
        return math.isclose(claimed, counted, rel_tol=SAME, abs_tol=1e-12)
    return bool(claimed == counted)


def _shown(value: Any) -> str:
    return (
        f"{value:.6g}"
        if isinstance(value, float)
        else ", ".join(value)
        if isinstance(value, tuple)
        else str(value)
    )
