"""Occupancy maps from files: every picture format alike, each key of ROS map_server files, refusals."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scenario_texts import GOOD

from barriers.sets import Occupancy
from barriers.sets.grid_map import RosMap
from lem_safe import cli
from lem_safe.errors import BadInput
from lem_safe.registry import loads

ROWS = ["..#.", "....", "#..?"]
"""A map of 3 rows and 4 columns, '?' unknown."""
VALUES = {"#": 0, ".": 254, "?": 205}
KEYS: dict[str, Any] = {
    "image": "map.pgm",
    "resolution": 0.5,
    "origin": [-1.0, 2.0, 0.0],
    "negate": 0,
    "occupied_thresh": 0.65,
    "free_thresh": 0.196,
}


def write(folder: Path, pixels: np.ndarray | None = None, **keys: Any) -> Path:
    """map.yaml beside map.pgm; a key of None is left out."""
    grey = np.array([[VALUES[c] for c in row] for row in ROWS]) if pixels is None else pixels
    rows, across = grey.shape
    (folder / "map.pgm").write_bytes(
        f"P5\n# a comment\n{across} {rows}\n255\n".encode() + grey.astype(np.uint8).tobytes()
    )
    said = {key: value for key, value in {**KEYS, **keys}.items() if value is not None}
    (folder / "map.yaml").write_text(json.dumps(said))
    return folder / "map.yaml"


def cells(unsafe: Occupancy, rows: int = 3, across: int = 4) -> list[str]:
    """What is unsafe at the centres of the cells of a map of KEYS, from the top row down."""
    i, j = torch.meshgrid(torch.arange(across), torch.arange(rows), indexing="xy")
    x = torch.stack([-1 + (i + 0.5) * 0.5, 2 + (rows - 1 - j + 0.5) * 0.5], -1).double()
    return ["".join("#" if inside else "." for inside in row) for row in unsafe.contains(x).tolist()]


def test_a_ros_map_is_at_its_own_place_and_its_unknown_cells_are_as_told(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert cells(Occupancy(path)) == ["..#.", "....", "#..#"], "unknown cells are occupied unless it is said"
    assert cells(Occupancy(path, unknown="free")) == ["..#.", "....", "#..."]


@pytest.mark.parametrize(
    ("pixels", "keys", "expected"),
    [
        ([[0, 255], [255, 255]], {"negate": 1}, [".#", "##"]),
        ([[90, 89], [205, 206]], {}, ["##", "#."]),
        ([[90, 88], [206, 206]], {"unknown": "free"}, [".#", ".."]),
        ([[0, 100], [64, 255]], {"mode": "raw"}, [".#", "##"]),
        ([[0, 100], [64, 255]], {"mode": "raw", "unknown": "free"}, [".#", ".."]),
        ([[0, 66], [20, 19]], {"mode": "raw"}, [".#", "#."]),
        ([[0, 254], [254, 254]], {"mode": "scale"}, ["#.", ".."]),
    ],
)
def test_every_key_of_a_ros_map_counts(
    tmp_path: Path, pixels: list[list[int]], keys: dict[str, Any], expected: list[str]
) -> None:
    unknown = keys.pop("unknown", None)
    assert cells(Occupancy(write(tmp_path, np.array(pixels), **keys), unknown=unknown), 2, 2) == expected


def test_planted_fault_a_map_upside_down_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = RosMap.occupied
    monkeypatch.setattr(RosMap, "occupied", lambda self, unknown: honest(self, unknown).flip(0))
    assert cells(Occupancy(write(tmp_path))) != ["..#.", "....", "#..#"]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("suffix", ["png", "pgm", "tiff", "bmp", "gif"])
def test_every_picture_says_the_same(tmp_path: Path, mode: str, suffix: str) -> None:
    dark = np.array([[c == "#" for c in row] for row in ROWS])
    grey = Image.fromarray(np.where(dark, 20, 230).astype(np.uint8))
    if mode == "I;16":
        grey = Image.fromarray(np.where(dark, 5000, 60000).astype(np.uint16))
    path = tmp_path / f"map.{suffix}"
    kept = {
        "png": mode,
        "tiff": mode,
        "pgm": mode if mode in ("1", "L", "I;16") else "RGB",
        "bmp": "L",
        "gif": "L",
    }[suffix]
    (
        grey
        if kept == "I;16" or mode == "I;16" and suffix in ("png", "tiff", "pgm")
        else grey.convert("L").convert(kept)
    ).save(path)
    if mode == "I;16" and suffix in ("bmp", "gif"):
        Image.fromarray(np.where(dark, 20, 230).astype(np.uint8)).save(path)
    assert cells(Occupancy(path, [-1.0, 2.0], [1.0, 3.5])) == ["..#.", "....", "#..."]


def test_beyond_the_edge_is_as_told(tmp_path: Path) -> None:
    far = torch.tensor([[-9.0, 2.5], [0.0, 9.0], [1e300, 0.0], [0.2, 2.7]], dtype=torch.float64)
    assert Occupancy(write(tmp_path)).contains(far).tolist() == [False, False, False, False]
    walled = Occupancy(write(tmp_path), off_map="occupied")
    assert walled.contains(far).tolist() == [True, True, True, False]
    assert (walled(far) <= 0).tolist() == [True, True, True, False]
    assert cells(walled) == ["..#.", "....", "#..#"]
    assert float(walled(far[:1]) - walled(far[:1] - torch.tensor([3.0, 0.0]))) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"image": None}, "image must be the picture's file name; it is missing"),
        ({"image": "no.pgm"}, "no such file"),
        ({"image": "."}, "is a directory"),
        ({"image": "map.yaml"}, "is none of them"),
        ({"resolution": 0}, "resolution must be the size of a cell, a number above 0; got 0"),
        ({"resolution": "fine"}, "resolution must be"),
        ({"origin": [0, 0, 0.3]}, "origin must have yaw 0"),
        ({"origin": [0]}, r"origin must be \[x, y, yaw\]"),
        ({"origin": [0, "a", 0]}, r"origin must be \[x, y, yaw\]"),
        ({"negate": 2}, "negate must be 0 or 1; got 2"),
        ({"mode": "heat"}, "mode must be trinary, scale or raw; got 'heat'"),
        ({"occupied_thresh": None}, "occupied_thresh must be .* it is missing"),
        ({"free_thresh": 0.9}, "free_thresh must be at most occupied_thresh, 0.65; got 0.9"),
    ],
)
def test_a_map_that_cannot_be_is_refused_by_its_key(tmp_path: Path, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Occupancy(write(tmp_path, **keys))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"lower": [0.0, 0.0], "upper": [1.0, 1.0]}, "leave out lower, upper and threshold"),
        ({"threshold": 0.4}, "leave out lower, upper and threshold"),
    ],
)
def test_a_ros_map_has_corners_and_thresholds_of_its_own(
    tmp_path: Path, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        Occupancy(write(tmp_path), **given)
    with pytest.raises(ValueError, match="needs lower and upper"):
        Occupancy(tmp_path / "map.pgm")
    with pytest.raises(ValueError, match="unknown is for a map_server YAML file"):
        Occupancy(tmp_path / "map.pgm", [0.0, 0.0], [1.0, 1.0], unknown="free")


def test_a_scenario_finds_its_map_and_sees_when_the_picture_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    before = GOOD.index("unsafe:"), GOOD.index("constraints:")
    text = GOOD[: before[0]] + "unsafe: {both: {kind: occupancy, map: map.yaml}}\n" + GOOD[before[1] :]
    first = loads(text).fingerprint()
    assert first == loads(text).fingerprint()
    write(tmp_path, np.array([[0, 254], [254, 254]]))
    assert loads(text).fingerprint() != first
    (tmp_path / "map.pgm").unlink()
    with pytest.raises(BadInput, match="no such file"):
        loads(text)
    (tmp_path / "s.yaml").write_text(text)
    assert cli.main(["validate", "s.yaml"]) == 2
