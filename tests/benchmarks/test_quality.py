"""The quality benchmark: modes are told apart, a ratio of fresh data is 1, weights and shape are told apart,
and the page is its rows.
"""

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("benchmarks")
from benchmarks import modes, quality, quality_page
from lem_safe.keys import Key

pytestmark = pytest.mark.simulation
ROOT = Path(__file__).parents[2]


def draw(name: str, n: int, seed: int = 0) -> np.ndarray:
    return quality.DISTRIBUTIONS[name]().draw(torch.Generator().manual_seed(seed), n).numpy()


@pytest.mark.parametrize(
    ("name", "count"),
    [("eight_gaussians", 8), ("two_moons", 2), ("rings", 3), ("checkerboard", 8), ("pinwheel", 5)],
)
def test_modes_have_equal_shares(name, count):
    """Every mode of the built-in distributions has the same mass: shares within 4 standard errors, and a
    hundredth for overlap.
    """
    n = 20_000
    shares = np.bincount(modes.MODES[name](draw(name, n)), minlength=count) / n
    assert len(shares) == count
    assert np.abs(shares - 1 / count).max() < 4 * math.sqrt((1 - 1 / count) / count / n) + 0.01


def test_labels_follow_the_symmetry():
    """A point turned from one Gaussian to the next, or mirrored from one moon to the other, changes its
    label; noise of its size does not.
    """
    x = draw("eight_gaussians", 500)
    turn = np.array([[math.sqrt(0.5), -math.sqrt(0.5)], [math.sqrt(0.5), math.sqrt(0.5)]])
    assert ((modes.eight_gaussians(x @ turn.T) - modes.eight_gaussians(x)) % 8 == 1).all()
    moons = draw("two_moons", 500)
    assert (modes.two_moons(-moons) == 1 - modes.two_moons(moons)).all()


def test_reweighting_restores_shares_and_keeps_points():
    x, like = draw("rings", 3000), draw("rings", 2000, 1)
    lopsided = x[(modes.rings(x) != 2) | (np.arange(3000) % 4 == 0)]
    found = modes.reweighted(lopsided, like, modes.rings)
    assert len(found) == len(like)
    assert (
        modes.share_error(found, like, modes.rings)
        < 1e-3
        < 0.1
        < modes.share_error(lopsided, like, modes.rings)
    )
    assert set(map(tuple, found)) <= set(map(tuple, lopsided))


@pytest.fixture(scope="module")
def judge() -> quality.Judge:
    return quality.Judge("rings", 2000, 4)


def test_fresh_data_is_at_the_floor(judge):
    ratios = [judge.ratio(draw("rings", 2000, seed)) for seed in range(100, 108)]
    assert 0.8 < np.mean(ratios) < 1.25


def test_wrong_weights_are_told_from_wrong_shapes(judge):
    """A cloud with too little of one ring has a high ratio and a shape near it; a cloud grown by 15 % has
    both high.
    """
    x = draw("rings", 8000, 50)
    lopsided = x[(modes.rings(x) != 2) | (np.arange(8000) % 3 == 0)][:2000]
    assert judge.ratio(lopsided) > 3
    assert judge.shape_ratio(lopsided) < 1.5
    assert judge.ratio(1.15 * x[:2000]) > 3 and judge.shape_ratio(1.15 * x[:2000]) > 3
    assert math.isnan(judge.ratio(np.full((2000, 2), np.nan)))


def test_langevin_samples_its_energy():
    """The chain of the benchmark on U = ‖z‖²/2: variance 1/(1 − h/2)."""
    from lem_safe.energies import Gaussian

    z = quality.langevin(
        Gaussian([0.0, 0.0], 1.0), Key(0).normal(torch.empty(20_000, 2, dtype=torch.float64)), 50, Key(1)
    )
    assert abs(float(z.var()) - 1) < 4 * math.sqrt(2 / 40_000)


def test_draws_of_an_energy_are_its_own():
    """N(m, s²) by the grid: mean and variance within four standard errors."""
    from lem_safe.energies import Gaussian

    n, std = 40_000, 0.7
    rows = torch.tensor([[-3.0, -2.0], [5.0, 6.0]], dtype=torch.float64)
    x = quality.draws_of(Gaussian([1.0, 2.0], std), rows, n)
    assert np.abs(x.mean(0) - [1.0, 2.0]).max() < 4 * std / math.sqrt(n)
    assert np.abs(x.var(0) - std**2).max() < 4 * std**2 * math.sqrt(2 / n)


def test_the_quick_path_says_what_is_missing(monkeypatch):
    """Every number of the table is there, and a peer that is absent, fails, or diverges is a row that says
    exactly that.
    """

    def absent(task):
        raise ImportError("no module")

    def failing(task):
        raise RuntimeError("their fault")

    def diverging(task):
        return quality.PEERS["honest"](task)._replace(x=task.start * math.inf)

    from benchmarks.peers import Made

    peers = {
        "torchebm": absent,
        "ebmkit": failing,
        "other": diverging,
        "honest": lambda task: Made(task.start, "1.0", 5),
    }
    monkeypatch.setattr(quality, "PEERS", peers)
    few = partial(quality.DISTRIBUTIONS["two_moons"], samples=400)
    monkeypatch.setitem(quality.DISTRIBUTIONS, "two_moons", few)
    rows = {row["name"]: row for row in quality.measure(["two_moons"], quick=True)}
    own = rows["two_moons: lem-safe"]
    assert own["floor"] > 0 and all(
        math.isfinite(own[key]) for key in ("ratio", "from_noise", "shape_ratio", "share_error", "seconds")
    )
    assert math.isfinite(rows["two_moons: on a mixture"]["ratio"]) and "mixture_base" in str(
        rows["two_moons: on a mixture"]["recipe"]
    )
    for who, loss in ((quality.DEFAULT, "calibrated"), (quality.FORMER, "denoising")):
        assert rows[f"two_moons: {who}"]["law_ratio"] > 1 and loss in str(rows[f"two_moons: {who}"]["recipe"])
    assert rows["two_moons: torchebm"]["error"] == "not installed"
    assert rows["two_moons: ebmkit"]["error"] == "failed: RuntimeError: their fault"
    assert rows["two_moons: other"]["error"] == "200 of 200 samples are not finite"
    assert 0.4 < rows["two_moons: honest"]["ratio"] < 2  # rows of the data themselves


def test_the_recipe_is_what_a_scenario_would_say():
    """The page's YAML, read back, makes the very settings that are measured."""
    from ruamel.yaml import YAML

    from lem_safe.registry import make

    read = YAML(typ="safe").load("\n".join(quality.recipe()[1:-1]))
    made = make("energies", {"kind": "trained", "data": {"kind": "rings"}, **read})
    assert (made.network, made.loss, made.training) == (quality.NETWORK, quality.LOSS, quality.TRAINING)


def row(name: str, **numbers: Any) -> dict[str, Any]:
    return {
        "name": name,
        "error": "",
        "floor": 0.03,
        "seconds": 50.0,
        "share_error": 0.01,
        "from_noise": 1.2,
        "stranded": 0.003,
        "recipe": ["loss: {kind: as_measured}"],
        **numbers,
    }


def test_the_page_says_which_part_is_off(tmp_path):
    rows = [
        row("rings: lem-safe", ratio=2.2, shape_ratio=1.1, from_noise=4.0),
        row("rings: torchebm", ratio=5.0, shape_ratio=3.0),
        row("rings: on a mixture", ratio=1.9, shape_ratio=1.8),
        {"name": "rings: ebmkit", "error": "not installed"},
        row("two_moons: lem-safe", ratio=1.7, shape_ratio=1.6),
        row("swiss_roll: lem-safe", ratio=1.2, shape_ratio=1.2),
    ]
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- made by: python -m benchmarks.quality -->\nold\n<!-- end -->\nafter\n")
    quality_page.write_page(rows, page)
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("<!-- end -->\nafter\n") and "old" not in text
    assert "loss: {kind: as_measured}" in text
    assert (
        "| `rings` | 2.20 | 1.10 | 1.0 % | 4.00 | 50 | 1.90 (shape 1.80) | 5.00 (shape 3.00) | not "
        "installed | 0.0300 |" in text
    )
    assert "1 of 3 reach 1.5 times the floor" in text
    assert (
        "`rings`: 2.20, and 1.10 with every mode at its true share: the weights of the modes cause the excess"
        in text
    )
    assert (
        "`two_moons`: 1.70, and 1.60 with every mode at its true share: the shapes themselves are wrong"
        in text
    )
    assert "`rings` begun at noise: 4.00; 0.3 % of those particles" in text


def test_the_page_has_its_markers_and_a_table_of_every_distribution():
    found = quality_page.BLOCK.search(quality_page.PAGE.read_text(encoding="utf-8"))
    assert found is not None
    assert all(f"`{name}`" in found[0] for name in quality.DISTRIBUTIONS), "run: python -m benchmarks.quality"
