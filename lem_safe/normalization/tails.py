"""Whether an energy leaves anything to sample: U must outgrow the shells it is spread over, far out in every
direction (C.4).

Directions leave the mass along every axis and at random; each is judged as far out as numbers tell its two
sides apart, so no unit and no scale matters. Sixteen more descend on the shells and follow U's valleys
outwards, straight ones (a narrow penalty) and bent ones (a banana's ridge, along which U grows more slowly
than along any ray). About 10,000 evaluations of analytic terms; networks count by their confining terms, so
none is evaluated, and one alone, or a family normalised in closed form, is not looked at.

What passes may still leave both parents: the law exists, and is not the one meant. `leaving` draws particles
from U₊ and lets them follow U_safe for a while, and says in words when they end where no draw of either
parent would be.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from barriers.coordinates import Coordinates
from barriers.derivatives import jacobian, value_and_gradient
from lem_safe.energies.adjusted import Shifted, Tempered, Tilted
from lem_safe.energies.base import Energy, Tractable
from lem_safe.energies.composed import Combination, WeightedSum
from lem_safe.energies.disjunction import Disjunction
from lem_safe.energies.images.energy_matching import EnergyMatching
from lem_safe.energies.mapped import Mapped
from lem_safe.energies.mixture_based import MixtureBased
from lem_safe.energies.network import Confined
from lem_safe.energies.transported import Transported
from lem_safe.errors import BadInput, Fault
from lem_safe.keys import Key
from lem_safe.normalization.annealed_smc import anneal, fit, settle
from lem_safe.normalization.asymptotics import Far, Parts

RAYS, SHELLS, DOUBLING = 256, (1.0, 4.0, 16.0, 1e2, 1e4, 1e8, 1e16), 2.0
"""Random rays; the shells T at which growth is read, each up to twice as far."""
VISIBLE = 1e-11
"""The share of two sides that their difference must be, or it is rounding: then a nearer shell decides."""
VALLEYS, DECADES, DESCENT, CURVED = 16, 5, 30, 64
"""Points that follow valleys, over how many decades of T, with how many steps in each; more dimensions than
CURVED get fewer.
"""
ROUNDING = 1e-15
"""Of U on a shell, for each dimension: less than that is nothing at the bottom of a valley."""
HOPELESS = 1e-6
"""A weight is not worth naming where it is so small a part of what was asked for, or smaller the farther out
one looks.
"""

DRAWS, MOVED, SETTLING, PROBED_DIMENSIONS = 1024, 256, 200, 64
"""Draws of each parent, how many of U₊'s follow U_safe, for how many steps; and the dimensions up to which
that is worth its time.
"""
RARE, MANY = 0.001, 0.25
"""A parent's level of energy that one of its draws in a thousand exceeds; the share of particles beyond it
that is worth a warning.
"""


class Judged(NamedTuple):
    """One direction: where from and to, what U gained and lost, what it needed, and the multiple of what is
    lost that it admits.
    """

    near: Float[Tensor, "k d"]
    far: Float[Tensor, "k d"]
    grown: Parts
    needed: float
    admitted: Float[Tensor, "k"]
    floor: float
    """What U must gain not to be refused: all it needs along a ray; along a valley, which may narrow as it
    goes, more than rounding.
    """

    @property
    def falls(self) -> Tensor:
        """Where it does not; ∞ − ∞ says nothing."""
        return self.grown.net <= self.floor


def check_tails(energy: Energy, coordinates: Coordinates, key: str = "energy") -> None:
    """Refuses an energy over data units that cannot be normalised, whether something is subtracted or nothing
    confines it.

    Raises BadInput with the direction, the numbers and the way out: the largest multiple of the negative
    weights that these directions admit, where there is one. `key` is the scenario's key to blame.
    """
    if _known(energy):
        return
    far = Far(energy, coordinates)
    with torch.no_grad():
        rays = _rays(energy.dimension)
        straight = _straight(far, rays)
    found = [straight, _valleys(far, rays)]
    for judged in found:
        if bool(judged.falls.any()):
            raise BadInput(
                Fault(
                    _refusal(judged, min(float(f.admitted.nan_to_num(torch.inf).min()) for f in found), key),
                    key=key,
                )
            )


def leaving(energy: Energy, coordinates: Coordinates, key: Key) -> list[str]:
    """Warnings where U₊ − Σ λ U₋ has its mass where neither U₊ nor any U₋ has; energies over data units,
    disjunctions aligned.

    Beyond a parent is above the level of energy that one of its own draws in a thousand exceeds. Particles
    keep to the modes of U₊ they were drawn from, whose masses do not matter here. Not measured past 64
    dimensions.
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
    x = _draws(
        positive[0][1] if len(positive) == 1 and positive[0][0] == 1 else follows, coordinates, key.fold("U+")
    )
    y = settle(
        WeightedSum([u for _, u in terms], [w for w, _ in terms]),
        coordinates,
        x[:MOVED],
        SETTLING,
        key.fold("settle"),
    )
    outside = _beyond(follows, x, y)
    for i, u in enumerate(u for w, u in terms if w < 0):
        outside &= _beyond(u, _draws(u, coordinates, key.fold("U-", i)), y)
    share = float(outside.double().mean())
    if share <= MANY:
        return None
    with torch.no_grad():
        excess = float(follows(y).median() - follows(x).median())
    return (
        f"this composition leaves both parents: of {MOVED} particles drawn from U+ and then moved by U+ - "
        "sum(weight * U_minus), "
        f"{100 * share:.0f} % end where neither U+ nor any U_minus has mass, typically {excess:.1f} nats "
        "above U+'s own; "
        "lower the weight, or leave it to a filter with a tolerance"
    )


def _sums(energy: Energy) -> Iterator[list[tuple[float, Energy]]]:
    """Every sum inside a composition, nested ones multiplied out, as (weight, term)."""
    terms = _terms(energy, 1.0)
    if len(terms) > 1:
        yield terms
    for _, term in terms:
        inner = (
            term.members()
            if isinstance(term, Disjunction)
            else [term.energy]
            if isinstance(term, Shifted | Tilted)
            else []
        )
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


def _known(energy: Energy) -> bool:
    """Normalised in closed form, or a network with a confining term that is."""
    if isinstance(energy, Shifted | Mapped | Transported):
        return _known(energy.inner if isinstance(energy, Transported) else energy.energy)
    return isinstance(energy, Tractable | EnergyMatching | MixtureBased) or (
        isinstance(energy, Confined) and energy.confinement > 0
    )


def _refusal(judged: Judged, admitted: float, key: str) -> str:
    worst = int(torch.where(judged.falls, judged.grown.net, torch.inf).argmin())
    near, far, up, down = (
        judged.near[worst],
        judged.far[worst],
        *(float(part[worst]) for part in judged.grown),
    )
    direction = ", ".join(f"{v:.2g}" for v in (far / far.norm()).tolist()[:6]) + (
        ", ..." if len(far) > 6 else ""
    )
    way = f"from {float(near.norm()):.3g} to {float(far.norm()):.3g} along ({direction})"
    if down == 0:
        more = (
            f", or multiply it by more than {judged.needed / up:.3g}" if up > HOPELESS * judged.needed else ""
        )
        return (
            f"U gains {up:.4g} {way}, where the space it is spread over asks for more than "
            f"{judged.needed:.4g}; exp(-U) cannot be "
            f"normalised; add a term that confines it there, a gaussian say{more}"
        )
    which = "every" if key == "penalties" else "every negative"
    return (
        f"U - sum(weight * U_minus) does not grow as it must {way}: the energy gains {up:.4g}, the "
        f"penalties take {down:.4g}, and more than "
        f"{judged.needed:.4g} must be left; exp(-U) cannot be normalised; "
        + (
            f"multiply {which} weight by less than {admitted:.3g}"
            if admitted > HOPELESS
            else "no smaller weight helps: confine the energy first"
        )
    )


def _rays(dimension: int) -> Tensor:
    """Both directions of every axis and random ones; a few random ones in many dimensions, where valleys tell
    more.
    """
    few = dimension > CURVED
    random = (
        Key(0).fold("rays").normal(torch.empty(RAYS // 4 if few else RAYS, dimension, dtype=torch.float64))
    )
    axes = torch.eye(dimension, dtype=torch.float64)[: 0 if few else dimension]
    return torch.cat([axes, -axes, random / random.norm(dim=1, keepdim=True)])


def _straight(far: Far, rays: Tensor) -> Judged:
    """Every ray at the farthest shell where its two sides can be told apart."""
    T = torch.full_like(rays[:, 0], SHELLS[0])
    grown = Parts(*(torch.full_like(T, torch.nan) for _ in range(2)))
    admitted, needed = grown.up, far.needed(DOUBLING)
    for shell in SHELLS:
        there = far.grown(shell, DOUBLING, rays)
        told = ~there.net.isnan()
        admitted = torch.where(told & (there.down > 0), (there.up - needed) / there.down, admitted)
        told &= (there.net.abs() > VISIBLE * there.size) | ~there.size.isfinite() | grown.up.isnan()
        grown = Parts(*(torch.where(told, new, old) for new, old in zip(there, grown, strict=True)))
        T = torch.where(told, shell, T)
    near, beyond = (
        torch.stack([far.at(k * t, v[None])[0] for t, v in zip(T.tolist(), rays, strict=True)])
        for k in (1.0, DOUBLING)
    )
    return Judged(near, beyond, grown, needed, admitted, needed)


def _valleys(far: Far, rays: Tensor) -> Judged:
    """The lowest directions, moved down on every shell and on to the next, judged over the last decade.

    The nearer end is the lower one of where a point was and of where it would have been: one that is late to
    arrive has not fallen.
    """
    v = torch.cat([_bends(far, rays), _lowest(far, rays)])
    admitted: list[Tensor] = []
    for decade in range(1, DECADES + 1):
        T, before = 10.0**decade, v
        v = _descended(far, T, v)
        with torch.no_grad():
            start, other, end = far.parts(T / 10, before), far.parts(T / 10, v), far.parts(T, v)
            late = other.net < start.net
            start = Parts(*(torch.where(late, b, a) for a, b in zip(start, other, strict=True)))
            grown, needed = end.minus(start), far.needed(10.0)
            ratio = torch.where(grown.down > 0, (grown.up - needed) / grown.down, torch.nan)
            admitted.append(ratio)
    with torch.no_grad():
        rounding = (
            ROUNDING * far.energy.dimension * float(far.parts(T, rays).size.nan_to_num(torch.inf).median())
        )
    hopeless = admitted[-1] < admitted[-2] / 3
    return Judged(
        far.at(T / 10, before),
        far.at(T, v),
        grown,
        needed,
        torch.where(hopeless, 0.0, admitted[-1]),
        min(needed, rounding),
    )


@torch.no_grad()
def _lowest(far: Far, rays: Tensor) -> Tensor:
    kept = VALLEYS if far.energy.dimension <= CURVED else VALLEYS // 4
    return rays[_height(far, 10.0, rays).argsort()[:kept]]


def _height(far: Far, T: float, v: Tensor) -> Tensor:
    """U on a shell, ∞ where it is not a number."""
    return far.parts(T, v).net.nan_to_num(torch.inf, torch.inf, -torch.inf)


def _bends(far: Far, rays: Tensor) -> Tensor:
    """Both ends of the directions in which U bends least on a far shell: exact where it is quadratic, however
    narrow.
    """
    d = far.energy.dimension
    if d > CURVED or d == 1:
        return rays[:0]

    def slope(v: Tensor) -> Tensor:
        return value_and_gradient(lambda v: far.parts(1e3, v).net, v[None])[1][0]

    with torch.enable_grad():
        H = jacobian(slope, rays[2 * d].clone().requires_grad_())
    if not bool(H.isfinite().all()):
        return rays[:0]
    Q = torch.linalg.eigh((H + H.T) / 2).eigenvectors[:, : VALLEYS // 2].T
    return torch.cat([Q, -Q])


@torch.no_grad()
def _descended(far: Far, T: float, v: Tensor) -> Tensor:
    """Down on the shell: steps by an angle along the slope, longer after each that leads down, shorter after
    each that does not.
    """
    angle = torch.full_like(v[:, :1], 0.3)
    for _ in range(DESCENT):
        value, slope = value_and_gradient(lambda v: far.parts(T, v).net, v)
        slope = slope.nan_to_num(0.0, 0.0, 0.0)
        slope = slope / slope.abs().amax(1, keepdim=True).clamp(min=1e-300)
        slope = slope - (slope * v).sum(1, keepdim=True) * v
        there = torch.nn.functional.normalize(v - angle * torch.nn.functional.normalize(slope, eps=1e-300))
        lower = (_height(far, T, there) < value)[:, None]
        v, angle = torch.where(lower, there, v), torch.where(lower, 1.5 * angle, 0.4 * angle).clamp(max=1.0)
    return v
