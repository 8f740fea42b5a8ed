"""Whether a composition leaves anything to sample: U₊ − Σ λ U₋ must grow along every ray, or e^{−U} has no integral (C.4).

Rays leave the origin of sampler coordinates along both directions of every axis and along random ones, and the worst of them turn to
where the growth is less still. Growth is read between two far radii; e^{−U} is integrable where it is more than that of d log r.

What passes may still leave both parents: the law exists, and is not the one meant. `leaving` draws particles from U₊ and lets them
follow U_safe for a while, and says in words when they end where no draw of either parent would be.
"""

import math
from collections.abc import Iterator
from functools import singledispatch
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from barriers.coordinates import Coordinates
from barriers.derivatives import value_and_gradient
from lem_safe.annealing import anneal, fit, settle
from lem_safe.energies.adjusted import Shifted, Tempered, Tilted
from lem_safe.energies.base import Energy, Tractable
from lem_safe.energies.composed import Combination, WeightedSum
from lem_safe.energies.disjunction import Disjunction
from lem_safe.faults import BadInput, Fault
from lem_safe.keys import Key

NEAR, FAR, RANDOM_RAYS = 1e3, 1e4, 256
TURNED, TURNS = 8, 30
"""How many of the worst rays are turned, and how often."""

DRAWS, MOVED, SETTLING, PROBED_DIMENSIONS = 1024, 256, 200, 64
"""Draws of each parent, how many of U₊'s follow U_safe, for how many steps; and the dimensions up to which that is worth its time."""
RARE, MANY = 0.001, 0.25
"""A parent's level of energy that one of its draws in a thousand exceeds; the share of particles beyond it that is worth a warning."""


class Growth(NamedTuple):
    """What U gains from NEAR to FAR along each ray: by its positive terms, and taken by its negative ones."""

    gained: Float[Tensor, "k"]
    lost: Float[Tensor, "k"]

    @property
    def net(self) -> Tensor:
        return self.gained - self.lost


def check_tails(energy: Energy, coordinates: Coordinates, key: str = "energy") -> None:
    """Refuses a composition over data units that cannot be normalised; one without negative weights or tilts is not looked at.

    Raises BadInput with the ray, the numbers, and the largest multiple of the negative weights that these rays admit. `key` is the
    scenario's key to blame.
    """
    if not any(_subtracts(part) for part in energy.modules()):
        return
    rays = _rays(coordinates.dimension)
    with torch.enable_grad():
        rays = torch.cat([rays, _turned(energy, coordinates, rays)])
    with torch.no_grad():
        grown = _along(energy, coordinates, rays)
    needed = coordinates.dimension * math.log(FAR / NEAR)
    worst = int(grown.net.argmin())
    if float(grown.net[worst]) > needed:
        return
    ratio = float(torch.where(grown.lost > 0, (grown.gained - needed) / grown.lost, torch.inf).min())
    direction = ", ".join(f"{v:.2f}" for v in rays[worst, :6].tolist()) + (", ..." if rays.shape[1] > 6 else "")
    way_out = "multiply every" if key == "penalties" else "multiply every negative"
    raise BadInput(
        Fault(
            f"U - sum(weight * U_minus) falls from {NEAR:g} to {FAR:g} along ({direction}): the energy gains "
            f"{float(grown.gained[worst]):.4g}, the penalties take {float(grown.lost[worst]):.4g}; exp(-U) cannot be normalised; "
            + (
                f"{way_out} weight by less than {ratio:.3g}" if ratio > 0 else "no smaller weight helps: confine the energy first"
            ),
            key=key,
        )
    )


def leaving(energy: Energy, coordinates: Coordinates, key: Key) -> list[str]:
    """Warnings where U₊ − Σ λ U₋ has its mass where neither U₊ nor any U₋ has; energies over data units, disjunctions aligned.

    Beyond a parent is above the level of energy that one of its own draws in a thousand exceeds. Particles keep to the modes of U₊ they
    were drawn from, whose masses do not matter here. Not measured past 64 dimensions.
    """
    if energy.dimension > PROBED_DIMENSIONS:
        return []
    found = (_left(terms, coordinates, key.fold(k)) for k, terms in enumerate(_sums(energy)))
    return [warning for warning in found if warning is not None]


def _left(terms: list[tuple[float, Energy]], coordinates: Coordinates, key: Key) -> str | None:
    positive = [(w, u) for w, u in terms if w > 0]
    if len(positive) in (0, len(terms)):
        return None
    follows = WeightedSum([u for _, u in positive], [w for w, _ in positive])
    x = _draws(positive[0][1] if len(positive) == 1 and positive[0][0] == 1 else follows, coordinates, key.fold("U+"))
    y = settle(WeightedSum([u for _, u in terms], [w for w, _ in terms]), coordinates, x[:MOVED], SETTLING, key.fold("settle"))
    outside = _beyond(follows, x, y)
    for i, u in enumerate(u for w, u in terms if w < 0):
        outside &= _beyond(u, _draws(u, coordinates, key.fold("U-", i)), y)
    share = float(outside.double().mean())
    if share <= MANY:
        return None
    with torch.no_grad():
        excess = float(follows(y).median() - follows(x).median())
    return (
        f"this composition leaves both parents: of {MOVED} particles drawn from U+ and then moved by U+ - sum(weight * U_minus), "
        f"{100 * share:.0f} % end where neither U+ nor any U_minus has mass, typically {excess:.1f} nats above U+'s own; "
        "lower the weight, or leave it to a filter with a tolerance"
    )


def _sums(energy: Energy) -> Iterator[list[tuple[float, Energy]]]:
    """Every sum inside a composition, nested ones multiplied out, as (weight, term)."""
    terms = _terms(energy, 1.0)
    if len(terms) > 1:
        yield terms
    for _, term in terms:
        inner = term.members() if isinstance(term, Disjunction) else [term.energy] if isinstance(term, Shifted | Tilted) else []
        for part in inner:
            yield from _sums(part)


def _terms(energy: Energy, weight: float) -> list[tuple[float, Energy]]:
    if isinstance(energy, Tempered):
        return _terms(energy.energy, weight / energy.temperature)
    if isinstance(energy, Combination):
        pairs = zip(energy.weights, energy.members(), strict=True)
        return [found for w, term in pairs for found in _terms(term, weight * w)]
    return [(weight, energy)]


def _draws(energy: Energy, coordinates: Coordinates, key: Key) -> Float[Tensor, "n d"]:
    if isinstance(energy, Tractable):
        return energy.sample(key.generator(), DRAWS)
    found = fit(energy, coordinates, key.fold("fit"), rounds=2, particles=DRAWS)
    return anneal(energy, found, key, islands=1, particles=DRAWS, moves=3, share=0.7).x[0]


@torch.no_grad()
def _beyond(energy: Energy, own: Tensor, y: Tensor) -> Tensor:
    """Which rows of y lie above the level that few of an energy's own draws exceed."""
    return energy(y) > energy(own).quantile(1 - RARE)


def _subtracts(part: object) -> bool:
    return isinstance(part, Tilted) or (isinstance(part, Combination) and min(part.weights) < 0)


def _rays(dimension: int) -> Tensor:
    """Both directions of every axis, and random ones."""
    random = Key(0).fold("rays").normal(torch.empty(RANDOM_RAYS, dimension, dtype=torch.float64))
    axes = torch.eye(dimension, dtype=torch.float64)
    return torch.cat([axes, -axes, random / random.norm(dim=1, keepdim=True)])


def _turned(energy: Energy, coordinates: Coordinates, rays: Tensor) -> Tensor:
    """The worst rays, turned to where the growth is least: power steps with the growth's slope, which end at its smallest eigenvector."""
    r = rays[_along(energy, coordinates, rays).net.detach().argsort()[:TURNED]]
    for _ in range(TURNS):
        _, slope = value_and_gradient(lambda r: _along(energy, coordinates, r).net, r)
        r = r - slope / (2 * slope.norm(dim=1).amax().clamp(min=1e-300))  # half a turn at most, so that no ray vanishes
        r = r / r.norm(dim=1, keepdim=True)
    return r.detach()


def _along(energy: Energy, coordinates: Coordinates, rays: Tensor) -> Growth:
    return _growth(energy, coordinates(NEAR * rays), coordinates(FAR * rays))


@singledispatch
def _growth(energy: Energy, near: Tensor, far: Tensor) -> Growth:
    """From near to far, in float64."""
    gained = energy(far) - energy(near)
    return Growth(gained, torch.zeros_like(gained))


@_growth.register
def _of_a_sum(energy: Combination, near: Tensor, far: Tensor) -> Growth:
    gained = lost = torch.zeros_like(near[:, 0])
    for w, term in zip(energy.weights, energy.members(), strict=True):
        g = _growth(term, near, far)
        gained, lost = (gained + w * g.gained, lost + w * g.lost) if w > 0 else (gained - w * g.lost, lost - w * g.gained)
    return Growth(gained, lost)


@_growth.register
def _of_either(energy: Disjunction, near: Tensor, far: Tensor) -> Growth:
    """Far out a disjunction is the term that grows least; offsets are nothing there, so it need not be aligned."""
    each = [_growth(term, near, far) for term in energy.members()]
    least = torch.stack([g.net for g in each]).argmin(0, keepdim=True)
    return Growth(*(torch.stack(part).gather(0, least)[0] for part in zip(*each, strict=True)))


@_growth.register
def _of_a_tempered(energy: Tempered, near: Tensor, far: Tensor) -> Growth:
    return Growth(*(part / energy.temperature for part in _growth(energy.energy, near, far)))


@_growth.register
def _of_a_shifted(energy: Shifted, near: Tensor, far: Tensor) -> Growth:
    return _growth(energy.energy, near - energy.shift.to(near.dtype), far - energy.shift.to(far.dtype))


@_growth.register
def _of_a_tilted(energy: Tilted, near: Tensor, far: Tensor) -> Growth:
    g, pull = _growth(energy.energy, near, far), (far - near) @ energy.tilt.to(far.dtype)
    return Growth(g.gained + (-pull).clamp(min=0), g.lost + pull.clamp(min=0))
