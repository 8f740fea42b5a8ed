"""The section of docs/measurements.md on paths."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.markdown import table

Rows = Sequence[Mapping[str, Any]]


def section(rows: Rows) -> list[str]:
    """Collisions, success, length and roughness of paths, by what keeps them clear."""
    by = {r["name"]: r for r in rows}
    gate, kept = by["gate"], by["rejection"]
    return [
        "D3IL's avoiding task: an energy learned from 96 human demonstrations, 32 waypoints each, and an "
        "obstacle of radius 0.08 around (0.5, -0.1) that was not there. *Meeting* are paths that meet an "
        "obstacle, segments included, counted in plain numpy that shares no code with lem-safe; *at "
        "waypoints*, at these alone. *Success* is a path that ends beyond the line. *Ways* are the "
        "different ways around the six pillars; *from exact*, the total variation between their shares "
        f"and those of rejection, which has the exact distribution; {gate['floor']:.2f} between two halves "
        "of its own paths. *Waypoints moved* are the unfiltered paths with each waypoint inside an "
        "obstacle moved out of it; *waypoints projected* 500 of them after 300 Langevin steps in which "
        "every waypoint's move was the nearest that its barriers admit, by qpth, as SafeDiffuser does it. "
        "Roughness is the mean squared second difference, in 1e-4.",
        "",
        *table(
            [
                "paths",
                "of",
                "meeting",
                "at waypoints",
                "success",
                "length",
                "roughness",
                "ways",
                "from exact",
            ],
            [_row(r) for r in rows],
        ),
        "",
        f"Rejection keeps {kept['paths']:,} of {kept['drawn']:,} draws. Training, both chains and the audit "
        f"took {gate['seconds']:.0f} s of processor time, on one thread.",
    ]


def _row(r: Mapping[str, Any]) -> list[str]:
    far = "" if r["name"] in ("demonstrations", "rejection") else f"{r['distance']:.2f}"
    return [
        r["name"],
        f"{r['paths']:,}",
        f"{r['colliding']:,} ({100 * r['colliding'] / r['paths']:.3g} %)",
        f"{r['colliding_points']:,}",
        f"{100 * r['success']:.4g} %",
        f"{r['length']:.3f}",
        f"{r['roughness']:.2f}",
        str(r["ways"]),
        far,
    ]
