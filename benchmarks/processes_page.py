"""The measured section of docs/many-processes.md.

python -m benchmarks.processes_page         # writes it again, from results.json
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.markdown import table

PAGE = Path(__file__).parents[1] / "docs" / "many-processes.md"
RESULTS = Path(__file__).parent / "results.json"
BETWEEN = re.compile(r"(<!-- measured: .*? -->\n).*?(<!-- end of measured -->)", re.S)
RANKS, PARTICLES, DISK = 1_000, 1_000_000_000, 1e9
"""The job that is computed, and a disk's bytes per second."""
GATHER = ("gate", "step")
"""The filters that tell some of the moves of each process to all."""

Row = Mapping[str, Any]


def section(rows: Sequence[Row]) -> list[str]:
    """Two processes beside one, the model checked against them, and what it says of a large job."""
    by = {row["name"]: row for row in rows}
    link, filters = by["link"], [row for row in rows if "particles" in row and "calls" in row]
    return [
        *_measured(filters, by["training"]),
        "",
        *_checked(filters, link),
        "",
        *_large(filters, link),
        "",
        *_draws(by),
    ]


def _measured(filters: Sequence[Row], training: Row) -> list[str]:
    n = filters[0]["particles"]
    head = ["filter", "one, ms", "two, ms", "efficiency", "by processor time", "exchanges", "bytes"]
    rows = [
        [
            r["name"],
            f"{r['one_ms']:.1f}",
            f"{r['two_ms']:.1f}",
            f"{r['efficiency']:.2f}",
            f"{r['processor_efficiency']:.2f}",
            f"{r['calls']:.3g}",
            f"{r['bytes']:,.0f}",
        ]
        for r in (*filters, training)
    ]
    return [
        f"A step of {n:,} particles of an MLP, 2-128-128-128-1, with two balls as full as is tolerated, "
        "recorded and counted as `run` does: one process, and two on the two cores of one machine, connected "
        "by gloo. *Efficiency* is the time of one over twice that of two, by a clock and by processor time "
        "(the clock's also counts what others on the machine take of the second core). *Exchanges* and "
        "*bytes* are what one process hands over in a step. *training* is a step of denoising on a batch of "
        "2,048.",
        "",
        *table(head, rows),
    ]


def _checked(filters: Sequence[Row], link: Row) -> list[str]:
    head = ["filter", "predicted, ms", "measured, ms", "ratio"]
    rows = [
        [
            r["name"],
            f"{r['predicted_ms']:.1f}",
            f"{r['two_ms']:.1f}",
            f"{r['two_ms'] / r['predicted_ms']:.2f}",
        ]
        for r in filters
    ]
    return [
        "### A model, checked",
        "",
        f"An exchange of one number between the two takes {1e3 * link['latency_ms']:.0f} µs, and a long one "
        f"goes at {link['bytes_per_ms'] / 1e6:.1f} GB/s. A step of R processes should take",
        "",
        "    T(R) = c n/R + e·λ(R) + b/w",
        "",
        "with c the time per particle of one process, e exchanges of λ(R) each, and b bytes at the rate w. "
        "For two:",
        "",
        *table(head, rows),
    ]


def _large(filters: Sequence[Row], link: Row) -> list[str]:
    hops = math.ceil(math.log2(RANKS))
    tree, ring = link["latency_ms"] * hops, link["latency_ms"] * (RANKS - 1)
    head = ["filter", "computing, ms", "bytes", "by a tree, ms", "efficiency", "by a ring, ms", "efficiency"]
    rows = []
    for r in filters:
        alone = r["one_ms"] / r["particles"] * PARTICLES / RANKS
        sent = _bytes(r)
        copies = RANKS if r["name"] in GATHER else 2
        told = copies * sent / link["bytes_per_ms"]
        each = [alone + r["calls"] * latency + told for latency in (tree, ring)]
        rows.append(
            [
                r["name"],
                f"{alone:,.0f}",
                f"{sent:,.0f}",
                *(text for time in each for text in (f"{time:,.0f}", f"{alone / time:.2f}")),
            ]
        )
    part, whole = 8 * PARTICLES / RANKS / 1e6, 8 * PARTICLES / 1e9
    return [
        f"### {RANKS:,} processes and {PARTICLES:,} particles, on paper",
        "",
        f"The same constants, {PARTICLES // RANKS:,} particles each, and a network no better than this "
        f"machine's own. An exchange costs λ(R) = λ(2)·⌈log₂ R⌉ = {tree:.1f} ms where it goes along a tree "
        f"(NCCL, MPI), and λ(2)·(R − 1) = {ring:.0f} ms around a ring, which gloo uses.",
        "",
        *table(head, rows),
        "",
        "So tilt, rejection and no filter at all scale as far as there are particles; the others as far as "
        "an exchange is short beside a step, which one around a ring of a thousand processes is not. The "
        f"next bottleneck is process 0: a part has {part:,.0f} MB of positions in two columns in float32, "
        f"the whole cloud {whole:,.0f} GB, which process 0 gathers for a checkpoint and for samples.npz, and "
        f"writes in {8 * PARTICLES / DISK:,.0f} s at 1 GB/s. A checkpoint therefore waits until the last one "
        "has cost less than a twentieth of the time since.",
    ]


def _bytes(r: Row) -> float:
    """The bytes of a step of PARTICLES, from those of two numbers of particles (a line)."""
    rise = (r["larger_bytes"] - r["bytes"]) / (r["larger_particles"] - r["particles"])
    return float(r["bytes"] + max(rise, 0.0) * (PARTICLES - r["particles"]))


def _draws(by: Mapping[str, Row]) -> list[str]:
    slices, once = by["draw, in slices"], by["draw, at once"]
    return [
        "### A draw in slices",
        "",
        f"`lem-safe sample` draws {slices['rows']:,} rows of two columns under the tilt in "
        f"{slices['extra_mib']:,} MiB beyond what the program has anyway, {once['extra_mib']:,} MiB if they "
        "are sampled at once; of more rows the first number stays.",
    ]


def rewritten(text: str) -> tuple[str, int]:
    """The page with the section as results.json has it, and in how many places it stands."""
    rows = json.loads(RESULTS.read_text(encoding="utf-8"))["benchmarks"]["processes"]["rows"]
    return BETWEEN.subn(lambda m: m[1] + "\n".join(section(rows)) + "\n" + m[2], text)


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"))[0], encoding="utf-8")
