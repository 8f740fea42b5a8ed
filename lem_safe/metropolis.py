"""The Metropolis test of a Langevin step, the one kernel of every sampler and estimate with tested moves
(E.8). It leaves e^{−U/T} exactly invariant, for every step size:

    y = x + hu(x) + √(2hT) ξ,    log a = (U(x) − U(y))/T + (‖y − x − hu(x)‖² − ‖x − y − hu(y)‖²)/(4hT),

and the step is taken with probability min(1, a). The test uses the drift at both ends, so any u(x) gives a
valid proposal, and −∇U the best. The values at y are returned with the verdict and reused after an
acceptance, so a step costs one gradient.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.squares import squared_norm

Seen = TypeVar("Seen")
Rows = TypeVar("Rows", bound=tuple[Tensor, ...])


class Site(NamedTuple):
    """Particles x, the energy U there in nats, and the drift u of their proposals."""

    x: Float[Tensor, "n d"]
    energy: Float[Tensor, "n"]
    drift: Float[Tensor, "n d"]


class Verdict(NamedTuple):
    """Which particles are accepted, and the acceptance probability of each."""

    accepted: Bool[Tensor, "n"]
    chance: Float[Tensor, "n"]


def langevin_move(
    here: Site,
    evaluate: Callable[[Float[Tensor, "n d"]], tuple[Site, Seen]],
    h: float | Float[Tensor, "n"],
    temperature: Float[Tensor, "n"],
    noise: Float[Tensor, "n d"],
    uniforms: Float[Tensor, "n"],
) -> tuple[Verdict, Seen]:
    """One proposal of every particle and its verdict, in one call of `evaluate`.

    evaluate: the site at the proposals y, and other values there, which are returned unchanged. h: the step
    size, or one per particle, drawn beforehand.
    """
    x, U, u = here
    H, root = (h[:, None], (2 * h).sqrt()[:, None]) if isinstance(h, Tensor) else (h, math.sqrt(2 * h))
    y = x + H * u + root * temperature.sqrt()[:, None] * noise
    there, seen = evaluate(y)
    return tested(log_ratio(U, there.energy, x, y, u, there.drift, h, temperature), uniforms), seen


def log_ratio(
    U: Float[Tensor, "n"],
    U_y: Float[Tensor, "n"],
    x: Float[Tensor, "n d"],
    y: Float[Tensor, "n d"],
    u: Float[Tensor, "n d"],
    u_y: Float[Tensor, "n d"],
    h: float | Float[Tensor, "n"],
    temperature: Float[Tensor, "n"],
) -> Float[Tensor, "n"]:
    """log of ρ(y)q(x|y) / ρ(x)q(y|x)."""
    H = h[:, None] if isinstance(h, Tensor) else h
    there, back = squared_norm(y - x - H * u), squared_norm(x - y - H * u_y)
    return (U - U_y + (there - back) / (4 * h)) / temperature


def tested(log_a: Float[Tensor, "n"], uniforms: Float[Tensor, "n"]) -> Verdict:
    """The verdict on moves with these log ratios; refused where a ratio is NaN, as where U is not finite."""
    return Verdict(uniforms.log() < log_a, log_a.clamp(max=0).exp().nan_to_num(0.0))


def taken(accepted: Bool[Tensor, "n"], there: Rows, here: Rows) -> Rows:
    """Each row of `there` where accepted, else of `here`; both are NamedTuples of tensors."""
    pairs = zip(there, here, strict=True)
    return type(here)(*(torch.where(accepted if a.ndim == 1 else accepted[:, None], b, a) for b, a in pairs))
