"""Fits the factors of `lem_safe.authoring.estimate` to drawn scenarios that are timed, and writes them.

    python -m benchmarks.estimate_factors

They are nonnegative, and minimise the differences of the logarithms of estimate and time, squared where they
are small and linear where they are large (Huber), by least squares with weights that are computed anew. The
range is that of nine in ten scenarios that the factors were not fitted to: of the first ones each half, by
factors fitted to the other half, and further ones with AVX2 alone, as another processor has it. Filters in
APART have a range of their own.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.optimize import nnls

from benchmarks.__main__ import machine
from benchmarks.estimated_steps import Timed, asked, drawn_and_timed, own_cache
from lem_safe.authoring.estimate import FACTORS, OTHERS
from lem_safe.provenance import versions

CASES, SHARE = {"all": 280, "AVX2": 140}, 0.9
"""How many scenarios are drawn for each of PROCESSORS; the share of them that is within the range."""
APART = ("drift",)
"""Filters whose time depends on how many particles are near a boundary, and on the shape of that."""
ITERATIONS, NEAR, FAR = 100, 1e-6, 0.3
"""How often weights are computed anew; the difference of logarithms below which there is none, and the one
from which on it counts linearly.
"""


def fitted(X: Float[np.ndarray, "n k"], t: Float[np.ndarray, "n"]) -> Float[np.ndarray, "k"]:
    """The factors of the columns of X that make its rows sum to about t."""
    scale = np.maximum((X / t[:, None]).max(0), np.finfo(float).tiny)
    factors, w = np.zeros(X.shape[1]), np.ones_like(t)
    for step in range(ITERATIONS):
        found = nnls(X / scale / t[:, None] * w[:, None], w)[0] / scale
        factors = found if step == 0 else (factors + found) / 2
        ratio = X @ factors / t
        pull = np.clip(np.log(ratio), -FAR, FAR)
        w = np.sqrt(np.where(np.abs(pull) < NEAR, 1.0, pull / (ratio * (ratio - 1 + (ratio == 1)))))
    return np.asarray(factors)


def crossed(X: Float[np.ndarray, "n k"], t: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """Time over estimate, each by the factors of the half that it is not in."""
    ratios, half = np.empty_like(t), np.arange(len(t)) % 2 == 0
    for own in (half, ~half):
        ratios[own] = t[own] / (X[own] @ fitted(X[~own], t[~own]))
    return ratios


def measured() -> dict[str, Any]:
    """The content of the file of factors."""
    with own_cache():
        own, other = (
            _counted_and_timed(seed, count, processor)
            for seed, (processor, count) in enumerate(CASES.items())
        )
    names = sorted({name for parts, _ in (*own, *other) for name in parts})
    (X, t), (Y, u) = (_arrays(each, names) for each in (own, other))
    factors = fitted(X, t)
    ratios = np.concatenate([crossed(X, t), u / (Y @ factors)])
    kinds = [one.filter for _, one in (*own, *other)]
    groups = np.array([kind if kind in APART else OTHERS for kind in kinds])
    return {
        "cases": CASES,
        "factors": dict(zip(names, map(_short, factors), strict=True)),
        "machine": machine(),
        "share": SHARE,
        "within": {group: _ends(ratios[groups == group]) for group in (*APART, OTHERS)},
        **versions(),
    }


Counted = list[tuple[dict[str, float], Timed]]


def _counted_and_timed(seed: int, count: int, processor: str) -> Counted:
    """The parts of a step of drawn scenarios, and their times."""
    cases = drawn_and_timed(seed, count, processor)
    found = asked("parts", {name: [one.text, one.speeds] for name, one in cases.items()}, processor)
    return [(found[name], one) for name, one in cases.items()]


def _arrays(each: Counted, names: Sequence[str]) -> tuple[Float[np.ndarray, "n k"], Float[np.ndarray, "n"]]:
    parts = np.array([[counted.get(name, 0.0) for name in names] for counted, _ in each])
    return parts, np.array([one.seconds for _, one in each])


def _ends(ratios: Float[np.ndarray, "n"]) -> list[float]:
    """The range of the middle ones."""
    return list(map(_short, np.quantile(ratios, [(1 - SHARE) / 2, (1 + SHARE) / 2])))


def _short(number: float) -> float:
    return float(f"{number:.3g}")


def main() -> None:
    """Measures, and writes the file."""
    found = measured()
    FACTORS.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")
    print(f"{FACTORS.name}: {found['cases']} scenarios, time over estimate within {found['within']}")


if __name__ == "__main__":
    main()
