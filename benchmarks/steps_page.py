"""The section of docs/measurements.md on what a step costs."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.markdown import table

Rows = Sequence[Mapping[str, Any]]
KINDS = ("drift", "step", "gate", "tilt")


def section(rows: Rows) -> list[str]:
    """Ratios to the step without a filter, the parts of a step, peers beside ours, memory; then the notes."""
    parts = {name: [r for r in rows if r["part"] == name] for name in dict.fromkeys(r["part"] for r in rows)}
    return [
        "Processor time of one step of Langevin on an MLP 2-128-128-128-1 with SiLU, float32, one thread, "
        "turn about, of each the least (with filters, of the same steps in four takes, and of these the "
        "mean, as some steps are more work); one ball (or sixteen), at most 1 % of the particles in each.",
        *_filters([*parts.get("filters", ()), *parts.get("images", ())]),
        *_where(parts.get("where", ())),
        *_peers(parts.get("peers", ())),
        *_memory(parts.get("memory", ())),
        "",
        *NOTES,
    ]


NOTES = (
    "Predicted: the matrix products bound everything; next to nothing should come from a filter. Tried: "
    "`torch.compile` of the network's sweep (2 to 4 % faster than the same operators, and 1.4 to "
    "1.6 times slower than with oneDNN's products, for seconds of compiling: thrown away); products by "
    "oneDNN where MKL has only kernels of older processors (kept: half the time, and a network's step 1.3 to "
    "1.8 times faster); buffers written to by `out=` (3 %: thrown away); "
    "a network swept in parts of 2^17 numbers (kept: the memory of small arrays "
    "is taken from the heap again, that of large ones is returned to the system and cleared each time); "
    "products with few columns computed transposed (kept); squared norms of few columns unrolled (kept); the "
    "drift filter's search over the particles near a boundary alone (kept), of several constraints over "
    "the near pairs of a particle and a set (kept: 16 constraints cost an eighth), from the last step's "
    "multipliers (thrown away: they differ more from the next ones than 0 does); one constraint on one small "
    "cloud solved in numbers rather than tensors (kept: a third of the calls); the gradient of a chance only "
    "where it is asked for, the cloud counted once for the record and for the filter, the first multiplier "
    "in numpy by steps of the third order (kept: a seventh of what `drift` adds at 256); mean energies and "
    "gradient norms only where they are asked for (kept: a twentieth of a step of 256), energies only by "
    "samplers that need them (kept: another); the searches of `drift`, the images of `step`, admission and "
    "membership in a ball in numpy, coordinate by coordinate (kept: a third of what `drift` adds at 256, "
    "nearly half of it at 10,000); of several sets those that are nearly full in the search from "
    "the start, near pairs kept from one trial to the next (kept: a quarter with sixteen balls); what a "
    "filter found of a proposal not counted again, centres of balls put together once, only pairs looked at "
    "whose chance says that they can be pushed (kept: a sixth of what `step` adds at 256, a third of what "
    "`gate` and `tilt` add at 10,000, a quarter with sixteen balls); images read where they are (kept: a "
    "third of what `drift` adds to them); memory that is freed kept by the process (kept: page faults in a "
    "step, up to 19,000 with images, are gone); smaller parts of a sweep, so that a filter finds its code in "
    "the cache (thrown away: the sweep loses more). A filter's calls take two to six times as long after a "
    "sweep as in a loop, because the sweep fills the second cache: fewer calls are all that helps. What is "
    "left between "
    "a step of 256 and its products are activations, noise and calls of Python. What a filter costs there "
    "does not depend on the network, so that a faster network makes its share larger.",
)


def _filters(rows: Rows) -> list[str]:
    cases = dict.fromkeys(r["case"] for r in rows)
    by = {(r["case"], r["filter"]): r for r in rows}
    lines = [
        [
            case,
            f"{by[case, 'none']['ms']:.2f}",
            *(f"{by[case, kind]['ratio']:.2f}" if (case, kind) in by else "" for kind in KINDS),
        ]
        for case in cases
    ]
    head = ["particles", "no filter, ms", *KINDS]
    return ["", "With a filter over without, recorded and counted:", "", *table(head, lines)] if rows else []


def _where(rows: Rows) -> list[str]:
    if not rows:
        return []
    shares = ", ".join(f"{r['what']} {100 * r['share']:.1f} %" for r in rows)
    return ["", f"Where a step of 10,000 particles under `gate` goes, each part by itself: {shares}."]


def _peers(rows: Rows) -> list[str]:
    if not rows:
        return []
    names = list(dict.fromkeys(r["peer"] for r in rows))
    by = {(r["case"], r["peer"]): r for r in rows}
    lines = [
        [
            case,
            f"{by[case, 'ours']['ms']:.2f}",
            *(
                f"{by[case, name]['ratio']:.2f}" if (case, name) in by else ""
                for name in names
                if name != "ours"
            ),
        ]
        for case in dict.fromkeys(r["case"] for r in rows)
    ]
    versions = ", ".join(
        f"{name} {by[lines[0][0], name]['version']}"
        for name in names
        if by.get((lines[0][0], name), {}).get("version")
    )
    missing = [name for name in ("torchebm", "ebmkit") if name not in names]
    return [
        "",
        "The unfiltered sampler beside others on the same network, and beside the six matrix products of a "
        "gradient alone, by torch's operators (*products*) and by the library that is faster here (*faster "
        "products*, `barriers.products`); over ours"
        + (f". {versions}" if versions else "")
        + (f". Not installed here, so not measured: {', '.join(missing)}" if missing else "")
        + ".",
        "",
        *table(["particles", "ours, ms", *(name for name in names if name != "ours")], lines),
    ]


def _memory(rows: Rows) -> list[str]:
    if not rows:
        return []
    peaks = ", ".join(f"{r['filter']} {r['mib']:,}" for r in rows)
    return ["", f"Peak of a process with 1,000,000 particles, imports included, in MiB: {peaks}."]
