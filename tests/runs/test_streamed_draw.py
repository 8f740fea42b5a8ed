"""A draw in slices is the draw of one large cloud."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from many_scenarios import scenario

from lem_safe.files import read_npz
from lem_safe.keys import BLOCK
from lem_safe.runs import streamed_draw
from lem_safe.runs.more_samples import draw_into
from lem_safe.runs.runner import run

N = 3 * BLOCK + 7
FILTERS = {
    "none": ("kind: none", "kind: langevin"),
    "tilt": ("kind: tilt, multipliers: [1.0, 0.5]", "kind: mala"),
    "reject": ("kind: reject", "kind: underdamped"),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def of(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp("runs") / name
            chosen, sampler = FILTERS.get(name, ("kind: gate", "kind: langevin"))
            run(scenario(chosen, sampler, samples=64, steps=5), out=made[name], with_report=False)
        return made[name]

    return of


@pytest.fixture
def sliced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed_draw, "NUMBERS", 2 * BLOCK)  # two columns: a block


@pytest.mark.parametrize(
    ("name", "suffix"), [("none", ".csv"), ("tilt", ".npz"), ("reject", ".parquet"), ("none", ".npy")]
)
def test_the_rows_are_those_of_one_cloud(
    name: str, suffix: str, runs: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, many = tmp_path / f"one{suffix}", tmp_path / f"many{suffix}"
    draw_into(one, runs(name), N, seed=5)
    monkeypatch.setattr(streamed_draw, "NUMBERS", 2 * BLOCK)
    drawn = draw_into(many, runs(name), N, seed=5)
    assert isinstance(drawn.x, np.memmap)
    assert one.read_bytes() == many.read_bytes() if suffix != ".parquet" else one.stat().st_size > 0
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        f"{n}{suffix}{s}" for n in ("one", "many") for s in ("", ".json")
    )


def test_an_interrupted_one_goes_on(runs: Callable[[str], Path], tmp_path: Path, sliced: None) -> None:
    whole, cut = tmp_path / "whole.npz", tmp_path / "cut.npz"
    draw_into(whole, runs("tilt"), N, seed=5)
    moments = iter(range(20))

    def stop(*_: object) -> bool:
        if next(moments) == 11:  # in the third of four slices
            raise KeyboardInterrupt
        return False

    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        inner = streamed_draw.RecordedChain.is_over
        patched.setattr(streamed_draw.RecordedChain, "is_over", lambda chain: stop() or inner(chain))
        draw_into(cut, runs("tilt"), N, seed=5)
    assert int(read_npz(Path(f"{cut}.part") / "checkpoint.npz")["slice"]) == 1
    draw_into(cut, runs("tilt"), N, resume=True)
    assert whole.read_bytes() == cut.read_bytes()


def test_what_depends_on_others_is_drawn_at_once(
    runs: Callable[[str], Path], tmp_path: Path, sliced: None
) -> None:
    drawn = draw_into(tmp_path / "gate.npz", runs("gate"), N, seed=5)
    assert not isinstance(drawn.x, np.memmap) and drawn.coupled
    assert not isinstance(draw_into(tmp_path / "pool.npz", runs("tilt"), 2 * N, seed=5, pool=2).x, np.memmap)


def test_planted_fault_slices_that_begin_with_the_first_block(
    runs: Callable[[str], Path], tmp_path: Path, sliced: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streamed_draw.PartKey, "of", classmethod(lambda cls, key, part: cls(key.value, 0)))
    x = draw_into(tmp_path / "x.npz", runs("none"), N, seed=5).x
    assert len(np.unique(x, axis=0)) < N
