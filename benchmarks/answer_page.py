"""The section of docs/measurements.md on the time to a given answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.markdown import table
from benchmarks.time_to_answer import EPSILONS, LOOKS

Rows = Sequence[Mapping[str, Any]]


def section(rows: Rows) -> list[str]:
    """Milliseconds until the distance is within ε, by distribution and method; then PD-LMC's own example."""
    own = [r for r in rows if r["part"] == "interval"]
    return [
        "Processor time until a cloud of 10,000 particles has the distribution that was asked for: total "
        "variation at most .05 and .02 from the exact KL projection, which quadrature gives. It is measured "
        "in the fixed cells of a histogram, a quarter (one column) or three quarters (two) of a unit wide, "
        "each inside or outside of every set, from 8 clouds together. So many independent draws have a "
        "distance of *floor* by chance; a measured one is √(TV² − floor²). The time is that of one cloud "
        "from its start, which is far from the answer, without imports; pilots and thinning are in it. Of "
        f"several step sizes the best is shown, for each method; *never*: not within {LOOKS[-1]} steps, nor "
        "within a time of 10 (20 for six modes). *Nearest* is the distance at the end of the "
        "setting that comes nearest: what is above the resolution, about the floor, is bias.",
        "",
        *table(
            ["distribution", "floor", "method", "ms to .05", "ms to .02", "steps", "setting", "nearest"],
            [_row(r) for r in rows if r["part"] != "interval"],
            words=("distribution", "method", "setting"),
        ),
        "",
        "Predicted: whatever targets the projection itself (gate and tilt with a tested sampler, thinning) "
        "ends below the resolution after as many steps as the sampler alone needs, a tilt after twice as "
        "many, for its pilot; the biases of order h of Langevin cost step and drift small steps, and "
        "primal–dual Langevin too, which bounds the chance of being inside after the noise; projected and "
        "rejected samples have another distribution and never arrive.",
        *(["", *_interval(own)] if own else []),
    ]


def _row(r: Mapping[str, Any]) -> list[str]:
    least = r[str(EPSILONS[1])]
    shown = least if least["ms"] is not None else r[str(EPSILONS[0])]
    return [
        r["truth"],
        f"{r['floor']:.3f}",
        r["method"],
        *(_ms(r[str(ε)]) for ε in EPSILONS),
        "" if shown["steps"] is None else str(shown["steps"]),
        shown["setting"] or r["settled_setting"],
        f"{r['settled']:.3f}",
    ]


def _ms(found: Mapping[str, Any]) -> str:
    return "never" if found["ms"] is None else f"{found['ms']:.1f}"


def _interval(rows: Rows) -> list[str]:
    """PD-LMC beside ours on N(0, 1) truncated to [1, 3]."""
    theirs, ours = ([r for r in rows if ("seconds" in r) is which] for which in (True, False))
    first, best = theirs[0], ours[0]
    thin = next(r for r in ours if r["method"].startswith("thinning"))
    ratio = 1e3 * first["seconds"] / best["0.02"]["ms"]
    courses = "; ".join(
        f"{r['method'].split(', ')[1]}: " + ", ".join(f"{d:.3f}" for _, d in by_length(r)) for r in theirs
    )
    return [
        "**PD-LMC on its own example** (Chamon, Karimi, Korba 2024): N(0, 1) truncated to [1, 3], by the "
        "constraint E 4[(x − 1)(x − 3)]₊ ≤ .005, with its published settings: one chain of 5e6 steps of "
        "1e-3, dual step η = 1e-3, the second half kept; η = .2 is the one published for two dimensions. "
        f"Ours are {best['particles']:,} particles from the same 0, or from the middle. *Independent* is "
        "what the samples of one run are worth in independent draws (of a chain by batch means), *one "
        "answer* the total variation of all of them, noise included, and *bias* that of the distribution "
        "they come from: for PD-LMC the average of 192 chains of 1e6 steps "
        f"(floor {first['floor']:.3f}), for ours 8 clouds (floor {best['floor']:.3f}). *z* are the errors "
        "of mean and variance over their standard errors.",
        "",
        *table(
            [
                "method",
                "ms to .05",
                "ms to .02",
                "published run, ms",
                "independent",
                "one answer",
                "bias",
                "outside",
                "z",
            ],
            [_of_interval(r) for r in rows],
        ),
        "",
        f"*{best['method']}* is within .02 after {best['0.02']['ms']:.1f} ms: {ratio:.0f} times less than "
        f"the {first['seconds']:.2f} s of PD-LMC, which is then still {first['by_length']['1000000']:.3f} "
        "away. That is a loop of Python floats written for this example alone; the published code takes the "
        "steps one by one in JAX. PD-LMC's own distance after runs of 1e4, 3e4, 1e5, 3e5 and 1e6 "
        f"steps: {courses}; the first time within .05 is in the table, when one chain is worth few "
        "independent draws yet. From 0, where PD-LMC begins, thinning is within .02 after "
        f"{thin['0.02']['ms']:.1f} ms, {1e3 * first['seconds'] / thin['0.02']['ms']:.0f} times less, with "
        f"fewer draws: {_per_draw(thin['0.02']['ms'], thin):.1f} µs for each, PD-LMC "
        f"{_per_draw(1e3 * first['seconds'], first):.0f}. MALA first has to find the interval: "
        f"{1e3 * first['seconds'] / ours[1]['0.02']['ms']:.0f} times less.",
    ]


def _per_draw(ms: float, row: Mapping[str, Any]) -> float:
    """Microseconds for each independent draw."""
    return 1e3 * ms / float(row["independent"])


def by_length(r: Mapping[str, Any]) -> list[tuple[int, float]]:
    """The distances of PD-LMC, by ascending length of its run."""
    return sorted((int(length), distance) for length, distance in r["by_length"].items())


def _of_interval(r: Mapping[str, Any]) -> list[str]:
    published = "seconds" in r
    bias = r["by_length"]["1000000"] if published else r["settled"]
    return [
        r["method"],
        *((_chain_within(r, ε) if published else _ms(r[str(ε)])) for ε in EPSILONS),
        f"{1e3 * r['seconds']:.0f}" if published else "",
        f"{r['independent']:,}",
        f"{r['one_answer']:.3f}",
        f"{bias:.3f}",
        f"{100 * r['outside']:.2f} %",
        f"{r['mean_z']:.1f}, {r['variance_z']:.1f}",
    ]


def _chain_within(r: Mapping[str, Any], ε: float) -> str:
    """Milliseconds of the shortest run that is within ε, and the draws that it is worth."""
    for length, distance in by_length(r):
        if distance <= ε:
            share = length / r["steps"]
            return f"{1e3 * share * r['seconds']:.1f} ({share * r['independent']:.0f} draws)"
    return "never"
