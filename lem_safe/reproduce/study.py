"""A study: claims checked in sequence, each saved as soon as it is known, then one page and one JSON of all
of them.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from barriers.regular_files import UnreadableFile
from lem_safe.data.source import digest
from lem_safe.errors import BadInput, Fault, NumericalFailure
from lem_safe.escaping import on_one_line
from lem_safe.files import read_text, write_json, write_text
from lem_safe.provenance import versions
from lem_safe.report.style import pictures, prefixed
from lem_safe.reproduce.claim import Claim, Found, Setting
from lem_safe.templates import rendered

HEIGHT = 3.1
STUDY = ("seed", "quick")
"""What the claims of one study share; a claim whose files have changed is checked again."""
MARKS = {
    "holds": "holds",
    "corrected": "holds as corrected",
    "fails": "does not hold here",
    "not run": "not run",
}


@dataclass(frozen=True)
class Study:
    """The result of every claim. passed: no claim failed; one that was not run is not a failure, and states
    what it needs.

    faults: why a claim could not be run although its file exists; the others are checked anyway.
    """

    claims: tuple[Mapping[str, Any], ...]
    directory: Path | None
    faults: tuple[Fault, ...] = ()

    @property
    def passed(self) -> bool:
        return all(c["verdict"] != "fails" for c in self.claims)

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": 1,
            "paper": "arXiv 2605.05530",
            "passed": self.passed,
            "claims": list(self.claims),
            **versions(),
        }

    def __str__(self) -> str:
        lines = [
            f"{MARKS[c['verdict']]:<18}  {c['name']:<16}  {c['title']}\n{'':<20}{on_one_line(c['ours'])}"
            for c in self.claims
        ]
        return "\n".join(lines)


def reproduce(
    claims: Sequence[Claim], setting: Setting, out: Path | None = None, resume: bool = False
) -> Study:
    """Checks the claims; with `out`, writes claims/NAME.json and figures for each, and reproduce.html and
    .json at the end.

    With `resume`, a claim already saved there under the same setting is not checked again. Raises BadInput
    where `out` contains those of another setting.
    """
    rows: list[Mapping[str, Any]] = []
    faults: list[Fault] = []
    for claim in claims:
        saved = _saved(out, claim, setting) if resume else None
        row = saved or _checked(claim, setting, out, faults)
        rows.append(row)
        setting.progress.say(f"{claim.name}: {MARKS[row['verdict']]}")
    study = Study(tuple(rows), out, tuple(faults))
    if out is not None:
        write_json(out / "reproduce.json", study.to_dict())
        write_text(out / "reproduce.html", page(study, out))
    return study


def _checked(claim: Claim, setting: Setting, out: Path | None, faults: list[Fault]) -> dict[str, Any]:
    began = time.monotonic()
    try:
        found = claim.check(setting)
    except NumericalFailure as failure:
        found = Found("fails", f"numerical failure: {failure}")
    except BadInput as bad:
        faults += bad.faults
        found = Found("not run", f"a file cannot be used: {bad}")
    row = {
        "name": claim.name,
        "title": claim.title,
        "where": claim.where,
        "paper": claim.paper,
        "tolerance": claim.tolerance,
        "verdict": found.verdict,
        "ours": found.ours,
        "note": found.note,
        "numbers": _plain(found.numbers),
        "seconds": round(time.monotonic() - began, 1),
        "setting": _setting(claim, setting),
        "pictures": len(found.draws),
    }
    if out is not None:
        (out / "figures").mkdir(parents=True, exist_ok=True)
        (out / "claims").mkdir(exist_ok=True)
        if found.draws:
            path = out / "figures" / f"{claim.name}.png"
            shown = pictures(found.draws, path, "plot", columns=4, width=found.width, height=HEIGHT)
            for i, picture in enumerate(shown):
                write_text(out / "figures" / f"{claim.name}-{i}.svg", picture)
        write_json(out / "claims" / f"{claim.name}.json", row)
    return row


def page(study: Study, out: Path) -> str:
    """One self-contained page of every claim of a study."""
    shown = [
        (
            c,
            [
                prefixed(
                    (out / "figures" / f"{c['name']}-{i}.svg").read_text(encoding="utf-8"), f"{c['name']}{i}-"
                )
                for i in range(c["pictures"])
            ],
        )
        for c in study.claims
    ]
    quick = any(c["setting"]["quick"] for c in study.claims)
    counts = {mark: sum(c["verdict"] == verdict for c in study.claims) for verdict, mark in MARKS.items()}
    return rendered(
        "page.html.j2",
        "lem_safe.reproduce",
        study=study,
        shown=shown,
        marks=MARKS,
        counts=counts,
        quick=quick,
        facts=versions(),
    )


def _saved(out: Path | None, claim: Claim, setting: Setting) -> dict[str, Any] | None:
    path = None if out is None else out / "claims" / f"{claim.name}.json"
    if path is None or not path.is_file():
        return None
    try:
        row: dict[str, Any] = json.loads(read_text(path))
        saved, verdict = row["setting"], row["verdict"]
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError, UnreadableFile):
        return None
    mine = _setting(claim, setting)
    if any(saved.get(name) != mine[name] for name in STUDY):
        raise BadInput(
            Fault(f"was checked with {saved}, this study has {mine}; choose another --out", str(path))
        )
    return row if saved == mine and verdict != "not run" else None


def _setting(claim: Claim, setting: Setting) -> dict[str, Any]:
    """What a claim's result depends on: the seed, the size of the study, and the content of the files it
    reads.
    """
    read = {name: getattr(setting, name) for name in claim.needs}
    return {
        "seed": setting.seed,
        "quick": setting.quick,
        **{k: None if v is None else content(v) for k, v in read.items()},
    }


def content(path: Path) -> str:
    """16 hexadecimal digits of a file's bytes, or of the names and sizes in a folder."""
    if path.is_file():
        return digest(path.read_bytes())[:16]
    return digest(
        *(
            f"{p.relative_to(path).as_posix()} {p.stat().st_size}"
            for p in sorted(path.rglob("*"))
            if p.is_file()
        )
    )[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value
