"""The page of `lem-safe compare`: the conclusions, one table, one plot; one row and one line per filter."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lem_safe.comparison.findings import by_chance, findings
from lem_safe.comparison.pictures import draw_fractions, draw_trade, one_tolerance
from lem_safe.distances.kl_price import Needed
from lem_safe.report.prices import certainly, least, nats
from lem_safe.report.style import Draw, pictures
from lem_safe.report.words import level
from lem_safe.templates import rendered

SIZE = (4.8, 4.2)


def write_page(facts: Mapping[str, Any], fractions: Mapping[str, np.ndarray], figures: Path) -> str:
    """The page as text; its picture goes to `figures` as PNG too. facts: Comparison.to_dict()."""
    draws: list[Draw] = []
    if any(e["distance"] is not None for e in facts["entries"]):
        draws.append(partial(draw_trade, facts=facts))
    if fractions:
        draws.append(partial(draw_fractions, fractions=fractions, facts=facts))
    path = figures / "compare.png"
    shown = pictures(draws, path, "c", columns=2, width=SIZE[0], height=SIZE[1]) if draws else []
    one = one_tolerance(facts) is not None
    return rendered(
        "compare.html.j2",
        "lem_safe.comparison",
        facts=facts,
        pictures=shown,
        findings=findings(facts),
        one=one,
        chance=by_chance(facts),
        level=level,
        nats=nats,
        **needed_in_words(facts),
    )


def needed_in_words(facts: Mapping[str, Any]) -> dict[str, str]:
    """The least KL, and its lower bound with confidence; empty where the comparison has no price."""
    if not facts.get("needed"):
        return {}
    found = Needed(**facts["needed"])
    return {"least": least(found), "certainly": certainly(found, facts["confidence"])}
