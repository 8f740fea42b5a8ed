"""Energy Matching (T.5): one potential V = εU that first carries noise to data, and near the data is that of
e^{−V/ε} (Balcerak et al. 2025).

flow           E‖−∇V(x_t) − (x₁ − x₀)‖²,  x_t = (1 − t)x₀ + t x₁,  t uniform in [0, τ*], x₀ ~ N(0, I) paired
               with the batch x₁ by the assignment that minimises Σ‖x₁ − x₀‖² (exact, over the batch)
contrastive    E V(x) − E V(y),  y after k Langevin steps y' = y − h∇U(y) + √(2h)ξ at temperature ε, started
in
               part at the batch, in part at noise; its gradient vanishes where data and negatives have the
               same E ∂V

The energy is learned in nats, U = V/ε, so nothing downstream has a temperature (E.1). Score matching compares
slopes and is almost insensitive to the masses of separate modes; negatives that start at noise are not.
"""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Le, Lt
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from lem_safe.energies.network import Trainable
from lem_safe.energies.numbers import positive
from lem_safe.errors import NumericalFailure
from lem_safe.training.loss import Loss, Stage, Staged

SCORED_ROWS = 2048
"""Held-out rows that a score compares with as many negatives."""


@dataclass(frozen=True)
class Flow(Loss):
    """The warm-up: −∇V is the velocity that carries N(0, I) to the data along straight lines, t ≤ horizon."""

    spreads: ClassVar[bool] = True

    temperature: float
    horizon: float = 1.0

    def __call__(
        self, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        ε, x0 = self.temperature, torch.randn(z.shape, generator=generator, dtype=z.dtype)
        x1 = z[assignment(x0, z)]
        t = self.horizon * torch.rand(z.shape[0], 1, generator=generator, dtype=z.dtype)
        return (ε * energy.gradient((1 - t) * x0 + t * x1) + (x1 - x0)).square().sum(-1).mean()


@dataclass(frozen=True)
class Contrastive(Loss):
    """Contrastive divergence: V decreases at the data and increases at negatives drawn by Langevin dynamics
    of U.
    """

    spreads: ClassVar[bool] = True

    temperature: float
    negative_steps: int
    step_size: float
    from_data: float = 0.5

    def __call__(
        self, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        y = negatives(energy, self.starts(z, generator), self.negative_steps, self.step_size, generator)
        return self.temperature * (energy(z).mean() - energy(y).mean())

    def starts(self, z: Float[Tensor, "n d"], generator: torch.Generator) -> Float[Tensor, "n d"]:
        """The start of the negatives: the first rows of the batch, then noise."""
        kept = round(self.from_data * z.shape[0])
        noise = torch.randn(z.shape, generator=generator, dtype=z.dtype)
        return torch.cat([z[:kept], noise[kept:]])


@dataclass(frozen=True)
class EnergyMatching(Staged):
    """Energy Matching: an optimal-transport flow as warm-up, then contrastive divergence with Langevin
    negatives.
    """

    spreads: ClassVar[bool] = True
    example: ClassVar[dict[str, object]] = {
        "kind": "energy_matching",
        "negative_steps": 20,
        "step_size": 0.05,
    }

    temperature: Annotated[
        float, Gt(0), Doc("ε: U = V/ε. A smaller ε makes the flow's potential steeper in nats.")
    ] = 0.1
    warm_up: Annotated[
        float, Ge(0), Lt(1), Doc("The fraction of the training steps that match the flow.")
    ] = 0.25
    horizon: Annotated[float, Gt(0), Le(1), Doc("τ*: the flow is matched for times up to it.")] = 1.0
    negative_steps: Annotated[
        int, Ge(1), Doc("k, the number of Langevin steps that produce a negative sample.")
    ] = 40
    step_size: Annotated[
        float,
        Gt(0),
        Doc("The step size h of those steps, in whitened coordinates and nats, as for a sampler."),
    ] = 0.005
    from_data: Annotated[
        float, Ge(0), Le(1), Doc("The fraction of negatives that start at rows; the others start at noise.")
    ] = 0.5

    def __post_init__(self) -> None:
        for name in ("temperature", "horizon", "step_size"):
            positive("EnergyMatching", name, getattr(self, name))
        if self.negative_steps < 1:
            raise ValueError(f"EnergyMatching: negative_steps must be >= 1; got {self.negative_steps}")
        if not 0 <= self.warm_up < 1:
            raise ValueError(f"EnergyMatching: warm_up must be in [0, 1); got {self.warm_up:g}")
        if not 0 <= self.from_data <= 1:
            raise ValueError(f"EnergyMatching: from_data must be in [0, 1]; got {self.from_data:g}")

    def stages(self) -> tuple[Stage, ...]:
        flow = (Stage(self.warm_up, Flow(self.temperature, self.horizon)),) if self.warm_up > 0 else ()
        return (*flow, Stage(1.0, self._contrastive()))

    def __call__(
        self, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        return self._contrastive()(energy, z, generator)

    @torch.no_grad()
    def score(
        self, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """The energy distance between held-out rows and as many negatives that start at noise and take four
        times the steps.
        """
        rows = z[:SCORED_ROWS]
        noise = torch.randn(rows.shape, generator=generator, dtype=z.dtype)
        return energy_distance(
            rows, negatives(energy, noise, 4 * self.negative_steps, self.step_size, generator)
        )

    def _contrastive(self) -> Contrastive:
        return Contrastive(self.temperature, self.negative_steps, self.step_size, self.from_data)


@torch.no_grad()
def negatives(
    energy: Trainable, y: Float[Tensor, "n d"], steps: int, step_size: float, generator: torch.Generator
) -> Float[Tensor, "n d"]:
    """The positions after Langevin steps from y on U (E.2); NumericalFailure where they are not finite."""
    h = step_size
    for _ in range(steps):
        ξ = torch.randn(y.shape, generator=generator, dtype=y.dtype)
        y = y - h * energy.value_and_gradient(y)[1] + math.sqrt(2 * h) * ξ
    if bool(torch.isfinite(y).all()):
        return y
    raise NumericalFailure(f"Langevin negatives are not finite at loss.step_size = {h:g}; make it smaller")


def assignment(x: Float[Tensor, "n d"], y: Float[Tensor, "n d"]) -> Tensor:
    """The permutation π that minimises Σ‖xᵢ − y_π(i)‖², exactly."""
    from scipy.optimize import linear_sum_assignment

    cost = torch.cdist(x.double(), y.double()).square()
    return torch.from_numpy(linear_sum_assignment(cost.numpy())[1])


def energy_distance(x: Float[Tensor, "n d"], y: Float[Tensor, "k d"]) -> Float[Tensor, ""]:
    """2E‖x − y‖ − E‖x − x'‖ − E‖y − y'‖: 0 on average exactly where the distributions agree, including the
    masses of modes.
    """
    n, k = x.shape[0], y.shape[0]
    within = torch.cdist(x, x).sum() / (n * (n - 1)) + torch.cdist(y, y).sum() / (k * (k - 1))
    return 2 * torch.cdist(x, y).mean() - within
