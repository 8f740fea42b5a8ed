"""How fast an energy grows far out, term by term, without a preset scale (C.4).

U is split into its positive and its negative terms (`Energy.growth`). A network's energy counts by its
confining term alone: the network is Lipschitz, or bounded, so it is of lower order, and no network is
evaluated.

A point far out is z = c + a T^w ∘ v, v on the unit sphere: c is the centre of the mass, a_i the distance
along axis i at which the energy has changed by LEVEL nats, and w_i is smaller where growth is faster (U ~ z₀⁴
+ z₁²: w = (½, 1)), so that a parabola z₁ = z₀² is one direction v.
"""

import math

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from lem_safe.energies.base import Energy
from lem_safe.energies.growth import Growth
from lem_safe.keys import Key

LEVELS = 1e3, 1.0
"""The scale a of an axis is the first distance at which the energy changes by this many nats."""
FARTHEST = 40.0
"""Decades to either side of 1 within which that distance is searched."""
AXES = 64
"""Dimensions up to which every axis has its own scale; one scale for all of them beyond."""


class Far:
    """The asymptotic growth of an energy over data units, in sampler coordinates.

    weights: w. needed(k): nats that U must gain where T grows k-fold for e^{−U} to be integrable: Σw log k.
    """

    def __init__(self, energy: Energy, coordinates: Coordinates):
        d = energy.dimension
        self.energy, self.coordinates = energy, coordinates
        z = coordinates.inverse(energy.typical_points())
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

    def growth(self, T: float, v: Float[Tensor, "n d"]) -> Growth:
        return self.energy.growth(self.coordinates(self.at(T, v)))

    def grown(self, T: float, factor: float, v: Float[Tensor, "n d"]) -> Growth:
        """The gain of both parts from T to factor · T."""
        return self.growth(factor * T, v).minus(self.growth(T, v))

    @torch.no_grad()
    def _measured(self, rays: Tensor) -> tuple[Tensor, Tensor]:
        """Along each ray from the centre: the distance of the first level, and the power with which U grows
        up to a million times that distance.
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
        here = self.energy.growth(self.coordinates(self.center + 0 * rays))
        return (
            self.energy.growth(self.coordinates(self.center + distance[:, None] * rays))
            .minus(here)
            .size.nan_to_num(torch.inf)
        )
