"""How far the time that `lem-safe explain` estimates, where nothing was timed, is from the timed one.

    python -m benchmarks estimates

Scenarios that are drawn (`benchmarks.estimate_cases`), other ones than the factors were fitted to, and the
bundled ones, whose energies are trained for one step: on how long a step takes, what they learned has no
influence.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from benchmarks.estimate_factors import APART
from benchmarks.estimated_steps import Timed, all_timed, asked, drawn_and_timed, in_yaml, own_cache
from benchmarks.markdown import table
from lem_safe.authoring.estimate import OTHERS
from lem_safe.registry import load, loads
from lem_safe.scenario.bundled import bundled_scenarios

SEED, CASES = 2, {"all": 120, "AVX2": 80}
"""Scenarios drawn for each of PROCESSORS."""


def measure() -> list[dict[str, Any]]:
    """One row for each bundled scenario, and one for the drawn ones of each kind of range."""
    with own_cache():
        bundled = all_timed({name: _quickly_trained(name) for name in bundled_scenarios()})
        found = _ranges(bundled, "all")
        rows = [_row(name, one, found[name]) for name, one in bundled.items()]
        for number, (processor, count) in enumerate(CASES.items()):
            rows += _drawn(SEED + number, count, processor)
    return rows


def _ranges(cases: Mapping[str, Timed], processor: str) -> dict[str, Any]:
    return asked("range", {name: [one.text] for name, one in cases.items()}, processor)


def _drawn(seed: int, count: int, processor: str) -> list[dict[str, Any]]:
    cases = drawn_and_timed(seed, count, processor)
    found = _ranges(cases, processor)
    groups: dict[str, list[tuple[float, float, float]]] = {}
    for name, one in cases.items():
        groups.setdefault(one.filter if one.filter in APART else OTHERS, []).append(
            (one.seconds, *found[name])
        )
    return [
        {"name": f"drawn: {group}, {processor}", "processor": processor, "filter": group, **_summary(each)}
        for group, each in sorted(groups.items())
    ]


def _quickly_trained(name: str) -> str:
    """A bundled scenario as a file, its energies trained for one step."""
    content = YAML(typ="safe").load(StringIO(load(name).to_yaml()))

    def shorten(part: Any) -> None:
        if isinstance(part, dict):
            if part.get("kind") == "trained":
                part["training"]["steps"] = 1
            part = list(part.values())
        for one in part if isinstance(part, list) else ():
            shorten(one)

    shorten(content)
    return in_yaml(content)


def _row(name: str, one: Timed, found: list[float] | str) -> dict[str, Any]:
    scenario = loads(one.text)
    steps = scenario.sampler.steps * scenario.audit.replicas
    row = {"name": name, "part": "bundled", "timed": steps * one.seconds}
    if isinstance(found, str):
        return {**row, "not_estimated": found}
    return {**row, "least": steps * found[0], "most": steps * found[1]}


def _summary(each: Sequence[tuple[float, float, float]]) -> dict[str, Any]:
    """How many are within their range, and how far the times are from the middle of it, as ratios."""
    seconds, least, most = np.array(each).T
    ratios = seconds / np.sqrt(least * most)
    return {
        "part": "drawn",
        "cases": len(seconds),
        "within": int(((least <= seconds) & (seconds <= most)).sum()),
        "most_over_least": float((most / least).max()),
        "farthest": [float(ratios.min()), float(ratios.max())],
        "middle": float(np.median(ratios)),
    }


def section(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines of docs/measurements.md."""
    drawn = [row for row in rows if row["part"] == "drawn"]
    bundled = [row for row in rows if row["part"] == "bundled"]
    told = [row for row in bundled if "least" in row]
    inside = sum(row["least"] <= row["timed"] <= row["most"] for row in told)
    return [
        "Where nothing was timed, `lem-safe explain` states a range: what is counted of a step, times "
        "numpy's speed, times factors that were fitted to other scenarios. Here are scenarios that were "
        "drawn, from 100 to 50,000 particles, and timed with torch, on one thread by processor time. *Time "
        "over middle* is the timed step over the geometric mean of its range: the median, and the farthest "
        "ones. *AVX2* is this processor without AVX-512, for torch and numpy, as another one would be.",
        "",
        *table(
            ["filter", "processor", "scenarios", "within", "to / from", "time over middle"],
            [
                [
                    row["filter"],
                    row["processor"],
                    str(row["cases"]),
                    f"{100 * row['within'] / row['cases']:.0f} %",
                    f"{row['most_over_least']:.1f}",
                    f"{row['middle']:.2f} ({row['farthest'][0]:.2f} to {row['farthest'][1]:.2f})",
                ]
                for row in drawn
            ],
        ),
        "",
        f"Of the bundled scenarios {len(told)} are estimated, and {inside} of these are within; seconds of "
        f"all steps. {_left_out(bundled)}",
        "",
        *table(
            ["scenario", "timed", "estimated"],
            [
                [f"`{row['name']}`", f"{row['timed']:.2g}", f"{row['least']:.2g} to {row['most']:.2g}"]
                for row in told
            ],
        ),
    ]


def _left_out(bundled: Sequence[Mapping[str, Any]]) -> str:
    """What is not estimated, and of how many."""
    why = Counter(row["not_estimated"] for row in bundled if "not_estimated" in row)
    return " ".join(f"Not estimated is {what}, of {count}." for what, count in sorted(why.items()))
