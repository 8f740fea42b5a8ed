"""One small problem whose active set is probably that of the last step: Cholesky on that set and a check of
optimality, in Python floats.

This is nearly always the case in a sampling step, and for few numbers Python is faster than a tensor library
(50 µs against 200 µs for m = 4). What is not optimal, or nearly singular, is left to the general method.
Letters: m constraints, W active.
"""

from math import sqrt

LARGEST = 12
"""Above this number of constraints tensors are faster."""


def confirm(
    gram: list[list[float]], excess: list[float], active: list[bool]
) -> tuple[list[float], float] | None:
    """Multipliers and KKT residual where `active` is the optimal active set, to 1e-12 in unit rows; else
    None.
    """
    W = [k for k, on in enumerate(active) if on]
    if not all(gram[k][k] > 1e-200 for k in range(len(excess))):
        return None
    length = [sqrt(gram[k][k]) for k in range(len(excess))]
    r = [e / a for e, a in zip(excess, length, strict=True)]
    μ = _solved(
        [[(gram[k][j] + gram[j][k]) / (2 * length[k] * length[j]) for j in W] for k in W], [r[k] for k in W]
    )
    if μ is None or not all(ν >= 0 for ν in μ):
        return None
    largest = max(map(abs, r))
    tolerance, worst = 1e-12 * (1 + largest), 0.0
    for k, on in enumerate(active):
        slope = (
            sum(
                ν * (gram[k][j] + gram[j][k]) / (2 * length[k] * length[j]) for ν, j in zip(μ, W, strict=True)
            )
            - r[k]
        )
        if not (abs(slope) if on else -slope) <= tolerance:  # NaN is not optimal either
            return None
        worst = max(worst, abs(slope) if on else -slope)
    multipliers = [0.0] * len(r)
    for k, ν in zip(W, μ, strict=True):
        multipliers[k] = ν / length[k]
    return multipliers, worst / (1 + largest + max(μ, default=0.0))


def _solved(block: list[list[float]], target: list[float]) -> list[float] | None:
    """The solution by Cholesky; None where a pivot is below 1e-10 relative to a unit diagonal."""
    L: list[list[float]] = []
    y: list[float] = []
    for row, t in zip(block, target, strict=True):
        new: list[float] = []
        for other, above in enumerate(L):
            new.append((row[other] - sum(a * b for a, b in zip(new, above, strict=False))) / above[other])
        pivot = row[len(L)] - sum(a * a for a in new)
        if not pivot > 1e-10:
            return None
        root = sqrt(pivot)
        y.append((t - sum(a * b for a, b in zip(new, y, strict=True))) / root)
        L.append([*new, root])
    for k in reversed(range(len(y))):
        y[k] = (y[k] - sum(L[j][k] * y[j] for j in range(k + 1, len(y)))) / L[k][k]
    return y
