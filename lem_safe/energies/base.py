"""An energy U in nats: ρ ∝ e^{−U} (E.1). A function of data units x; `in_coordinates` is the same energy over sampler coordinates z."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn


class Energy(nn.Module, ABC):
    """A scalar energy.

    dimension: d.
    """

    dimension: int
    example: ClassVar[dict[str, object]]
    """A specification of a member in two dimensions: what the law tests run on."""

    @abstractmethod
    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        """U(x) in nats, up to a constant."""

    @abstractmethod
    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        """U(x) and ∇U(x), detached, in one pass; no parameter gradient is computed."""

    @abstractmethod
    def laplacian(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        """ΔU(x), exact."""
