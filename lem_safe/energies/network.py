"""A network energy over sampler coordinates: U(z) = net(z) + ½κ‖z − c‖², net an MLP of L hidden layers (E.4).

With h_1 = W_1 z + b_1, h_{l+1} = W_{l+1} a(h_l) + b_{l+1} and net = wᵀa(h_L), the backward pass is written out,

    δ_L = w,   δ_l = W_{l+1}ᵀ(δ_{l+1} ∘ a′(h_{l+1})),   ∇net = W_1ᵀ(δ_1 ∘ a′(h_1)),

so a gradient is one sweep there and one back with nothing recorded, and training needs one ordinary backward pass through it
instead of a double one. For second derivatives the Jacobian J_l = (∂h_l/∂z) V travels forward beside the values:

    tr(Vᵀ∇²net V) = Σ_l Σ_j δ_lj a″(h_lj) ‖J_lj‖².

Without confinement a SiLU network falls without bound along some ray; κ > 0 makes e^{−U} integrable whatever the weights.
"""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lem_safe.energies.activations import ACTIVATIONS
from lem_safe.energies.base import Energy, squared_norm

ROWS = 16384
"""Particles pushed through the layers at once while sampling: bounds the memory that hidden layers take."""

CACHED = 2**17
"""Numbers of a Jacobian [rows, directions, width] that are worked on at once: twice as fast as all rows, which leave the cache."""


class Trainable(Energy):
    """An energy with parameters to learn."""

    @abstractmethod
    def gradient(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """∇U(x), differentiable in the parameters."""


class NetworkEnergy(Trainable):
    """The MLP energy. widths: [d, hidden, …, hidden]; confinement: κ > 0; the centre c starts at 0, the mean of whitened data."""

    center: Tensor

    def __init__(self, widths: Sequence[int], activation: str, confinement: float, generator: torch.Generator):
        super().__init__()
        layers = list(zip(widths, widths[1:], strict=False))
        self.matrices = nn.ParameterList(_uniform((o, i), i, generator) for i, o in layers)
        self.biases = nn.ParameterList(_uniform((o,), i, generator) for i, o in layers)
        self.readout = nn.Parameter(_uniform((widths[-1],), widths[-1], generator))
        self.register_buffer("center", torch.zeros(widths[0]))
        self.activation, self.confinement, self.dimension = ACTIVATIONS[activation], confinement, widths[0]

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        a = x
        for W, b in self._layers(x):
            a = self.activation.value(torch.addmm(b, a, W.T))
        return a @ self.readout.to(x.dtype) + self._confining(x)[0]

    @torch.no_grad()
    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        if x.shape[0] <= ROWS:
            return self._sweep(x)
        values, gradients = zip(*(self._sweep(rows) for rows in x.split(ROWS)), strict=True)
        return torch.cat(values), torch.cat(gradients)

    def gradient(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        layers, a, slopes = self._layers(x), x, []
        for W, b in layers:
            a, slope = self.activation.value_and_slope(torch.addmm(b, a, W.T))
            slopes.append(slope)
        δ = self.readout.to(x.dtype)
        for (W, _), slope in zip(reversed(layers), reversed(slopes), strict=True):
            δ = (δ * slope) @ W
        return δ + self._confining(x)[1]

    def laplacian(self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None) -> Float[Tensor, "n"]:
        V = torch.eye(self.dimension, dtype=x.dtype, device=x.device) if directions is None else directions.to(x.dtype)
        rows = max(1, CACHED // (V.shape[1] * self.readout.shape[0]))
        return torch.cat([self._trace(part, V) for part in x.split(rows)])

    def _trace(self, x: Tensor, V: Tensor) -> Tensor:
        layers, a = self._layers(x), x
        kept: list[tuple[Tensor, Tensor]] = []
        J = V.T[None]  # [1 or n, r, width]: a Jacobian that no activation has touched yet is the same for every particle
        for W, b in layers:
            if kept:
                J = kept[-1][0][:, None] * J
            J = J @ W.T
            a, slope, bend = self.activation.jet(torch.addmm(b, a, W.T))
            kept.append((slope, bend * J.square().sum(1)))
        δ, trace = self.readout.to(x.dtype).expand_as(a), self.confinement * squared_norm(V, None).sum()
        for (W, _), (slope, bent) in zip(reversed(layers), reversed(kept), strict=True):
            trace = trace + (δ * bent).sum(1)
            δ = (δ * slope) @ W
        return trace

    def _sweep(self, x: Tensor) -> tuple[Tensor, Tensor]:
        layers, a, inputs = self._layers(x), x, []
        for W, b in layers:
            inputs.append(torch.addmm(b, a, W.T))
            a = self.activation.value(inputs[-1])
        w = self.readout.to(x.dtype)
        δ = w.expand_as(a)
        for (W, _), h in zip(reversed(layers), reversed(inputs), strict=True):
            δ = self.activation.backward(δ, h) @ W
        value, gradient = self._confining(x)
        return value.addmv_(a, w), gradient.add_(δ)

    def _layers(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        return [(W.to(x.dtype), b.to(x.dtype)) for W, b in zip(self.matrices, self.biases, strict=True)]

    def _confining(self, x: Tensor) -> tuple[Tensor, Tensor]:
        offset = x - self.center.to(x.dtype)
        return 0.5 * self.confinement * offset.square().sum(-1), self.confinement * offset


def _uniform(shape: tuple[int, ...], fan_in: int, generator: torch.Generator) -> nn.Parameter:
    """Uniform in ±1/√fan_in: the initialisation of torch's own linear layers, from an explicit generator."""
    return nn.Parameter((2 * torch.rand(shape, generator=generator) - 1) * fan_in**-0.5)
