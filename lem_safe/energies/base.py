"""An energy U in nats: ρ ∝ e^{−U} (E.1). A function of data units x; `in_coordinates` is the same energy over
sampler units z.

Changes of coordinates meet second derivatives as tr(Vᵀ∇²U V), the Laplacian of y ↦ U(x + Vy); so `laplacian`
takes V, and a chain of affine maps, sums and mixtures keeps its closed form.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Energy(nn.Module, ABC):
    """A scalar energy; every result has the dtype of x, whatever the dtype of the buffers.

    dimension: d.
    """

    dimension: int
    example: ClassVar[dict[str, object]]
    """A specification of a member in two dimensions: what the law tests run on."""
    estimate: str | None = None
    """How `laplacian` is estimated, in words; None where it is exact for the energy itself, whatever it is
    made of.
    """

    @property
    def laplacian_method(self) -> str:
        """`exact`, or the estimates that ΔU rests on, its own and those of its parts: `Hutchinson, 32
        probes`.
        """
        found = {
            part.estimate for part in self.modules() if isinstance(part, Energy) and part.estimate is not None
        }
        return "; ".join(sorted(found)) or "exact"

    @abstractmethod
    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        """U(x) in nats, up to a constant; differentiable."""

    @abstractmethod
    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        """U(x) and ∇U(x), detached, in one pass; no parameter gradient is computed."""

    @abstractmethod
    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        """ΔU(x), by `laplacian_method`; with `directions` V, tr(Vᵀ∇²U V): the sum of the second derivatives
        along V's columns.
        """


class Tractable(Energy):
    """An energy whose distribution can be drawn from exactly."""

    @abstractmethod
    def sample(self, generator: torch.Generator, n: int) -> Float[Tensor, "n d"]:
        """n independent draws from e^{−U}/Z, float64, on the CPU."""


def squared_norm(
    matrix: Float[Tensor, "*k d"], directions: Float[Tensor, "d r"] | None
) -> Float[Tensor, "*k"]:
    """‖Vᵀa‖² for every row a of `matrix`, and ‖a‖² where V is None."""
    return (matrix if directions is None else matrix @ directions.to(matrix.dtype)).square().sum(-1)
