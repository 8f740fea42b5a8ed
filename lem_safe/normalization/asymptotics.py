"""How fast an energy grows far out, term by term, without a scale of its own (C.4).

U is split into what its positive terms make of a point and what its negative ones take. A network's energy
counts by its confining term
alone: the network is Lipschitz, or bounded, so it is of lower order, and no network is evaluated.

A point far out is z = c + a T^w ∘ v, v on the unit sphere: c is where the mass is, a_i how far along axis i
the energy has moved by LEVEL nats, and w_i is smaller where growth is faster (U ~ z₀⁴ + z₁²: w = (½, 1)), so
that a parabola z₁ = z₀² is one direction v.
"""

import math
from functools import singledispatch
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from barriers.coordinates import Coordinates
from lem_safe.energies.adjusted import Shifted, Tempered, Tilted
from lem_safe.energies.base import Energy, Tractable
from lem_safe.energies.composed import Combination
from lem_safe.energies.disjunction import Disjunction
from lem_safe.energies.double_well import DoubleWell
from lem_safe.energies.images.energy_matching import EnergyMatching
from lem_safe.energies.mapped import Mapped
from lem_safe.energies.mixture_based import MixtureBased
from lem_safe.energies.network import Confined, NetworkEnergy
from lem_safe.energies.pulled import Pulled
from lem_safe.energies.quadratic import Quadratic
from lem_safe.energies.ring import Ring
from lem_safe.energies.transported import Transported
from lem_safe.energies.unrolled import Unrolled
from lem_safe.keys import Key

LEVELS = 1e3, 1.0
"""Nats that an axis' scale a is measured by: the first where the energy moves so much at all."""
FARTHEST = 40.0
"""Decades to either side of 1 within which that is looked for."""
AXES = 64
"""Dimensions up to which every axis has its own scale; one scale for all of them beyond."""
POINTS = 64


class Parts(NamedTuple):
    """U = up − down at each point, up to a constant."""

    up: Float[Tensor, "n"]
    down: Float[Tensor, "n"]

    @property
    def net(self) -> Tensor:
        """U; ∞ where nothing that is subtracted is infinite too, NaN where both are."""
        return self.up - self.down

    @property
    def size(self) -> Tensor:
        return self.up.abs() + self.down.abs()

    def minus(self, other: "Parts") -> "Parts":
        return Parts(self.up - other.up, self.down - other.down)


class Far:
    """An energy over data units as seen from far out, in sampler coordinates.

    weights: w. needed(k): nats that U must gain where T grows k-fold, or the shells outgrow e^{−U}: Σw log k.
    """

    def __init__(self, energy: Energy, coordinates: Coordinates):
        d = energy.dimension
        self.energy, self.coordinates = energy, coordinates
        z = coordinates.inverse(points(energy).double())
        self.center = z.median(0).values
        self.spread = (z - self.center).abs().quantile(0.9, 0)
        if d <= AXES:
            axes = torch.eye(d, dtype=torch.float64)
            scale, power = self._measured(torch.cat([axes, -axes]))
            self.scale, power = scale.view(2, d).amax(0), power.view(2, d).nanmedian(0).values.nan_to_num(1.0)
        else:
            rays = torch.nn.functional.normalize(
                Key(0).fold("scale").normal(torch.empty(4, d, dtype=torch.float64))
            )
            scale, power = self._measured(rays)
            self.scale, power = (
                scale.median() * torch.ones(d, dtype=torch.float64),
                torch.ones(d, dtype=torch.float64),
            )
        power = power.clamp(1, 8)
        self.weights = power.min() / power

    def needed(self, factor: float) -> float:
        return float(self.weights.sum()) * math.log(factor)

    def at(self, T: float, v: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return self.center + self.scale * T**self.weights * v

    def parts(self, T: float, v: Float[Tensor, "n d"]) -> Parts:
        return split(self.energy, self.coordinates(self.at(T, v)))

    def grown(self, T: float, factor: float, v: Float[Tensor, "n d"]) -> Parts:
        """What both parts gain from T to factor · T."""
        return self.parts(factor * T, v).minus(self.parts(T, v))

    @torch.no_grad()
    def _measured(self, rays: Tensor) -> tuple[Tensor, Tensor]:
        """Along each ray from the centre: how far the first level is, and the power U grows with a million
        times as far.
        """
        least = 3 * (rays.abs() * self.spread).sum(1)
        distance = torch.full_like(least, torch.nan)
        for level in LEVELS:
            low, high = torch.full_like(least, -FARTHEST), torch.full_like(least, FARTHEST)
            reached = self._moved(10**high, rays) >= level
            for _ in range(12):
                middle = (low + high) / 2
                far = self._moved(10**middle, rays) >= level
                low, high = torch.where(far, low, middle), torch.where(far, middle, high)
            distance = torch.where(distance.isnan() & reached, 10**high, distance)
        distance = torch.where(distance.isnan(), distance.nan_to_num(0.0).amax().clamp(min=1e-30), distance)
        distance = distance.maximum(least)
        once, more = self._moved(1e6 * distance, rays), self._moved(1e7 * distance, rays)
        power = torch.where((once > 0) & more.isfinite(), (more / once).log10(), torch.nan)
        return distance, power

    def _moved(self, distance: Tensor, rays: Tensor) -> Tensor:
        here = split(self.energy, self.coordinates(self.center + 0 * rays))
        return (
            split(self.energy, self.coordinates(self.center + distance[:, None] * rays))
            .minus(here)
            .size.nan_to_num(torch.inf)
        )


@singledispatch
def split(energy: Energy, x: Float[Tensor, "n d"]) -> Parts:
    """What adds to U and what takes from it at x, data units, float64."""
    value = energy(x)
    return Parts(value, torch.zeros_like(value))


@split.register
def _of_a_network(energy: NetworkEnergy, x: Tensor) -> Parts:
    value = energy.confining(x)
    return Parts(value, torch.zeros_like(value))


@split.register
def _of_images(energy: EnergyMatching, x: Tensor) -> Parts:
    value = energy.confining(x)
    return Parts(value, torch.zeros_like(value))


@split.register
def _of_a_sum(energy: Combination, x: Tensor) -> Parts:
    up = down = torch.zeros_like(x[:, 0])
    for w, term in zip(energy.weights, energy.members(), strict=True):
        part = split(term, x)
        if w > 0:
            up, down = up + w * part.up, down + w * part.down
        elif w < 0:
            up, down = up - w * part.down, down - w * part.up
    return Parts(up, down)


@split.register
def _of_either(energy: Disjunction, x: Tensor) -> Parts:
    """Far out a disjunction is its lowest term; offsets are nothing there, so it need not be aligned."""
    each = [split(term, x) for term in energy.members()]
    lowest = torch.stack([part.net for part in each]).argmin(0, keepdim=True)
    return Parts(*(torch.stack(part).gather(0, lowest)[0] for part in zip(*each, strict=True)))


@split.register
def _of_a_tempered(energy: Tempered, x: Tensor) -> Parts:
    return Parts(*(part / energy.temperature for part in split(energy.energy, x)))


@split.register
def _of_a_shifted(energy: Shifted, x: Tensor) -> Parts:
    return split(energy.energy, x - energy.shift.to(x.dtype))


@split.register
def _of_a_tilted(energy: Tilted, x: Tensor) -> Parts:
    part, pull = split(energy.energy, x), x @ energy.tilt.to(x.dtype)
    return Parts(part.up + (-pull).clamp(min=0), part.down + pull.clamp(min=0))


@split.register
def _of_a_transported(energy: Transported, x: Tensor) -> Parts:
    return split(energy.inner, energy.coordinates.inverse(x))


@split.register
def _of_a_mapped(energy: Mapped, x: Tensor) -> Parts:
    return split(energy.energy, energy.coordinates.inverse(x))


@split.register
def _of_a_pulled(energy: Pulled, x: Tensor) -> Parts:
    return split(energy.original, energy.coordinates(x))


@split.register
def _of_an_unrolled(energy: Unrolled, x: Tensor) -> Parts:
    return split(energy.energy, x)


@singledispatch
def points(energy: Energy) -> Float[Tensor, "k d"]:
    """Some points about which each term of an energy is, data units: draws where it can be drawn from, else
    its centre.
    """
    return torch.zeros(1, energy.dimension, dtype=torch.float64)


@points.register
def _drawn(energy: Tractable) -> Tensor:
    return energy.sample(Key(0).fold("points").generator(), POINTS)


@points.register
def _centered(energy: Quadratic | Confined) -> Tensor:
    return energy.center.double().cpu()[None]


@points.register
def _around(energy: Ring) -> Tensor:
    rim = energy.radius * torch.eye(energy.dimension, dtype=torch.float64)
    return energy.center.double().cpu() + torch.cat([0 * rim[:1], rim, -rim])


@points.register
def _wells(energy: DoubleWell) -> Tensor:
    well = energy.well * torch.eye(energy.dimension, dtype=torch.float64)[:1]
    return torch.cat([0 * well, well, -well])


@points.register
def _of_its_base(energy: MixtureBased) -> Tensor:
    return points(energy.base)


@points.register
def _of_all(energy: Combination | Disjunction) -> Tensor:
    """As many of each term."""
    each = [points(term) for term in energy.members()]
    return torch.cat([part[torch.arange(POINTS) % part.shape[0]] for part in each])


@points.register
def _of_one(energy: Tempered | Tilted | Unrolled) -> Tensor:
    return points(energy.energy)


@points.register
def _moved(energy: Shifted) -> Tensor:
    return points(energy.energy) + energy.shift.double().cpu()


@points.register
def _placed(energy: Transported) -> Tensor:
    return energy.coordinates(points(energy.inner))


@points.register
def _mapped(energy: Mapped) -> Tensor:
    return energy.coordinates(points(energy.energy))


@points.register
def _replaced(energy: Pulled) -> Tensor:
    return energy.coordinates.inverse(points(energy.original))
