"""One self-contained page from a run directory: no network, no script, light and dark, for screen, phone and
paper.
"""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from barriers.sets import UnsafeSet
from lem_safe.auditor.headline import standing
from lem_safe.report import words
from lem_safe.report.certified import how
from lem_safe.report.claims import ELSEWHERE, SILENT, claims
from lem_safe.report.contents import Contents, read
from lem_safe.report.cost import costs
from lem_safe.report.drift import drifts
from lem_safe.report.nearness import nearness, seats
from lem_safe.report.panel import Panel, label, laws
from lem_safe.report.panels import panels
from lem_safe.report.quality_page import section
from lem_safe.report.rows import tables
from lem_safe.report.style import pictures
from lem_safe.templates import rendered

USUAL = (4.4, 3.3)
SIZES = {"marginals": (3.0, 2.1), "clouds": (4.4, 4.1), "paths": (4.4, 4.1), "pairs": (4.4, 3.7)}
"""Plots with a size other than the default, in inches."""


AUDITED = (
    "source",
    "samples",
    "rows",
    "unit",
    "units",
    "method",
    "columns_matched",
    "columns_detail",
    "seed",
    "looks",
    "clouds",
)
"""The facts shown for an audit in place of a run's."""


CLOUDS = {"apart": words.apart, "over_steps": words.over_steps}
"""What is said of several clouds; nothing of one."""


def render(run_directory: Path | str, regions: Mapping[str, UnsafeSet] | None = None) -> Path:
    """Writes report.html and figures/*.png into the directory of a run or an audit, from its other files
    alone, and returns the page's path. regions: the named ones where these are objects, which its files only
    describe.

    Raises BadInput where a needed file is missing; a panel whose file is missing is replaced by a sentence.
    """
    directory = Path(run_directory)
    contents = read(directory, regions)
    (directory / "figures").mkdir(exist_ok=True)
    page = directory / "report.html"
    with np.errstate(
        over="ignore", invalid="ignore"
    ):  # a mean or a spread of huge numbers is shown as inf, without a warning
        shown = [(panel, _pictures(panel, directory)) for panel in panels(contents)]
        _write(page, rendered("page.html.j2", panels=shown, **_facts(contents), **_of_clouds(contents.audit)))
    return page


def _pictures(panel: Panel, directory: Path) -> list[str]:
    width, height = SIZES.get(panel.name, USUAL)
    if not panel.draws:
        return []
    path = directory / "figures" / f"{panel.name}.png"
    return pictures(panel.draws, path, panel.name, width=width, height=height)


def _facts(contents: Contents) -> dict[str, Any]:
    audit = contents.audit
    return {
        "audit": audit,
        "scenario": contents.scenario,
        "columns": contents.columns,
        "filter": contents.filter,
        "verdicts": [words.verdict(contents, i) for i in range(len(audit["constraints"]))],
        "unfiltered": [words.reference_fraction(contents, i) for i in range(len(audit["constraints"]))]
        if contents.reference
        else None,
        "costs": costs(contents),
        "drifts": drifts(contents, label(contents)),
        "nearness": nearness(contents, laws(contents), label(contents)),
        "seats": seats(contents),
        "claims": claims(contents),
        "certified": how(contents),
        "outcome": contents.certificate.get("verdict"),
        "silent": SILENT if contents.run else ELSEWHERE,
        "fidelity": contents.run.get("fidelity"),
        "quality": section(contents, *(tables(contents) or ())),
        "run": words.flat(
            {name: value for name, value in contents.run.items() if name != "fidelity"}
            or {name: audit.get(name) for name in AUDITED}
        ),
        "ran": bool(contents.run),
        "traced": bool(contents.run)
        or any(c["max_fraction_over_steps"] is not None for c in audit["constraints"]),
        "command": _command(contents),
        "yaml": (contents.directory / "scenario.yaml").read_text(encoding="utf-8"),
        "overall": words.overall(audit),
        **_words(audit),
        "unfiltered_intervals": [
            words.interval(contents, words.reference_fraction(contents, i))
            for i in range(len(audit["constraints"]))
        ]
        if contents.reference
        else None,
    }


def _words(audit: dict[str, Any]) -> dict[str, Any]:
    """The functions that the page puts numbers into words with."""
    return {
        "percent": words.percent,
        "level": words.level,
        "union": words.union,
        "bound": words.bound,
        "standing": standing,
        "decides": partial(words.decides, unit=audit.get("unit", "sample")),
    }


def _of_clouds(audit: dict[str, Any]) -> dict[str, Any]:
    """What the page says of several clouds, by constraint."""
    return {name: partial(say, audit=audit) for name, say in CLOUDS.items()}


def _command(contents: Contents) -> str:
    """The command that makes this page again."""
    place = f"{contents.directory.name}/scenario.yaml"
    if contents.certificate:
        files = ("samples.csv", "samples.parquet", "samples.npz")
        rows = next(name for name in files if name == files[-1] or (contents.directory / name).is_file())
        return f"lem-safe verify certificate.json {rows}"
    if contents.run:
        return str(contents.run.get("command", f"lem-safe run {place}"))
    return f"lem-safe audit {contents.audit['source']} {place}"


def _write(path: Path, text: str) -> None:
    """Writes a page under a temporary name and renames it, so that it is complete or absent."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
