"""Built-in distributions in the plane, defined by their draws: common targets of energy-based models."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt
from jaxtyping import Float64
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from lem_safe.data.source import Dataset, DataSource, digest, generator

Samples = Annotated[int, Ge(2), Doc("The number of rows in the training table.")]


class Planar(DataSource):
    """A distribution over (x0, x1) with fresh draws on demand."""

    samples: int

    @property
    def columns(self) -> tuple[str, ...]:
        return ("x0", "x1")

    @abstractmethod
    def draw(self, generator: torch.Generator, n: int) -> Float64[Tensor, "n 2"]:
        """n independent draws."""

    def load(self, seed: int) -> Dataset:
        return Dataset(self.draw(generator(type(self).__name__, seed), self.samples), self.columns)

    def fingerprint(self) -> str:
        return digest(repr(self))


@dataclass(frozen=True)
class EightGaussians(Planar):
    """Eight equal Gaussians on a circle, the first at (radius, 0)."""

    example: ClassVar[dict[str, object]] = {"kind": "eight_gaussians"}

    radius: Annotated[float, Gt(0), Doc("The radius of the circle.")] = 2.0
    std: Annotated[float, Gt(0), Doc("The standard deviation of each component.")] = 0.25
    samples: Samples = 20_000

    def draw(self, generator: torch.Generator, n: int) -> Float64[Tensor, "n 2"]:
        θ = torch.randint(8, (n,), generator=generator).double() * (math.pi / 4)
        return _circle(self.radius, θ) + self.std * _normal(generator, n)


@dataclass(frozen=True)
class TwoMoons(Planar):
    """Two interleaved half circles of radius 1, centred on the origin."""

    example: ClassVar[dict[str, object]] = {"kind": "two_moons"}

    std: Annotated[float, Gt(0), Doc("The standard deviation across each moon.")] = 0.1
    samples: Samples = 20_000

    def draw(self, generator: torch.Generator, n: int) -> Float64[Tensor, "n 2"]:
        upper = torch.randint(2, (n, 1), generator=generator).bool()
        θ = math.pi * _uniform(generator, n)
        arc = _circle(1.0, θ)
        moons = torch.where(upper, arc - torch.tensor([0.5, 0.25]), torch.tensor([0.5, 0.25]) - arc)
        return moons + self.std * _normal(generator, n)


@dataclass(frozen=True)
class Rings(Planar):
    """Concentric rings of equal mass, with radii step, 2·step, …"""

    example: ClassVar[dict[str, object]] = {"kind": "rings"}

    rings: Annotated[int, Ge(1), Doc("How many rings.")] = 3
    step: Annotated[float, Gt(0), Doc("The distance between one ring and the next.")] = 1.0
    std: Annotated[float, Gt(0), Doc("The standard deviation across each ring.")] = 0.1
    samples: Samples = 20_000

    def draw(self, generator: torch.Generator, n: int) -> Float64[Tensor, "n 2"]:
        ring = 1 + torch.randint(self.rings, (n, 1), generator=generator).double()
        return self.step * ring * _circle(1.0, 2 * math.pi * _uniform(generator, n)) + self.std * _normal(
            generator, n
        )


@dataclass(frozen=True)
class Checkerboard(Planar):
    """Uniform over the dark squares of a 4 × 4 board centred on the origin."""

    example: ClassVar[dict[str, object]] = {"kind": "checkerboard"}

    cell: Annotated[float, Gt(0), Doc("The side of a square.")] = 1.0
    samples: Samples = 20_000

    def draw(self, generator: torch.Generator, n: int) -> Float64[Tensor, "n 2"]:
        column = torch.randint(4, (n,), generator=generator)
        row = 2 * torch.randint(2, (n,), generator=generator) + column % 2
        within = torch.rand(n, 2, generator=generator, dtype=torch.float64)
        return self.cell * (torch.stack([column, row], 1) - 2 + within)


@dataclass(frozen=True)
class Pinwheel(Planar):
    """Radial Gaussian arms, wound by a rotation that grows as e^radius."""

    example: ClassVar[dict[str, object]] = {"kind": "pinwheel"}

    arms: Annotated[int, Ge(1), Doc("How many arms.")] = 5
    radial_std: Annotated[float, Gt(0), Doc("The spread along an arm.")] = 0.3
    tangential_std: Annotated[float, Gt(0), Doc("The spread across an arm.")] = 0.1
    rate: Annotated[float, Doc("How fast an arm turns with the radius.")] = 0.25
    scale: Annotated[float, Gt(0), Doc("A factor that scales the whole pattern.")] = 2.0
    samples: Samples = 20_000

    def draw(self, generator: torch.Generator, n: int) -> Float64[Tensor, "n 2"]:
        arm = torch.randint(self.arms, (n,), generator=generator).double()
        p = _normal(generator, n) * torch.tensor([self.radial_std, self.tangential_std]) + torch.tensor(
            [1.0, 0.0]
        )
        θ = 2 * math.pi * arm / self.arms + self.rate * p[:, 0].exp()
        u, v = _circle(1.0, θ).unbind(1)
        return self.scale * torch.stack([p[:, 0] * u - p[:, 1] * v, p[:, 0] * v + p[:, 1] * u], 1)


@dataclass(frozen=True)
class SwissRoll(Planar):
    """The spiral (t cos t, t sin t)·scale, t uniform from 1.5π to 4.5π."""

    example: ClassVar[dict[str, object]] = {"kind": "swiss_roll"}

    scale: Annotated[float, Gt(0), Doc("A factor that scales the whole pattern.")] = 0.2
    std: Annotated[float, Gt(0), Doc("The standard deviation across the roll.")] = 0.1
    samples: Samples = 20_000

    def draw(self, generator: torch.Generator, n: int) -> Float64[Tensor, "n 2"]:
        t = 1.5 * math.pi * (1 + 2 * _uniform(generator, n))
        return self.scale * t[:, None] * _circle(1.0, t) + self.std * _normal(generator, n)


def _circle(radius: float, θ: Tensor) -> Tensor:
    return radius * torch.stack([θ.cos(), θ.sin()], 1)


def _normal(generator: torch.Generator, n: int) -> Tensor:
    return torch.randn(n, 2, generator=generator, dtype=torch.float64)


def _uniform(generator: torch.Generator, n: int) -> Tensor:
    return torch.rand(n, generator=generator, dtype=torch.float64)
