"""Pictures of the gallery: a few panels side by side, small files under docs/pictures/gallery."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from PIL import Image

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "gallery"
OUTSIDE, INSIDE, REGION = "#2f5d8a", "#c8321f", "#e8b4a0"
"""The colours of a sample outside and inside a region, and of the region."""
MOST = 150_000
"""Bytes of a picture."""

Panel = tuple[str, Callable[[Axes], None]]


def draw(name: str, panels: Sequence[Panel], *, width: float = 4.2, height: float = 3.6) -> Path:
    """One row of panels with their titles, as NAME.png; SystemExit where the file is too large."""
    plt.switch_backend("Agg")
    figure, axes = plt.subplots(1, len(panels), figsize=(width * len(panels), height), squeeze=False)
    for axis, (title, paint) in zip(axes[0], panels, strict=True):
        paint(axis)
        axis.set_title(title, fontsize=11)
        axis.tick_params(labelsize=8)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    figure.tight_layout()
    found = io.BytesIO()
    figure.savefig(found, dpi=110)
    plt.close(figure)
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.png"
    Image.open(found).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)
    if path.stat().st_size > MOST:
        raise SystemExit(f"{path}: {path.stat().st_size:,} bytes, more than {MOST:,}; draw less")
    return path


def scatter(
    axis: Axes, x: Float[np.ndarray, "n 2"], inside: Bool[np.ndarray, "n"], most: int = 2500, size: float = 3
) -> None:
    """Samples as points, those inside a region in red above the others."""
    x, inside = x[:most], inside[:most]
    for chosen, colour in ((~inside, OUTSIDE), (inside, INSIDE)):
        axis.scatter(*x[chosen].T, s=size, color=colour, linewidths=0, alpha=0.8)


def paths(axis: Axes, x: Float[np.ndarray, "n t 2"], inside: Bool[np.ndarray, "n"], most: int = 120) -> None:
    """Paths as lines, those that meet a region in red above the others."""
    x, inside = x[:most], inside[:most]
    for chosen, colour in ((~inside, OUTSIDE), (inside, INSIDE)):
        for path in x[chosen]:
            axis.plot(*path.T, color=colour, linewidth=0.7, alpha=0.7)
