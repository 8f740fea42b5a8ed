"""The page of `lem-safe quality`, and the section about the samples in the report of a run."""

from pathlib import Path
from typing import Any

import numpy as np

from lem_safe.escaping import to_json
from lem_safe.files import write_text
from lem_safe.judging import Judgement
from lem_safe.judging.judge import in_report
from lem_safe.judging.judgement import Measure
from lem_safe.judging.words import numbers, sentences, sizes, standing, three, verdict
from lem_safe.report.contents import Contents
from lem_safe.report.quality_pictures import CELLS, COLUMNS, heat_maps, marginals
from lem_safe.report.style import pictures
from lem_safe.report.words import percent
from lem_safe.templates import rendered

HOW = (
    (
        "Noise floor",
        "Each measure is taken of a random part of the real rows and a part of the samples, and of the same "
        "part and another part of the real rows, of equal size. The second is what chance makes of the "
        "first. Within: at most four standard deviations of a split above it.",
    ),
    (
        "Distances of columns",
        "The Kolmogorov–Smirnov distance of numbers and dates; the total variation of categories; of the "
        "cells that are there. Both are between 0 and 1.",
    ),
    (
        "Associations",
        "Spearman's rank correlation of two ordered columns, Cramér's V of two categories, the correlation "
        "ratio of ranks of a category and an ordered column; the last two are corrected for their bias.",
    ),
    (
        "Two-sample test",
        "A classifier that tells samples from real rows, judged on rows it has not been fitted on. "
        "Score: 1 − (2·max(AUC, ½) − 1), the mean over the folds. Copies of real rows make it look better.",
    ),
    (
        "Trained on samples",
        "A model of the target is trained on samples, and on as many real rows, and tested on held-out real "
        "rows.",
    ),
    (
        "Nearest real row",
        "Every ordered column counts (x − y)²/2σ² and every category that differs 1, so that two unrelated "
        "rows are about √d apart. Nearer than real rows are to each other: the samples are copies. Whether "
        "they remember training rows, only rows that the generator has not seen can show.",
    ),
)
"""What each measure is."""


def write_quality(j: Judgement, out: Path) -> Path:
    """Writes quality.json, figures/*.png and quality.html into a directory; returns the page's path."""
    figures = out / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    write_text(out / "quality.json", to_json(j.to_dict()) + "\n")
    page = out / "quality.html"
    with np.errstate(over="ignore", invalid="ignore"):
        columns = pictures(marginals(j), figures / "columns.png", "c", width=3.0, height=2.3)
        draws = heat_maps(j.pairs)
        pairs = pictures(draws, figures / "associations.png", "p", width=4.4, height=4.0) if draws else []
    some = f" The {COLUMNS} of {len(j.columns)} that differ most." if len(j.columns) > COLUMNS else ""
    few = f" The {CELLS} of {len(j.columns)} columns that differ most." if len(j.columns) > CELLS else ""
    write_text(
        page,
        rendered(
            "quality.html.j2",
            j=j,
            title=sizes(j),
            columns_drawn=columns,
            pairs_drawn=pairs,
            some=some,
            few=few,
            how=HOW,
            **words(j),
        ),
    )
    return page


def words(j: Judgement) -> dict[str, Any]:
    """What a page says of a judgement: the verdict, a row for each measure, and the sentences below."""
    return {
        "quality_verdict": verdict(j),
        "quality_rows": [_row(measure) for measure in j.measures],
        "quality_sentences": sentences(j),
        "percent": percent,
        "three": three,
    }


def section(contents: Contents, real: Any = None, samples: Any = None) -> dict[str, Any] | None:
    """The section of a run's report about its samples and the rows that its energy was trained on; None for a
    run without data, or of images. real, samples: tables in their place, where the rows that the run holds
    are not as written.
    """
    names: tuple[str, ...] | None = None
    if real is None or samples is None:
        if not _like_rows(contents):
            return None
        real, samples, names = contents.diagnostics["data"], contents.x, contents.columns
    j = in_report(real, samples, names, seed=int(contents.run.get("seed", 0)))
    if j is None:
        return None
    draws = heat_maps(j.pairs)[-1:]
    path = contents.directory / "figures" / "associations.png"
    path.parent.mkdir(exist_ok=True)
    drawn = pictures(draws, path, "associations", width=4.4, height=4.0) if draws else []
    return {"pictures": drawn, "samples": j.rows["samples"], "real": j.rows["real"], **words(j)}


def _like_rows(contents: Contents) -> bool:
    """Whether the run holds rows of data that can be compared with its samples: not images, all cells
    finite.
    """
    if "data" not in contents.diagnostics or "fidelity" not in contents.run:
        return False
    data, d = contents.diagnostics["data"], len(contents.run["fidelity"]["columns"])
    finite = all(np.isfinite(x).all() for x in (data, contents.x))
    return finite and d == contents.x.shape[1] == data.shape[1]


def _row(measure: Measure) -> dict[str, str]:
    found, floor = numbers(measure)
    where = " and ".join(measure.where) or measure.note
    return {
        "title": measure.title,
        "found": found,
        "floor": floor,
        "where": where,
        "standing": standing(measure),
    }
