"""The cost of the filter: the distance of the filtered distribution from the unfiltered one, each number with
its value under chance or theory.

KL is bounded from below, in any dimension (`lem_safe.distances.kl_price`): the least KL that holding the
tolerances needs (P.6), that of this filter by membership and distance (P.7), and the difference. For the
other measures columns of numbers are divided by their unfiltered standard deviation. W₂ is exact, by
assignment, on a part of the samples; sliced W₂ projects them on directions from orthonormal bases (so
that a shift v has sliced W₂ exactly ‖v‖/√d), sorts and compares. Their floor is the same number for two
halves of one distribution, of the same size: the distance of two samples by chance. Both runs drew the
same noise, so particle i of one is never compared with particle i of the other, except for the
displacement.
"""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from lem_safe.distances.wasserstein import wasserstein2
from lem_safe.report.contents import Contents
from lem_safe.report.prices import Cost, prices

Measure = Callable[[Float[np.ndarray, "k d"], Float[np.ndarray, "k d"], np.random.Generator], float]

BASES = 12
DIRECTIONS = 128
"""Of a basis, in more columns than these: the mean over them is then of a part of it."""
SPLITS = 4
PAIRED = 500
"""The number of points of an exact W₂."""
FEWEST = 40
"""The number of samples below which a distance between two halves is uninformative."""


def costs(contents: Contents) -> list[Cost]:
    """Every cost that the run's files allow; empty for a run without an unfiltered cloud."""
    if "x" not in contents.reference:
        return []
    found = prices(contents)
    free, ours = (contents.numbers(x) for x in (contents.reference["x"], contents.x))
    if min(len(free), len(ours)) < FEWEST or not ours.shape[1]:
        return found
    scale = np.where(free.std(0) > 0, free.std(0), 1.0)
    rng = np.random.default_rng(0)
    ours, free = ours / scale, free / scale
    away = "filtered from unfiltered"
    if {"energy", "reference_energy"} <= contents.diagnostics.keys():
        found.append(_energy(contents.diagnostics["energy"], contents.diagnostics["reference_energy"]))
    found.append(
        _apart(f"W₂, {away}", ours, free, free, rng, lambda x, y, _: wasserstein2(x, y), most=PAIRED)
    )
    found.append(_apart(f"sliced W₂, {away}", ours, free, free, rng))
    if ours.shape == free.shape:
        found.append(_moved(ours, free, rng))
    data = contents.diagnostics.get("data")
    if data is not None and len(data) >= FEWEST:
        real = contents.numbers(data) / scale
        found.append(_apart("sliced W₂, unfiltered from data", free, real, real, rng))
        found.append(_apart("sliced W₂, filtered from data", ours, real, real, rng))
    return found


def sliced_w2(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n d"], rng: np.random.Generator) -> float:
    """The sliced Wasserstein-2 distance of two clouds of equal size; in many columns, its estimate from
    BASES · DIRECTIONS directions.
    """
    d = x.shape[1]
    k = min(d, DIRECTIONS)
    bases = np.concatenate([np.linalg.qr(rng.normal(size=(d, k)))[0] for _ in range(BASES)], axis=1)
    gaps = np.sort(x @ bases, axis=0) - np.sort(y @ bases, axis=0)
    return math.sqrt(float((gaps**2).mean()))


def _energy(ours: Float[np.ndarray, "_"], free: Float[np.ndarray, "_"]) -> Cost:
    shift = float(ours.mean() - free.mean())
    error = math.sqrt(ours.var() / len(ours) + free.var() / len(free))
    return Cost("mean energy, filtered − unfiltered", f"{shift:+.3g} nats", f"standard error {error:.2g}")


def _moved(ours: Float[np.ndarray, "n d"], free: Float[np.ndarray, "n d"], rng: np.random.Generator) -> Cost:
    """The distance of each particle from where the same noise takes it without the filter."""
    far = np.linalg.norm(ours - free, axis=1)
    strangers = np.linalg.norm(ours - free[rng.permutation(len(free))], axis=1).mean()
    value = f"{far.mean():.3g} standard deviations, {100 * (far > 1e-9).mean():.3g}\N{NO-BREAK SPACE}% moved"
    return Cost(
        "mean displacement of a particle by the filter", value, f"no filter 0, strangers {strangers:.3g}"
    )


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
    """A distance of x and y, with the floor from halves of `law`, averaged over a few random splits of equal
    size.

    For clouds of one size, which may have drawn the same noise, different particles are used.
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
