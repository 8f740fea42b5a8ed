"""The double well: U = B((x₀/a)² − 1)² + Σ_{i>0} xᵢ²/2s², two minima at x₀ = ±a with a barrier of B nats
between them.
"""

import math
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from lem_safe.energies.base import Energy
from lem_safe.energies.log_sobolev import Constant, holley_stroock
from lem_safe.energies.normaliser import NATS, log_line_integral
from lem_safe.energies.numbers import positive


class DoubleWell(Energy):
    """Two basins along the first column: crossing from one to the other takes time e^B."""

    example: ClassVar[dict[str, object]] = {
        "kind": "double_well",
        "dimension": 2,
        "barrier": 2.0,
        "well": 1.3,
        "std": 0.7,
    }

    def __init__(
        self,
        dimension: Annotated[int, Ge(1), Doc("The number of columns.")] = 2,
        barrier: Annotated[float, Gt(0), Doc("B, the height between the wells, in nats.")] = 3.0,
        well: Annotated[float, Gt(0), Doc("a, where the wells are: x0 = -a and a.")] = 1.0,
        std: Annotated[float, Gt(0), Doc("s, the standard deviation of every other column.")] = 1.0,
    ):
        super().__init__()
        if dimension < 1:
            raise ValueError(f"DoubleWell: dimension must be >= 1; got {dimension}")
        self.dimension, self.barrier = dimension, positive("DoubleWell", "barrier", barrier)
        self.well, self.std = positive("DoubleWell", "well", well), positive("DoubleWell", "std", std)

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return self.barrier * ((x[:, 0] / self.well) ** 2 - 1) ** 2 + x[:, 1:].square().sum(1) / (
            2 * self.std**2
        )

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        x = x.detach()
        u = x[:, :1] / self.well
        return self(x), torch.cat([4 * self.barrier / self.well * u * (u**2 - 1), x[:, 1:] / self.std**2], 1)

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        V = (
            torch.eye(self.dimension, dtype=x.dtype, device=x.device)
            if directions is None
            else directions.to(x.dtype)
        )
        bend = 4 * self.barrier / self.well**2 * (3 * (x[:, 0] / self.well) ** 2 - 1)
        return bend * V[0].square().sum() + V[1:].square().sum() / self.std**2

    def hessian_diagonal(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        bend = 4 * self.barrier / self.well**2 * (3 * (x[:, :1] / self.well) ** 2 - 1)
        return torch.cat([bend, torch.full_like(x[:, 1:], self.std**-2)], 1)

    def typical_points(self) -> Float[Tensor, "k d"]:
        well = self.well * torch.eye(self.dimension, dtype=torch.float64)[:1]
        return torch.cat([0 * well, well, -well])

    def surely_integrable(self, t: float = 1.0) -> bool:
        return True

    def log_integral(self, t: float = 1.0) -> float | None:
        B, end = t * self.barrier, math.sqrt(1 + math.sqrt(NATS / (t * self.barrier)))
        across = log_line_integral(lambda u: -B * (u**2 - 1) ** 2, -end, end)
        others = 0.5 * (self.dimension - 1) * math.log(2 * math.pi * self.std**2 / t)
        return math.log(self.well) + across + others

    def curvature_floor(self) -> float | None:
        across = -4 * self.barrier / self.well**2
        return across if self.dimension == 1 else min(across, self.std**-2)

    def log_sobolev(self, t: float = 1.0) -> Constant | None:
        """Compared with the κ-convex energy that is κx²/2 + c between its tangent points to the wells, and U
        outside them. With q = κa²/4B the perturbation varies by B(1 + q)², so C₀e^{−osc} =
        (4Bq/a²)e^{−B(1+q)²}, largest at 2Bq(1 + q) = 1.
        """
        B = t * self.barrier
        q = 0.5 * (math.sqrt(1 + 2 / B) - 1)
        across = holley_stroock(4 * B * q / self.well**2, B * (1 + q) ** 2)
        if self.dimension == 1:
            return across
        return Constant(min(across.value, t * self.std**-2), "Holley-Stroock")
