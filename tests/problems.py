"""Known truths: small problems whose exact answers are computed here by quadrature, independently of what is
tested.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy.optimize import brentq
from torch import Tensor

from barriers.coordinates import identity
from barriers.filters import FILTERS
from barriers.sets import UnsafeSet, build_sets, pull
from barriers.surrogates import Surrogate
from lem_safe.energies.base import Energy
from lem_safe.energies.gaussian import Gaussian
from lem_safe.energies.gaussian_mixture import GaussianMixture
from lem_safe.energies.mixture_based import MixtureBase, MixtureBased
from lem_safe.keys import Key
from lem_safe.samplers import Langevin
from lem_safe.samplers.hooks import hook


@dataclass(frozen=True)
class Trace:
    """What a run of a test recorded: the final cloud, and a row a step."""

    x: Tensor
    fraction: np.ndarray
    mean: np.ndarray
    multiplier: np.ndarray
    shortfall: np.ndarray


def simulate(
    energy: Energy,
    unsafe: list[UnsafeSet],
    betas: list[float],
    kind: str,
    x: Tensor,
    *,
    step_size: float,
    steps: int,
    seed: int = 0,
    each: Callable[[int, Tensor], None] = lambda k, x: None,
    build: Callable[..., object] | None = None,
    **settings: object,
) -> Trace:
    """Langevin with one filter, every particle counted after every step."""
    sets = [pull(s, identity(x.shape[1], x.dtype)) for s in unsafe]
    context = {} if kind == "none" else {"sets": sets, "betas": betas}
    if kind in ("drift", "step"):
        context["step_size"] = step_size
    chosen = (build or FILTERS[kind])(**context, **settings)
    hooks = hook(chosen)
    sampler = Langevin(energy, step_size, hooks.drift_filter, hooks.step_filter)
    key, state = Key(seed), sampler.init(x)
    rows = []
    for k in range(steps):
        state, info = sampler.step(key.fold(k), state)
        each(k, state.x)
        seen = info.drift or info.step
        fraction = [float(s.contains(state.x).double().mean()) for s in sets]
        nothing = [math.nan] * len(sets)
        rows.append([fraction] + ([list(map(float, part)) for part in seen] if seen else [nothing] * 3))
    return Trace(state.x, *(np.array(part) for part in zip(*rows, strict=True)))


def ring(dtype: torch.dtype = torch.float32) -> tuple[Energy, UnsafeSet]:
    """Eight Gaussians on a circle, R = 2, σ = .5; the ball (2, 0), r = .8 holds .101563 of the mass."""
    angles = torch.arange(8, dtype=torch.float64) * math.pi / 4
    energy = GaussianMixture((2 * torch.stack([angles.cos(), angles.sin()], 1)).tolist(), 0.5)
    return energy.to(dtype), build_sets(
        {"ball": {"kind": "ball", "center": [2.0, 0.0], "radius": 0.8}}, ("x0", "x1")
    )["ball"]


def ring_start(n: int = 5000, dtype: torch.dtype = torch.float32) -> Tensor:
    """N((−1, 0), .4²)."""
    return torch.tensor([-1.0, 0.0], dtype=dtype) + 0.4 * Key(7).normal(torch.empty(n, 2, dtype=dtype))


@dataclass(frozen=True)
class Grid:
    """The plane as a fine grid: the law ρ_U on it, the signed distance, the sector of each point."""

    law: np.ndarray
    distance: np.ndarray
    sector: np.ndarray


def ring_grid(points: int = 801) -> Grid:
    """The ring by quadrature, typed from its formula."""
    g = np.linspace(-5, 5, points)
    X, Y = (a.ravel() for a in np.meshgrid(g, g, indexing="ij"))
    angles = np.arange(8) * np.pi / 4
    density = sum(np.exp(-((X - 2 * np.cos(a)) ** 2 + (Y - 2 * np.sin(a)) ** 2) / (2 * 0.25)) for a in angles)
    return Grid(density / density.sum(), np.hypot(X - 2, Y) - 0.8, sectors(X, Y))


def sectors(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which eighth of the plane, centred on a mode, each point is in."""
    return np.round(np.arctan2(y, x) / (np.pi / 4)).astype(int) % 8


def sector_masses(weights: np.ndarray, sector: np.ndarray) -> np.ndarray:
    return np.bincount(sector, weights, minlength=8) / weights.sum()


def hard_projection(law: np.ndarray, inside: np.ndarray, beta: float) -> np.ndarray:
    """The KL projection onto {ρ(𝒰) ≤ β}: ρ_U rescaled inside and outside (G.2, P.2)."""
    p = law[inside].sum()
    return np.where(inside, law * beta / p, law * (1 - beta) / (1 - p))


def smooth_tilt(law: np.ndarray, φ: np.ndarray, limit: float) -> tuple[np.ndarray, float]:
    """ρ ∝ ρ_U e^{−μφ} with E φ = limit, and its μ (F.1)."""

    def tilt(μ: float) -> np.ndarray:
        weights = law * np.exp(-μ * φ)
        return weights / weights.sum()

    μ = brentq(lambda m: (tilt(m) * φ).sum() - limit, 0.0, 1e4, xtol=1e-12)
    return tilt(μ), μ


class Paid(NamedTuple):
    """The KL that a filter paid, as the signed distance tells it, over the projection's; the mean fraction
    inside, of n particles.
    """

    ratio: float
    fraction: float
    n: int


def paid_over_needed(
    unsafe: UnsafeSet, β: float, kind: str, step_size: float, *, steps: int, n: int = 4000, **settings: object
) -> Paid:
    """KL(law of s ‖ its law under N(0, I)) over kl(β‖p), from a start drawn from the projection, over the
    second half of some steps.

    A function of the cloud knows at most what the cloud knows (data processing), so this is a bound from
    below; on a set that N(0, I) and the filter see through s alone it is all of it.
    """
    d = unsafe.dimension or 0
    free = Key(50).normal(torch.empty(400_000, d, dtype=torch.float64))
    s = unsafe(free)
    inside = s <= 0
    k, p = round(0.98 * β * n), float(inside.double().mean())
    x = torch.cat([free[inside][:k], free[~inside][: n - k]])
    context = {"sets": [unsafe], "betas": [β], "step_size": step_size}
    hooks = hook(FILTERS[kind](**context, **settings))  # type: ignore[arg-type]
    sampler = Langevin(standard(d, torch.float64), step_size, hooks.drift_filter, hooks.step_filter)
    state, seen, fractions = sampler.init(x), [], []
    for step in range(steps):
        state, _ = sampler.step(Key(51).fold(step), state)
        if step >= steps // 2:
            seen.append(unsafe(state.x))
            fractions.append(float(unsafe.contains(state.x).double().mean()))
    cuts = torch.quantile(s[:100_000], torch.linspace(0, 1, 25, dtype=torch.float64)[1:-1])
    noise = math.sqrt(2 * step_size)
    near = noise * torch.tensor([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0], dtype=torch.float64)
    edges = torch.cat([cuts, near]).unique()
    mass, law = (
        torch.bincount(torch.bucketize(v, edges), minlength=len(edges) + 1).double() / len(v)
        for v in (torch.cat(seen), s)
    )
    held = (mass > 0) & (law > 0)
    kl = float((mass[held] * (mass[held] / law[held]).log()).sum())
    return Paid(
        kl / (β * math.log(β / p) + (1 - β) * math.log((1 - β) / (1 - p))), float(np.mean(fractions)), n
    )


def standard(dimension: int = 1, dtype: torch.dtype = torch.float32) -> Energy:
    """The standard Gaussian: Ornstein–Uhlenbeck under Langevin."""
    return Gaussian([0.0] * dimension, 1.0).to(dtype)


def beyond(threshold: float, dimension: int = 1) -> UnsafeSet:
    """{x₀ ≥ threshold}."""
    normal = [1.0] + [0.0] * (dimension - 1)
    spec = {"half": {"kind": "half_space", "normal": normal, "offset": threshold}}
    return build_sets(spec, tuple(f"x{i}" for i in range(dimension)))["half"]


def surrogate_mean(φ: Surrogate, unsafe: UnsafeSet, x: Tensor) -> float:
    return float(φ.value(unsafe(x.double())).mean())


def on_a_mixture(most: float = 1.5) -> MixtureBased:
    """A network of several nats on two Gaussians, so that its bound is felt."""
    energy = MixtureBase(most=most, hidden=9, depth=2).build(2, torch.Generator().manual_seed(0))
    assert isinstance(energy, MixtureBased)
    energy.base = GaussianMixture(
        [[1.0, 0.0], [-1.0, 0.5]], covariances=[[[0.4, 0.1], [0.1, 0.3]], [[0.5, 0.0], [0.0, 0.5]]]
    )
    with torch.no_grad():
        energy.trunk.inner.readout.mul_(5000.0)
    return energy.requires_grad_(False)
