"""What the filter cost: how far the filtered law is from the unfiltered one, each number beside its noise floor.

Columns are divided by their unfiltered standard deviation. W₂ is exact, by assignment, on a part of the samples; sliced W₂ projects them on
directions that come as orthonormal bases (so that a shift v has sliced W₂ exactly ‖v‖/√d), sorts and compares. KL is estimated from nearest
neighbours [Wang, Kulkarni, Verdú 2009]: with ρ_i the distance from x_i to its k-th neighbour among the other x, ν_i to that among the y,

    KL ≈ d/n Σ log(ν_i/ρ_i) + log(m/(n−1)).

The floor is the same number for two halves of one law, of the same size: what two samples of one law are apart by chance. Both runs drew the same
noise, so particle i of one is never compared with particle i of the other, save for the displacement, which asks just that. The least KL any
method must pay is kl(β‖p), p the unfiltered fraction (P.2).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lem_safe.lyapunov.transport import wasserstein2
from lem_safe.report.contents import Contents

Measure = Callable[[Float[np.ndarray, "k d"], Float[np.ndarray, "k d"], np.random.Generator], float]

BASES = 12
SPLITS = 4
PAIRED, NEIGHBOURS = 500, 5
"""Points of an exact W₂; the k of the neighbours."""
FEWEST = 40
"""Samples below which a distance between two halves says nothing."""


class Cost(NamedTuple):
    """One line of the table: what was compared, the number, and what chance alone or theory would make it."""

    name: str
    value: str
    beside: str


def costs(contents: Contents) -> list[Cost]:
    """Every cost that the run's files allow; empty for a run without an unfiltered cloud beside it."""
    if "x" not in contents.reference:
        return []
    found = [_least(contents, i) for i in range(len(contents.audit["constraints"]))]
    free, ours = (np.asarray(x, dtype=np.float64) for x in (contents.reference["x"], contents.x))
    if min(len(free), len(ours)) < FEWEST:
        return found
    scale = np.where(free.std(0) > 0, free.std(0), 1.0)
    rng = np.random.default_rng(0)
    ours, free = ours / scale, free / scale
    away = "filtered from unfiltered"
    found.append(_apart(f"KL, {away}", ours, free, free, rng, neighbour_kl, "nats", 2000))
    if {"energy", "reference_energy"} <= contents.diagnostics.keys():
        found.append(_energy(contents.diagnostics["energy"], contents.diagnostics["reference_energy"]))
    found.append(_apart(f"W₂, {away}", ours, free, free, rng, lambda x, y, _: wasserstein2(x, y), most=PAIRED))
    found.append(_apart(f"sliced W₂, {away}", ours, free, free, rng))
    if ours.shape == free.shape:
        found.append(_moved(ours, free, rng))
    data = contents.diagnostics.get("data")
    if data is not None and len(data) >= FEWEST:
        real = np.asarray(data, dtype=np.float64) / scale
        found.append(_apart("sliced W₂, unfiltered from data", free, real, real, rng))
        found.append(_apart("sliced W₂, filtered from data", ours, real, real, rng))
    return found


def neighbour_kl(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "m d"], rng: np.random.Generator | None = None) -> float:
    """KL of the law of x from that of y, in nats, by k-th neighbours; biased where d is large, as its floor shows. rng is not used."""
    from scipy.spatial import cKDTree

    k = min(NEIGHBOURS, len(x) - 1, len(y))
    own = cKDTree(x).query(x, k=[k + 1])[0][:, 0]  # the first neighbour of a point among its own is itself
    other = cKDTree(y).query(x, k=[k])[0][:, 0]
    tiny = np.finfo(float).tiny
    ratio = np.log(np.maximum(other, tiny)) - np.log(np.maximum(own, tiny))
    return float(x.shape[1] * ratio[(own > 0) & (other > 0)].mean() + math.log(len(y) / (len(x) - 1)))


def sliced_w2(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n d"], rng: np.random.Generator) -> float:
    """The sliced Wasserstein-2 distance of two clouds of equal size."""
    d = x.shape[1]
    bases = np.concatenate([np.linalg.qr(rng.normal(size=(d, d)))[0] for _ in range(BASES)], axis=1)
    gaps = np.sort(x @ bases, axis=0) - np.sort(y @ bases, axis=0)
    return math.sqrt(float((gaps**2).mean()))


def least_kl(beta: float, fraction: float) -> float:
    """kl(β‖p) in nats, 0 where p ≤ β: the price of the tolerance for a perfect method (P.2)."""
    if fraction <= beta:
        return 0.0
    if fraction >= 1:
        return math.inf
    inside = beta * math.log(beta / fraction) if beta > 0 else 0.0
    return inside + (1 - beta) * math.log((1 - beta) / (1 - fraction))


def _least(contents: Contents, i: int) -> Cost:
    c = contents.audit["constraints"][i]
    p = float(contents.inside(c["set"], contents.reference["x"]).mean())
    beside = f"moves {100 * max(p - c['beta'], 0):.3g}\N{NO-BREAK SPACE}% of the mass"
    return Cost(f"least KL any method pays for {c['set']}", f"{least_kl(c['beta'], p):.3g} nats", beside)


def _energy(ours: Float[np.ndarray, "_"], free: Float[np.ndarray, "_"]) -> Cost:
    shift = float(ours.mean() - free.mean())
    error = math.sqrt(ours.var() / len(ours) + free.var() / len(free))
    return Cost("mean energy, filtered − unfiltered", f"{shift:+.3g} nats", f"standard error {error:.2g}")


def _moved(ours: Float[np.ndarray, "n d"], free: Float[np.ndarray, "n d"], rng: np.random.Generator) -> Cost:
    """How far each particle is from where the same noise takes it without the filter."""
    far = np.linalg.norm(ours - free, axis=1)
    strangers = np.linalg.norm(ours - free[rng.permutation(len(free))], axis=1).mean()
    value = f"{far.mean():.3g} standard deviations, {100 * (far > 1e-9).mean():.3g}\N{NO-BREAK SPACE}% moved"
    return Cost("mean displacement of a particle by the filter", value, f"no filter 0, strangers {strangers:.3g}")


def _apart(
    name: str,
    x: Float[np.ndarray, "_ d"],
    y: Float[np.ndarray, "_ d"],
    law: Float[np.ndarray, "_ d"],
    rng: np.random.Generator,
    measure: Measure = sliced_w2,
    unit: str = "standard deviations",
    most: int = 5_000,
) -> Cost:
    """A distance of x and y, the floor from halves of `law`, averaged over a few random splits of equal size.

    Of clouds of one size, which may have drawn the same noise, different particles are taken.
    """
    size = min(len(x) // 2, len(y) // 2, len(law) // 2, most)
    value, floor = np.zeros(SPLITS), np.zeros(SPLITS)
    for i in range(SPLITS):
        halves = law[rng.permutation(len(law))[: 2 * size]]
        floor[i] = measure(halves[:size], halves[size:], rng)
        first, second = rng.permutation(len(x))[: 2 * size], rng.permutation(len(y))[: 2 * size]
        if len(x) == len(y):
            second = first
        value[i] = measure(x[first[:size]], y[second[size:]], rng)
    spread = f" ± {floor.std():.1g}" if floor.std() else ""
    return Cost(name, f"{value.mean():.3g} {unit}", f"chance alone {floor.mean():.3g}{spread}")
