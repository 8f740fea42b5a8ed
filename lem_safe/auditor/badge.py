"""A badge for a README: the audit in three words, as SVG or as the JSON that shields.io's endpoint reads."""

import html
import json
from collections.abc import Mapping
from typing import Any

from lem_safe.formatting import percent

LABEL = "lem-safe"
COLOURS = {True: "#1f7a4d", False: "#b3243f"}


def badge_message(audit: Mapping[str, Any]) -> str:
    """What was found against what is tolerated for one constraint; how many passed of several."""
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
    """A flat badge, readable without any network."""
    message = badge_message(audit)
    left, right = (12 + 6.4 * len(text) for text in (LABEL, message))
    shown = html.escape(message)
    size = f'width="{left + right:.0f}" height="20"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{LABEL}: {shown}">'
        f"<title>{LABEL}: {shown}</title>"
        f'<clipPath id="r"><rect {size} rx="3"/></clipPath><g clip-path="url(#r)">'
        f'<rect width="{left:.0f}" height="20" fill="#3f464e"/>'
        f'<rect x="{left:.0f}" width="{right:.0f}" height="20" fill="{COLOURS[audit["passed"]]}"/></g>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{left / 2:.1f}" y="14" textLength="{left - 12:.0f}">{LABEL}</text>'
        f'<text x="{left + right / 2:.1f}" y="14" textLength="{right - 12:.0f}">{shown}</text></g></svg>\n'
    )
