"""One section of the page, and the clouds that its pictures compare."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lem_safe.report.contents import Contents
from lem_safe.report.style import Draw


@dataclass(frozen=True)
class Panel:
    """One section of the page: `name` is its file in figures/; without drawings, the caption states what is
    missing.
    """

    name: str
    title: str
    caption: str
    draws: Sequence[Draw] = ()


def label(contents: Contents) -> str:
    """The name of the audited samples: unfiltered or filtered; of samples from elsewhere, rows or samples."""
    if not contents.run:
        return "rows" if contents.audit.get("unit") == "path" else "samples"
    return "unfiltered" if contents.filter == "none" else "filtered"


def laws(contents: Contents) -> dict[str, np.ndarray]:
    """The clouds by name: data, unfiltered, filtered."""
    found: dict[str, np.ndarray] = {}
    if "data" in contents.diagnostics and len(contents.diagnostics["data"]):
        found["data"] = contents.diagnostics["data"]
    if "x" in contents.reference:
        found["unfiltered"] = contents.reference["x"]
    found[label(contents)] = contents.x
    return {name: np.asarray(x, dtype=np.float64) for name, x in found.items()}
