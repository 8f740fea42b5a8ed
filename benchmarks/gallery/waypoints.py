"""Waypoints kept out of obstacles one by one, as SafeDiffuser does it: at every step of a sampler the move v
of each waypoint becomes the nearest u with ∇b_j·u + b_j >= 0 for every obstacle j, b_j the distance from it
(Xiao et al. 2023, with the class function b and the step's length in b), by qpth.

The sampler is Langevin's on the same energy as ours, in its coordinates: each step moves a path towards one
in the span of the recorded paths, as a denoiser does, so that what a projection has bent is smoothed by the
next move. Nothing is asked of the lines between waypoints.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Obstacles = Callable[[Float[Tensor, "k 2"]], tuple[Float[Tensor, "k m"], Float[Tensor, "k m 2"]]]
"""The distances of points from every obstacle, negative inside, and their gradients."""


def discs(centres: Float[Tensor, "m 2"], radii: Float[Tensor, "m"]) -> Obstacles:
    """The distances from discs."""

    def found(x: Tensor) -> tuple[Tensor, Tensor]:
        away = x[:, None] - centres
        far = away.norm(dim=2).clamp(min=1e-12)
        return far - radii, away / far[..., None]

    return found


def boxes(lower: Float[Tensor, "m 2"], upper: Float[Tensor, "m 2"]) -> Obstacles:
    """The distances from rectangles."""

    def found(x: Tensor) -> tuple[Tensor, Tensor]:
        away = x[:, None] - (lower + upper) / 2
        beyond = away.abs() - (upper - lower) / 2
        out = beyond.clamp(min=0)
        far, sign = out.norm(dim=2), torch.where(away < 0, -1.0, 1.0).to(x)
        nearest = torch.nn.functional.one_hot(beyond.argmax(2), 2).to(x)
        inside = (beyond <= 0).all(2)
        direction = torch.where(inside[..., None], nearest, out / far.clamp(min=1e-12)[..., None])
        return torch.where(inside, beyond.amax(2), far), sign * direction

    return found


def all_of(*parts: Obstacles, margin: float = 0.0) -> Obstacles:
    """Obstacles of several kinds, each larger by a margin."""

    def found(x: Tensor) -> tuple[Tensor, Tensor]:
        b, g = zip(*(part(x) for part in parts), strict=True)
        return torch.cat(b, 1) - margin, torch.cat(g, 1)

    return found


def projected(x: Float[Tensor, "k 2"], v: Float[Tensor, "k 2"], obstacles: Obstacles) -> Float[Tensor, "k 2"]:
    """The nearest moves to v that every barrier admits; where v is one, v itself."""
    from qpth.qp import QPFunction

    b, g = obstacles(x)
    u, asked = v.clone(), ((g * v[:, None]).sum(2) + b < 0).any(1)
    if asked.any():
        size = int(asked.sum())
        Q, none = torch.eye(2, dtype=v.dtype).expand(size, 2, 2), torch.empty(0, dtype=v.dtype)
        u[asked] = QPFunction(verbose=-1, check_Q_spd=False)(Q, -v[asked], -g[asked], b[asked], none, none)
    return u


def sampled(
    problem: Any, start: Float[np.ndarray, "n t 2"], obstacles: Obstacles, steps: int, h: float
) -> Float[np.ndarray, "n t 2"]:
    """Paths after so many Langevin steps from `start`, each waypoint's move projected."""
    generator = torch.Generator().manual_seed(0)
    coordinates, potential = problem.coordinates, problem.potential
    x = torch.from_numpy(start).double()
    dtype = problem.dtype
    for _ in range(steps):
        z = coordinates.inverse(x.flatten(1))
        slope = potential.value_and_gradient(z.to(dtype))[1].double()
        noise = torch.randn(z.shape, generator=generator, dtype=torch.float64)
        after = coordinates(z - h * slope + math.sqrt(2 * h) * noise)
        v = after.unflatten(1, x.shape[1:]) - x
        x = x + projected(x.flatten(0, 1), v.flatten(0, 1), obstacles).unflatten(0, x.shape[:2])
    return x.numpy()
