"""Projection of finished samples: the KL-nearest distribution within limits, by reweighting or by thinning
(P.1, P.2).

    min KL(ρ‖ρ_U)  s.t.  E_ρ φ_k ≤ c_k,    ρ ∝ e^{−Σμ_kφ_k} ρ_U,    μ = argmin_{μ ≥ 0}  log E[e^{−μ·φ}] + μ·c
        (the convex dual)

on the empirical distribution of n draws. With hard indicators the weights have two values, and keeping a draw
with probability weight/largest weight is thinning: for one set an unsafe draw stays with probability
β(1−p)/((1−β)p) (P.1). It is the baseline for every other method.
Letters: n draws, m constraints.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.budget import budget
from barriers.qp import solve_dual

ITERATIONS = 200
ROUNDING = 1e-9
TOLERANCE = 1e-12


class Facts(NamedTuple):
    """The KL projection of a distribution onto {ρ(𝒰) ≤ β} in nats; all 0 where p ≤ β (P.2)."""

    multiplier: float
    kl: float
    tv: float


class Tilt(NamedTuple):
    """The projection of an empirical distribution: weights that sum to 1, multipliers, and its KL divergence
    from uniform weights, in nats.
    """

    weights: Float[Tensor, "n"]
    multipliers: Float[Tensor, "m"]
    kl: float


def facts(p: float, beta: float) -> Facts:
    """μ* = log[p(1−β)/(β(1−p))], KL = kl(β‖p), TV = p − β for a distribution with mass p inside (P.2); μ* is
    infinite for β = 0.
    """
    if not (0 <= p < 1 and 0 <= beta < 1):
        raise ValueError(f"facts: p and beta must lie in [0, 1); got {p:g}, {beta:g}")
    if p <= beta:
        return Facts(0.0, 0.0, 0.0)
    if beta == 0:
        return Facts(math.inf, -math.log1p(-p), p)
    odds = math.log(p / (1 - p)) - math.log(beta / (1 - beta))
    return Facts(odds, beta * math.log(beta / p) + (1 - beta) * math.log((1 - beta) / (1 - p)), p - beta)


def tilt(
    statistics: Float[Tensor, "n m"],
    limits: Float[Tensor, "m"],
    masses: Float[Tensor, "n"] | None = None,
    start: Float[Tensor, "m"] | None = None,
) -> Tilt:
    """The exact reweighting of n draws that brings every weighted mean of `statistics` to its limit or below
    (P.1).

    masses: positive, with sum 1, where draws stand for more than one each, such as the patterns of membership
    in several sets (G.4); by default 1/n each. start: multipliers to begin with, by default 0: Newton's
    method needs about one step per nat. Raises ValueError where no weights do: a limit below the
    smallest statistic, or limits that exclude each other.
    """
    φ, c = statistics.double(), limits.double()
    if not (torch.isfinite(φ).all() and torch.isfinite(c).all()):
        raise ValueError("tilt: statistics and limits must be finite")
    scale = (φ - c).abs().amax(0).clamp(min=1e-300)
    q = torch.full_like(φ[:, 0], 1 / len(φ)) if masses is None else masses.double()
    z = (φ - c) / scale  # the dual is log E e^{−μ·z}: convex, with gradient −E_μ z and Hessian Cov_μ z
    μ = torch.zeros_like(c) if start is None else start.double() * scale
    w, value = _tilted(z, μ, q)
    for _ in range(ITERATIONS):
        mean = w @ z
        if _solved(μ, mean) <= TOLERANCE:
            return _made(w, μ / scale, q)
        centred = z - mean
        H = (w[:, None] * centred).T @ centred
        H = H + (1e-13 + 1e-10 * mean.abs().max()) * torch.eye(len(c), dtype=H.dtype, device=H.device)
        toward = solve_dual(H[None], (H @ μ + mean)[None]).multipliers[0] - μ
        slope, t = float(-mean @ toward), 1.0
        step = _tilted(z, μ + toward, q)
        while step[1] > value + 1e-4 * t * slope + 1e-15 * (1 + abs(value)) and t > 1e-12:
            t /= 2
            step = _tilted(z, μ + t * toward, q)
        μ, (w, value) = μ + t * toward, step
        if (
            value < float(q.log().min()) - 1e-9
        ):  # −value would be a KL, and no distribution over these draws is this far from q
            break
    if _solved(μ, w @ z) <= ROUNDING:  # tiny limits: the last digits are lost in the sums
        return _made(w, μ / scale, q)
    worst = int((w @ z).argmax())
    raise ValueError(
        f"tilt: no weights of these draws meet limit {worst}: E φ stays at {float(w @ φ[:, worst]):.6g}, "
        f"the limit is {float(c[worst]):.6g}; "
        "draw more samples or raise the limit"
    )


def _solved(μ: Tensor, mean: Tensor) -> float:
    """How far complementarity is from holding: μ ≥ 0, the means at most 0, one of the two 0."""
    return float(torch.minimum(μ, -mean).abs().max())


def _made(w: Tensor, μ: Tensor, q: Tensor) -> Tilt:
    return Tilt(w, μ, float((w * (w / q).clamp(min=1e-300).log()).sum()))


def keep_probabilities(inside: Bool[Tensor, "n m"], betas: Sequence[float]) -> Float[Tensor, "n"]:
    """The probability with which each draw stays, so that those that stay have the distribution of the KL
    projection onto every {ρ(𝒰_k) ≤ β_k} (P.1).

    p is the fraction of these draws. One set: β(1−p)/((1−β)p) inside, 1 outside. Sets may overlap; draws in a
    set of β = 0 never stay.
    """
    _check(inside, betas)
    possible = ~inside[:, [k for k, β in enumerate(betas) if β == 0]].any(1)
    if not bool(possible.any()):
        raise ValueError("thinning: every draw is inside a set with beta 0, so nothing can stay")
    some = [k for k, β in enumerate(betas) if β > 0]
    weights = torch.zeros(inside.shape[0], dtype=torch.float64, device=inside.device)
    limits = torch.tensor([betas[k] for k in some], dtype=torch.float64, device=inside.device)
    weights[possible] = tilt(inside[possible][:, some].double(), limits).weights if some else 1.0
    return weights / weights.max()


def thinned(
    inside: Bool[Tensor, "n m"], betas: Sequence[float], uniforms: Float[Tensor, "n"]
) -> Bool[Tensor, "n"]:
    """Which draws stay, each by its own uniform number: independent draws remain independent given p; the
    count fluctuates around β.
    """
    return uniforms < keep_probabilities(inside, betas)


def thinned_to_budget(
    inside: Bool[Tensor, "n m"], betas: Sequence[float], uniforms: Float[Tensor, "n"]
) -> Bool[Tensor, "n"]:
    """Which draws stay so that no count exceeds ⌊β · kept⌋ and as many as possible stay: thinning that passes
    a census (A.1).

    All draws outside every set stay; inside a set, those with the smallest uniform numbers. For disjoint
    sets; ValueError for overlapping ones.
    """
    _check(inside, betas)
    if bool((inside.sum(1) > 1).any()):
        raise ValueError(
            "thinned_to_budget: sets must be disjoint on the draws; use `thinned`, or one set that is "
            "their union"
        )
    counts, outside = inside.sum(0).tolist(), int((~inside.any(1)).sum())
    kept = total = inside.shape[0]
    room = counts
    while True:  # the largest consistent total, from above: each pass only decreases it
        room = [min(count, budget(β, total)) for count, β in zip(counts, betas, strict=True)]
        kept = outside + sum(room)
        if kept == total:
            break
        total = kept
    stays = ~inside.any(1)
    for k, places in enumerate(room):
        members = inside[:, k].nonzero()[:, 0]
        stays[members[uniforms[members].argsort()[:places]]] = True
    return stays


def _tilted(z: Tensor, μ: Tensor, q: Tensor) -> tuple[Tensor, float]:
    """Normalised weights q e^{−μ·z} and the dual's value log E e^{−μ·z}."""
    exponent = q.log() - z @ μ
    total = torch.logsumexp(exponent, 0)
    return (exponent - total).exp(), float(total)


def _check(inside: Tensor, betas: Sequence[float]) -> None:
    if inside.shape[1] != len(betas) or any(not 0 <= β < 1 for β in betas):
        raise ValueError(f"thinning: one beta in [0, 1) a set; got {list(betas)} for {inside.shape[1]} sets")
