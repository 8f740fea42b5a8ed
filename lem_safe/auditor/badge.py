"""A badge for a README: the audit in three words, as SVG or as the JSON that shields.io's endpoint reads."""

import json
from collections.abc import Mapping
from typing import Any

from lem_safe.formatting import percent
from lem_safe.templates import rendered

LABEL = "lem-safe"
COLOURS = {True: "#1f7a4d", False: "#b3243f"}


def badge_message(audit: Mapping[str, Any]) -> str:
    """For one constraint, the fraction found and the tolerance; for several, how many passed."""
    constraints = audit["constraints"]
    if len(constraints) == 1:
        (c,) = constraints
        most = max(c["fraction"], c["max_fraction_judged"] or 0.0)
        over = c["violations"] > c["budget"] or c["first_step_over"] is not None
        certified = " certified" if c["passed"] and c["verdict"] == "certified" else ""
        return f"{percent(most)} {'>' if over else '≤'} {percent(c['beta'])}{certified}"
    return f"{sum(c['passed'] for c in constraints)} of {len(constraints)} tolerances met"


def badge_json(audit: Mapping[str, Any]) -> str:
    """The content of a shields.io endpoint."""
    fields = {
        "schemaVersion": 1,
        "label": LABEL,
        "message": badge_message(audit),
        "color": COLOURS[audit["passed"]].lstrip("#"),
    }
    return json.dumps(fields, ensure_ascii=False) + "\n"


def badge_svg(audit: Mapping[str, Any]) -> str:
    """A flat badge that needs no network."""
    message = badge_message(audit)
    left, right = (12 + 6.4 * len(text) for text in (LABEL, message))
    colour = COLOURS[audit["passed"]]
    return rendered(
        "badge.svg.j2",
        "lem_safe.auditor",
        label=LABEL,
        message=message,
        left=left,
        right=right,
        colour=colour,
    )
