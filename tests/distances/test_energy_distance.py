"""The energy distance (P.5) against its closed form, its naive twin, and the scatter that it says chance
has.
"""

import math
from typing import Any

import numpy as np
import pytest

from lem_safe.distances import energy_distance as energies
from lem_safe.distances.energy_distance import chance, energy_distance


def distances_of_normals() -> None:
    """E‖X − Y‖ of N(0, 1) and N(δ, 1) is that of a folded normal; D between draws is free of bias, with and
    without weights.
    """
    δ, n, rng = 0.7, 400, np.random.default_rng(3)
    folded = 2 / math.sqrt(math.pi) * math.exp(-δ * δ / 4) + δ * math.erf(δ / 2)
    exact = 2 * folded - 4 / math.sqrt(math.pi)
    found, weighted = [], []
    for _ in range(60):
        x, y = rng.normal(size=(2, n, 1))
        found.append(energy_distance(x, y + δ))
        weighted.append(energy_distance(x + δ, y, np.exp(δ * y[:, 0])))  # N(0, 1) weighted is N(δ, 1)
    for values, truth in ((found, exact), (weighted, 0.0)):
        assert abs(np.mean(values) - truth) < 4 * np.std(values, ddof=1) / math.sqrt(60) + 3 / n**1.5


def distances_of_a_few_points() -> None:
    """The naive twin: over all pairs, one by one."""
    rng = np.random.default_rng(4)
    x, y, w = rng.normal(size=(7, 3)), rng.normal(size=(5, 3)), rng.random(5)
    cross = np.mean([[np.linalg.norm(a - b) for b in y] @ w / w.sum() for a in x])
    own = np.mean([np.linalg.norm(x[i] - x[j]) for i in range(7) for j in range(7) if i != j])
    pairs = [(w[i] * w[j], np.linalg.norm(y[i] - y[j])) for i in range(5) for j in range(5) if i != j]
    theirs = sum(p * d for p, d in pairs) / sum(p for p, _ in pairs)
    assert abs(energy_distance(x, y, w) - (2 * cross - own - theirs)) < 1e-12


def test_the_energy_distance_is_p5() -> None:
    distances_of_normals()
    distances_of_a_few_points()


def test_chance_is_the_scatter_of_the_distance() -> None:
    """Between fresh samples of one law, the distance scatters as `chance` says from one sample alone, about
    0.
    """
    rng = np.random.default_rng(5)
    mean, std = chance(rng.normal(size=(600, 4)), np.ones(600), 200, 400)
    fresh = [energy_distance(rng.normal(size=(200, 4)), rng.normal(size=(400, 4))) for _ in range(100)]
    assert abs(mean) < 4 * std / math.sqrt(energies.SPLITS) and abs(np.mean(fresh)) < 4 * np.std(fresh) / 10
    assert 0.6 < std / np.std(fresh, ddof=1) < 1.6


@pytest.mark.parametrize(
    ("check", "name", "faulty"),
    [
        (distances_of_normals, "_between", lambda f: lambda z, a, b: f(z, a, (b > 0) / (b > 0).sum(0))),
        (distances_of_a_few_points, "_between", lambda f: lambda z, a, b: f(z, a, b) + 1e-3 * (a * a).sum(0)),
        (distances_of_a_few_points, "cdist", lambda f: lambda z, y: f(z, y, "sqeuclidean")),
    ],
)
def test_planted_faults_are_found(
    check: Any, name: str, faulty: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(energies, name, faulty(getattr(energies, name)))
    with pytest.raises(AssertionError):
        check()
