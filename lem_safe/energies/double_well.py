"""The double well: U = B((x₀/a)² − 1)² + Σ_{i>0} xᵢ²/2s², two minima at x₀ = ±a with a barrier of B nats
between them.
"""

from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt
from jaxtyping import Float
from torch import Tensor
from typing_extensions import Doc

from lem_safe.energies.base import Energy
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
