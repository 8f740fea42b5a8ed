"""What the filter cost: how far the filtered law is from the unfiltered one, each number beside its noise floor.

Sliced W₂: columns divided by their unfiltered standard deviation, samples projected on directions that come as orthonormal bases
(so that a shift v has sliced W₂ exactly ‖v‖/√d), sorted, compared. The floor is the same number for two halves of one law, of the
same size: what two samples of one law are apart by chance. The least KL any method must pay is kl(β‖p), p the unfiltered fraction (P.2).
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lem_safe.report.contents import Contents

BASES = 12
SPLITS = 4


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
    if {"energy", "reference_energy"} <= contents.diagnostics.keys():
        found.append(_energy(contents.diagnostics["energy"], contents.diagnostics["reference_energy"]))
    free, ours = (np.asarray(x, dtype=np.float64) for x in (contents.reference["x"], contents.x))
    scale = np.where(free.std(0) > 0, free.std(0), 1.0)
    rng = np.random.default_rng(0)
    found.append(_apart("filtered from unfiltered", ours / scale, free / scale, free / scale, rng))
    data = contents.diagnostics.get("data")
    if data is not None and len(data) > 3:
        real = np.asarray(data, dtype=np.float64) / scale
        found.append(_apart("unfiltered from data", free / scale, real, real, rng))
        found.append(_apart("filtered from data", ours / scale, real, real, rng))
    return found


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


def _apart(
    name: str, x: Float[np.ndarray, "_ d"], y: Float[np.ndarray, "_ d"], law: Float[np.ndarray, "_ d"], rng: np.random.Generator
) -> Cost:
    """Sliced W₂ of x and y, the floor from halves of `law`, averaged over a few random splits of equal size."""
    size = min(len(x), len(y) // 2, len(law) // 2, 5_000)
    value = floor = 0.0
    for _ in range(SPLITS):
        halves = law[rng.permutation(len(law))[: 2 * size]]
        floor += sliced_w2(halves[:size], halves[size:], rng) / SPLITS
        value += sliced_w2(x[rng.permutation(len(x))[:size]], y[rng.permutation(len(y))[:size]], rng) / SPLITS
    return Cost(f"sliced W₂, {name}", f"{value:.3g} standard deviations", f"chance alone {floor:.3g}")
