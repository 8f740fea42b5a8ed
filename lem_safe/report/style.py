"""The style of plots: ink, paper and grid take the page's colours, light or dark; the data's colours are the
same in both.

A plot is drawn once. In its SVG the four neutral colours are replaced by CSS variables of the page; the
series' colours have enough contrast on white and on near-black, and are distinct for colour-blind readers:
blue, orange (dashed as an outline), grey (filled), and a magenta for what is unsafe, which is always also an
outline, a cross or a dashed line.
"""

import io
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from lem_safe.lettering import lettered

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID, PAPER = "#1c2127", "#69717b", "#dde2e7", "#fefefd"
FILTERED, UNFILTERED, DATA, UNSAFE = "#3a80c1", "#d0701f", "#8a929b", "#c9336c"
SERIES = {"data": DATA, "unfiltered": UNFILTERED, "filtered": FILTERED, "samples": FILTERED, "rows": FILTERED}

VARIABLES = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--grid)", PAPER: "var(--paper)"}

Draw = Callable[["Axes"], "Axes"]


SETTINGS: Any = {
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "hatch.linewidth": 0.5,
    "lines.linewidth": 1.4,
    "svg.hashsalt": "lem-safe",
    "axes.formatter.useoffset": False,
    "text.parse_math": False,
    "text.usetex": False,
}
"""How matplotlib draws here."""


@contextmanager
def style() -> Iterator[None]:
    """The context in which figures are made and saved: no text is mathematics, and a letter that the font
    lacks is drawn as a box, without a warning.
    """
    import matplotlib

    with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
        for known in (r"Glyph .* missing from", "constrained_layout not applied"):  # drawn all the same
            warnings.filterwarnings("ignore", message=known, category=UserWarning)
        yield


def svg(draw: Draw, width: float = 4.4, height: float = 3.3, prefix: str = "") -> str:
    """One plot as an inline SVG element that fills its container; `prefix` begins its ids, so that several
    can share a page.
    """
    with style():
        return _svg(_figure(draw, width, height), prefix)


def pictures(
    draws: Sequence[Draw],
    path: Path,
    prefix: str = "",
    columns: int = 3,
    width: float = 4.4,
    height: float = 3.3,
) -> list[str]:
    """Each plot as an inline SVG element whose ids begin with `prefix` and its number, and all of them side
    by side as a PNG file. Each is laid out once for both, which takes longer than to save it.
    """
    from matplotlib.image import imsave

    with style():
        figures = [_figure(draw, width, height) for draw in draws]
        imsave(
            path, _tiled([_pixels(figure) for figure in figures], columns), metadata={"Software": "lem-safe"}
        )
        return [_svg(figure, f"{prefix}{i}-") for i, figure in enumerate(figures)]


def prefixed(picture: str, prefix: str) -> str:
    """The same SVG with every id, and every reference to one, prefixed by `prefix`."""
    for mark in (' id="', 'href="#', "url(#"):
        picture = picture.replace(mark, mark + prefix)
    return picture


def percent_axis(axis: Any) -> None:
    """Labels of an axis of fractions, as percentages."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))


def legend(axes: "Axes") -> None:
    """The legend above the axes, where it covers nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            handles,
            labels,
            loc="lower right",
            bbox_to_anchor=(1, 1),
            ncols=len(labels),
            borderaxespad=0.1,
            handlelength=1.2,
            columnspacing=1.0,
            handletextpad=0.4,
        )


def _figure(draw: Draw, width: float, height: float) -> "Figure":
    """The plot, laid out once: saving a figure that has a layout engine lays it out again each time."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=150)
    FigureCanvasAgg(figure)
    lettered(draw(figure.add_subplot()))
    engine = figure.get_layout_engine()
    assert engine is not None, "it has just been given one"
    engine.execute(figure)
    figure.set_layout_engine("none")
    return figure


def _pixels(figure: "Figure") -> UInt8[np.ndarray, "h w 4"]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())


def _tiled(tiles: Sequence[UInt8[np.ndarray, "h w 4"]], columns: int) -> UInt8[np.ndarray, "H W 4"]:
    """Pictures of one size in rows of `columns`; what is left of the last row has the colour of a corner."""
    columns = min(columns, len(tiles))
    blank = np.broadcast_to(tiles[0][:1, :1], tiles[0].shape)
    filled = [*tiles, *[blank] * (-len(tiles) % columns)]
    rows = [np.concatenate(filled[i : i + columns], 1) for i in range(0, len(filled), columns)]
    return np.concatenate(rows)


def _svg(figure: "Figure", prefix: str) -> str:
    """The figure as an SVG element, on the page's own paper."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    out = io.StringIO()
    for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
        patch.set_alpha(0.0)
    FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, variable)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r'\1 width="100%"', text, count=1)
    return prefixed(re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1), prefix)
