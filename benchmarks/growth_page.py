"""The section of docs/measurements.md on growth, and its picture.

python -m benchmarks.growth_page        # draws docs/pictures/growth.png from results.json
"""

import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.growth import AXES, KINDS
from benchmarks.markdown import table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[Mapping[str, Any]]
HERE = Path(__file__).resolve().parent
PICTURE = HERE.parent / "docs" / "pictures" / "growth.png"
LAST = 3
"""An exponent is fitted to so many of the largest sizes."""
VARIED = {
    "n": "particles n",
    "d": "columns d",
    "m": "constraints m",
    "K": "mixture components K",
    "R": "clouds R",
}
COLORS = ("#69717b", "#c9336c", "#d0701f", "#3a80c1", "#2e8b6f", "#7a5cc0")
PANEL, DPI = (3.7, 3.1), 100


def exponent(sizes: Sequence[float], times: Sequence[float]) -> float:
    """e of time ∝ size^e, by least squares through the logarithms of the largest sizes."""
    return float(np.polyfit(np.log(sizes[-LAST:]), np.log(times[-LAST:]), 1)[0])


def curve(rows: Rows, time: str, **wanted: Any) -> tuple[list[float], list[float]]:
    """Sizes and times of the rows with these values."""
    found = sorted(
        (r["size"], r[time]) for r in rows if time in r and all(r.get(k) == v for k, v in wanted.items())
    )
    return [s for s, _ in found], [t for _, t in found]


def section(rows: Rows) -> list[str]:
    """Exponents and times by what is varied, the QP and the Laplacian beside their products, the shares."""
    return [
        "Processor time of one step as a run takes it, recorded and counted, of Langevin on an MLP "
        "d-128-128-128-1 (for K: on a Gaussian mixture), by what is varied alone; one ball unless m is "
        f"varied. The exponent e of time ∝ size^e is fitted to the {LAST} largest sizes.",
        "",
        "![Time of a step, of a QP and of a Laplacian against their sizes, with fitted exponents]"
        "(pictures/growth.png)",
        "",
        *table(
            ["varied", "from", "to", *(f"{kind}: ms (e)" for kind in KINDS)],
            [_axis(rows, axis) for axis in AXES if any(r["part"] == axis for r in rows)],
        ),
        "",
        *_solves([r for r in rows if r["part"] == "qp"]),
        *_laplacians([r for r in rows if r["part"] == "laplacian"]),
        *_shares([r for r in rows if r["part"] == "profile"], rows),
    ]


def _axis(rows: Rows, axis: str) -> list[str]:
    sizes, _ = curve(rows, "ms", part=axis, filter="none")
    cells = []
    for kind in KINDS:
        _, times = curve(rows, "ms", part=axis, filter=kind)
        cells.append(f"{times[0]:.2f} to {times[-1]:.4g} ({exponent(sizes, times):.2f})")
    return [VARIED[axis], f"{sizes[0]:,}", f"{sizes[-1]:,}", *cells]


def _solves(rows: Rows) -> list[str]:
    if not rows:
        return []
    lines = []
    for m in sorted({r["m"] for r in rows}):
        sizes, times = curve(rows, "constraints first", m=m)
        _, bare = curve(rows, "products", m=m)
        _, turned = curve(rows, "particles first", m=m)
        lines.append(
            [
                str(m),
                *(f"{t:.1f}" for t in (times[-2], times[-1])),
                f"{math.log(times[-1] / times[-2]) / math.log(sizes[-1] / sizes[-2]):.2f}",
                f"{bare[-1]:.1f}",
                f"{times[-1] / bare[-1]:.2f}",
                f"{turned[-1] / bare[-1]:.2f}",
            ]
        )
    return [
        "**The QP of the whole ensemble**: one solve, float64, beside its matrix products (A Aᵀ, A v, Aᵀμ) "
        "of all rows at once. *Particles first* are rows that lie particle by particle and are put in order, "
        "a piece at a time.",
        "",
        *table(
            [
                "constraints",
                "2e5 unknowns, ms",
                "2e6, ms",
                "exponent",
                "its products, ms",
                "ratio",
                "ratio, particles first",
            ],
            lines,
        ),
        "",
        *_by_constraints(rows),
        "Predicted: the products bound it; they took a fifth of it, the rest were copies to float64 and "
        "memory that the system cleared each time. Tried: products of rows as they lie, d × d blocks of "
        "which only the diagonal is used (as slow as putting them in order: thrown away); pieces of 2^14 to "
        "2^21 numbers (2^18 kept for those that are copied, 2^20 for the others: small ones cost calls, "
        "large ones the cache). Kept: the rows are read twice, once for A Aᵀ and A v, once for u and A u, "
        "which the reported residual is made of; "
        "statistics are stacked with the constraints first in memory. One row alone has products as cheap "
        "as the vectors beside it.",
        "",
    ]


def _by_constraints(rows: Rows) -> list[str]:
    """The exponents in m, of the largest problems."""
    size = max(r["size"] for r in rows)
    largest = {r["m"]: r for r in rows if r["size"] == size}
    if len(largest) < 2:
        return []
    few, many = sorted(largest)[-2:]
    before, after = largest[few], largest[many]
    own, bare = (
        math.log(after[k] / before[k]) / math.log(many / few) for k in ("constraints first", "products")
    )
    return [
        f"Linear in the unknowns; from {few} to {many} constraints the exponent in m is {own:.2f}, that of "
        f"the products {bare:.2f}: A Aᵀ alone is quadratic.",
        "",
    ]


def _laplacians(rows: Rows) -> list[str]:
    if not rows:
        return []
    lines = []
    for d in sorted({r["d"] for r in rows}):
        sizes, times = curve(rows, "laplacian", d=d)
        _, bare = curve(rows, "products", d=d)
        e = math.log(times[-1] / times[-2]) / math.log(sizes[-1] / sizes[-2])
        lines.append(
            [str(d), f"{times[-1]:,.0f}", f"{e:.2f}", f"{bare[-1]:,.0f}", f"{times[-1] / bare[-1]:.2f}"]
        )
    return [
        "**The Laplacian** of the MLP at 2e6 numbers n·d, beside the matrix products of its three sweeps:",
        "",
        *table(["columns", "ms", "exponent", "its products, ms", "ratio"], lines),
        "",
    ]


def _shares(rows: Rows, all_: Rows) -> list[str]:
    if not rows:
        return []
    by = {(r["size"], r["filter"]): r for r in rows}
    many, few = by[65_536, "drift"], by[256, "drift"]
    without, under = (curve(all_, "ms", part="m", filter=kind)[1][-1] for kind in ("none", "drift"))
    return [
        "**Where the time goes**, by torch's profiler, as shares of a step:",
        "",
        *table(
            ["particles and filter", "matrix products", "activations", "noise", "other operators", "Python"],
            [
                [
                    f"{r['size']:,}, {r['filter']}",
                    *(
                        f"{100 * r[k]:.0f} %"
                        for k in ("products", "activations", "noise", "others", "python")
                    ),
                ]
                for r in rows
            ],
        ),
        "",
        f"The next bottleneck with many particles is the network itself: {100 * many['products']:.0f} % of a "
        f"step under `drift` are its matrix products and {100 * many['activations']:.0f} % its activations; "
        "only a smaller network, lower precision or a processor with more arithmetic makes it faster. With "
        "few particles it is the number of operations, not their size: at 256, Python and its calls take "
        f"{100 * few['python']:.0f} % and operators that are no products {100 * few['others']:.0f} %; clouds "
        "side by side share them. With many constraints only the pairs of a particle and a set that are near "
        "are computed; what is left is the search for the multipliers over them, all constraints together: "
        f"with 64 of them {100 * (1 - without / under):.0f} % of a step under `drift` is the filter.",
    ]


def draw(rows: Rows, path: Path = PICTURE) -> None:
    """One panel for each axis, one for the QP, one for the Laplacian."""
    import matplotlib.pyplot as plt
    from PIL import Image

    plt.switch_backend("Agg")
    panels: list[tuple[str, Callable[[Axes], None]]] = [
        (name, lambda axes, axis=axis: _curves(axes, rows, axis)) for axis, name in VARIED.items()
    ]
    panels += [
        ("QP: unknowns n·d", lambda axes: _lines(axes, rows, "qp", "constraints first", "m")),
        ("Laplacian: numbers n·d", lambda axes: _lines(axes, rows, "laplacian", "laplacian", "d")),
    ]
    across = 4
    down = -(-len(panels) // across)
    figure, grid = plt.subplots(down, across, figsize=(PANEL[0] * across, PANEL[1] * down))
    for axes in grid.flat:
        axes.set_visible(False)
    for axes, (name, paint) in zip(grid.flat, panels, strict=False):
        axes.set_visible(True)
        paint(axes)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel(name, fontsize=9)
        axes.set_ylabel("ms", fontsize=9)
        axes.tick_params(labelsize=8)
        axes.grid(True, which="major", color="#dde2e7", linewidth=0.6)
        axes.legend(fontsize=7, frameon=False)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.tight_layout()
    found = io.BytesIO()
    figure.savefig(found, dpi=DPI)
    plt.close(figure)
    Image.open(found).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


def _curves(axes: "Axes", rows: Rows, axis: str) -> None:
    for kind, color in zip(KINDS, COLORS, strict=False):
        sizes, times = curve(rows, "ms", part=axis, filter=kind)
        if sizes:
            axes.plot(
                sizes, times, "o-", ms=3, lw=1.2, color=color, label=f"{kind}: {exponent(sizes, times):.2f}"
            )


def _lines(axes: "Axes", rows: Rows, part: str, time: str, by: str) -> None:
    for value, color in zip(sorted({r[by] for r in rows if r["part"] == part}), COLORS, strict=False):
        sizes, times = curve(rows, time, part=part, **{by: value})
        _, bare = curve(rows, "products", part=part, **{by: value})
        name = f"{by} = {value}: {exponent(sizes, times):.2f}"
        axes.plot(sizes, times, "o-", ms=3, lw=1.2, color=color, label=name)
        axes.plot(sizes, bare, ":", lw=1.0, color=color)
    axes.plot([], [], ":", lw=1.0, color=COLORS[0], label="its products")


def main() -> None:
    found = json.loads((HERE / "results.json").read_text(encoding="utf-8"))["benchmarks"]
    draw(found["growth"]["rows"])


if __name__ == "__main__":
    main()
