"""Occupancy grids of the plane: which cells are occupied, from rows of text, an image, or a ROS map.

A ROS `map_server` map is a YAML file with an image. Each pixel is a cell of `resolution` metres; the point
`origin` [x, y, yaw] is the lower left corner of the lower left pixel. With v from 0 (black) to 1:

    p = v if negate else 1 − v,   occupied where p > occupied_thresh, free where p < free_thresh, else unknown

`mode: raw` takes the value 0 to 100 itself as the percentage p, and everything above 100 as unknown.
"""

from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float64

from barriers.arrays import Tensor, torch
from barriers.regular_files import must_be_regular

YAML_SUFFIXES = (".yaml", ".yml")
PICTURES = ("PNG", "PPM", "BMP", "TIFF", "GIF")
"""Lossless formats, by the names of Pillow (PPM is PGM and PBM too): a JPEG's walls have halos."""
MOST_CELLS = 100_000_000
MOST_BYTES = 1_000_000
"""Of a map_server YAML file, which has a dozen lines."""

State = Literal["free", "occupied"]


@dataclass(frozen=True)
class RosMap:
    """One map_server file. image: the image's path. origin: the lower left corner [x, y], in metres."""

    image: Path
    resolution: float
    origin: tuple[float, float]
    negate: bool
    occupied_thresh: float
    free_thresh: float
    raw: bool

    def occupied(self, unknown: State) -> Bool[Tensor, "rows across"]:
        """The cells from the top row down, with unknown ones as given by `unknown`."""
        value = torch.as_tensor(_raw(self.image) if self.raw else _grey(self.image))
        p = value / 100 if self.raw else value if self.negate else 1 - value
        if unknown == "free":
            return (p > self.occupied_thresh) & ((p <= 1) | (not self.raw))
        return ~(p < self.free_thresh)

    def upper(self, rows: int, across: int) -> list[float]:
        """The upper right corner of a grid of this size."""
        return [self.origin[0] + across * self.resolution, self.origin[1] + rows * self.resolution]


def drawn(rows: list[str]) -> Bool[Tensor, "rows across"]:
    """The cells of a map written as text, '#' occupied and '.' free; ValueError for anything else."""
    if not rows or not rows[0] or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError("Occupancy: map must be rows of text, all equally long and not empty")
    strange = next((c for row in rows for c in row if c not in "#."), None)
    if strange is not None:
        raise ValueError(f"Occupancy: map may only hold '#' (unsafe) and '.' (free); got {strange!r}")
    return torch.tensor([[c == "#" for c in row] for row in rows])


def picture(path: Path, threshold: float) -> Bool[Tensor, "rows across"]:
    """The cells of an image whose pixels are darker than `threshold` (0 black, 1 white)."""
    return torch.as_tensor(_grey(path)) < threshold


def ros_map(path: Path) -> RosMap:
    """The content of a map_server YAML file; ValueError names the file, the key and the rule."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        must_be_regular(path, MOST_BYTES)
        found = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        why = str(error).splitlines()[0]
        raise ValueError(f"Occupancy: map must be a readable map_server YAML file; {path}: {why}") from error
    if not isinstance(found, dict):
        raise ValueError(f"Occupancy: {path} must hold keys such as image, resolution and origin")

    def refused(key: str, rule: str) -> ValueError:
        got = f"got {found[key]!r}" if key in found else "it is missing"
        return ValueError(f"Occupancy: {path}: {key} {rule}; {got}")

    def number(key: str, low: float, high: float, rule: str) -> float:
        value = found.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low < value <= high:
            raise refused(key, rule)
        return float(value)

    image = found.get("image")
    if not isinstance(image, str) or not image:
        raise refused("image", "must be the picture's file name")
    resolution = number("resolution", 0.0, 1e6, "must be the size of a cell, a number above 0")
    occupied = number("occupied_thresh", 0.0, 1.0, "must be a number above 0 and at most 1")
    free = number("free_thresh", 0.0, 1.0, "must be a number above 0 and at most 1")
    if free > occupied:
        raise refused("free_thresh", f"must be at most occupied_thresh, {occupied:g}")
    negate = found.get("negate", 0)
    if negate not in (0, 1, False, True):
        raise refused("negate", "must be 0 or 1")
    mode = found.get("mode", "trinary")
    if mode not in ("trinary", "scale", "raw"):
        raise refused("mode", "must be trinary, scale or raw")
    return RosMap(
        path.parent / image, resolution, _origin(found, refused), bool(negate), occupied, free, mode == "raw"
    )


def companions(path: Path) -> list[Path]:
    """The files that a map's file refers to; they are part of the map's fingerprint."""
    try:
        return [ros_map(path).image] if path.suffix.lower() in YAML_SUFFIXES else []
    except ValueError:
        return []


def _origin(found: dict[str, Any], refused: Any) -> tuple[float, float]:
    origin: Any = found.get("origin")
    if not isinstance(origin, list) or len(origin) not in (2, 3) or not all(map(_finite, origin)):
        raise refused("origin", "must be [x, y, yaw], finite numbers")
    if len(origin) == 3 and origin[2] != 0:
        raise refused("origin", "must have yaw 0: turn the picture, or the coordinates, instead")
    return float(origin[0]), float(origin[1])


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _opened(path: Path) -> np.ndarray:
    """An image's pixels from 0 to 1, [rows, across] or [rows, across, channels]."""
    from PIL import Image, UnidentifiedImageError

    try:
        must_be_regular(path)
        with Image.open(path, formats=PICTURES) as image:
            if image.width * image.height > MOST_CELLS:
                raise OSError(f"{image.width} x {image.height} pixels are more than {MOST_CELLS}")
            plain = image.convert("RGBA") if image.mode in ("P", "PA") else image
            return np.asarray(plain).astype(np.float64) / _white(plain.mode)
    except UnidentifiedImageError as error:
        raise ValueError(
            "Occupancy: map must be a PNG, PGM, PBM, BMP, TIFF or GIF picture, or a map_server YAML file; "
            f"{path} is none of them"
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"Occupancy: map must be a readable picture; {path}: {error}") from error


def _white(mode: str) -> float:
    """The value of white in one of Pillow's modes."""
    return {"1": 1.0, "F": 1.0}.get(mode, 65535.0 if mode.startswith("I") else 255.0)


def _grey(path: Path) -> Float64[np.ndarray, "rows across"]:
    """Brightness from 0 to 1, the mean of the colours, on white where an image is transparent."""
    pixels = _opened(path)
    if pixels.ndim == 2:
        return pixels
    colours, opacity = pixels, np.ones(1)
    if pixels.shape[2] in (2, 4):
        colours, opacity = pixels[..., :-1], pixels[..., -1:]
    return (colours * opacity + 1 - opacity).mean(-1)


def _raw(path: Path) -> Float64[np.ndarray, "rows across"]:
    """The pixels' values, from 0 to 255."""
    pixels = _opened(path)
    if pixels.ndim != 2:
        raise ValueError(f"Occupancy: a map of mode raw needs a picture in grey; {path} has colours")
    return np.round(pixels * 255)
