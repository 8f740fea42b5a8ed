"""`lem-safe cache`: where trained energies are, how large they are, and that clearing deletes them alone."""

import json
from pathlib import Path

import pytest

from lem_safe import cli
from lem_safe.training.cache import cached


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with two energies, one of them unfinished, and what somebody else has put there."""
    place = tmp_path / "cache"
    for name, files in (("a" * 32, ["energy.safetensors"]), ("b" * 32, ["training.safetensors"])):
        for file in files:
            (place / name).mkdir(parents=True)
            (place / name / file).write_bytes(b"x" * 1000)
    (place / "notes.txt").write_text("mine")
    (place / ("c" * 32)).mkdir()
    (place / ("c" * 32) / "thesis.tex").write_text("mine")
    (place / "photos").mkdir()
    (place / "photos" / "energy.safetensors").write_text("mine")
    monkeypatch.setenv("LEM_SAFE_CACHE", str(place))
    return place


def told(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, object]:
    assert cli.main(["cache", "--json", *options]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_it_is_counted_and_cleared_and_nothing_else_is_touched(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = {"directory": str(place), "energies": 2, "bytes": 2000, "unfinished": 1, "cleared": False}
    assert told(capsys) == expected
    assert told(capsys, "--clear") == expected | {"cleared": True}
    assert cached(place) == [] and told(capsys)["bytes"] == 0
    left = sorted(str(p.relative_to(place)) for p in place.rglob("*") if p.is_file())
    assert left == [f"{'c' * 32}/thesis.tex", "notes.txt", "photos/energy.safetensors"]


def test_it_says_in_words_where_it_is_and_how_to_clear_it(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["cache"]) == 0
    said = capsys.readouterr().out
    assert str(place) in said and "2 trained energies, 0.0 MB (1 with an unfinished training)" in said
    assert "--clear" in said and "LEM_SAFE_CACHE" in said


def test_a_cache_that_is_not_there_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEM_SAFE_CACHE", str(tmp_path / "none"))
    assert told(capsys, "--clear")["energies"] == 0 and not (tmp_path / "none").exists()
