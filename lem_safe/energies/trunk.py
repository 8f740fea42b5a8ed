"""Functions f: ℝᵏ → ℝ with parameters, and the derivatives that energies need, written out.

Every trunk here consists of affine maps and elementwise activations. At a site h = (affine of the previous),
a = a(h), with δ = ∂f/∂a and J the Jacobian of h along some directions V, propagated forward,

    tr(Vᵀ∇²f V) = Σ_sites Σ_j δ_j a″(h_j) ‖J_j‖²,

because affine maps have no second derivative: the trace is exact after one forward and one backward sweep.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, nn, torch
from barriers.products import TORCH, Products, products
from lem_safe.energies.activations import ACTIVATIONS

BLOCK = 2**18
"""The size of a Jacobian [rows, directions, width] in a workspace: larger ones do not fit the cache, smaller
ones do not use the processor fully.
"""


NARROW = 8
"""Products with at most so many columns are computed transposed."""


class Traced(NamedTuple):
    """∇f(x) and tr(JᵀHJ), H = ∇²f(x); both differentiable in the parameters."""

    gradient: Float[Tensor, "n k"]
    trace: Float[Tensor, "n"]


class Workspace:
    """Two arrays used alternately by the layers of a sweep where nothing is recorded: reused memory need not
    be cleared, which costs as much here as the arithmetic.
    """

    def __init__(self) -> None:
        self._held: dict[int, Tensor] = {}

    def pushed(
        self, J: Float[Tensor, "#n r k"], slope: Float[Tensor, "n k"], W: Float[Tensor, "w k"]
    ) -> Float[Tensor, "n r w"]:
        """(slope ∘ J)Wᵀ; overwrites J."""
        (n, k), r = slope.shape, J.shape[1]
        scaled = torch.mul(slope[:, None], J, out=self._room(0, J, n, r, k)).view(n * r, k)
        multiply = products(scaled, W)
        if multiply is not TORCH:
            return multiply.times(scaled, W.T).view(n, r, W.shape[0])
        torch.mm(scaled, W.T, out=self._room(1, J, n * r, W.shape[0]))
        return self._room(1, J, n, r, W.shape[0])

    def squared(self, J: Float[Tensor, "n r k"]) -> Float[Tensor, "n k"]:
        """Σ_r J_r²."""
        return torch.mul(J, J, out=self._room(0, J, *J.shape)).sum(1)

    def _room(self, which: int, like: Tensor, *shape: int) -> Tensor:
        size = math.prod(shape)
        if which not in self._held or self._held[which].numel() < size:
            self._held[which] = like.new_empty(size)
        return self._held[which][:size].view(shape)


class Trunk(nn.Module, ABC):
    """A scalar function of `inputs` numbers, Lipschitz for any parameters.

    widest: the largest number of features per row. swept, fewest: the preferred size of the widest layer in
    one sweep on a CPU, and the smallest number of rows. blocks: the preferred input size of `trace`, in units
    of the cache.
    """

    inputs: int
    widest: int
    swept: int = 2**17
    fewest: int = 64
    blocks: int = 1

    @abstractmethod
    def forward(self, x: Float[Tensor, "n k"]) -> Float[Tensor, "n"]:
        """f(x), differentiable."""

    @abstractmethod
    def sweep(self, x: Float[Tensor, "n k"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n k"]]:
        """f(x) and ∇f(x) in one pass, for use without grad mode."""

    def descent(self, x: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """∇f(x) alone, for use without grad mode."""
        return self.sweep(x)[1]

    @abstractmethod
    def gradient(self, x: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        """∇f(x), differentiable."""

    @abstractmethod
    def trace(
        self, x: Float[Tensor, "n k"], J: Float[Tensor, "#n r k"], room: Workspace | None = None
    ) -> Traced:
        """The gradient, and the curvature along the rows of J, one J for all rows of x or one each; `room`
        where nothing is recorded.
        """


class Perceptron(Trunk):
    """f = wᵀa(h_L), h_1 = W_1x + b_1, h_{l+1} = W_{l+1}a(h_l) + b_{l+1}. widths: [k, hidden, …, hidden].

    The backward pass: δ_L = w, δ_l = W_{l+1}ᵀ(δ_{l+1} ∘ a′(h_{l+1})), ∇f = W_1ᵀ(δ_1 ∘ a′(h_1)).
    """

    blocks = 16  # its trace divides Jacobians into blocks itself, after one sweep of the values of all rows

    def __init__(self, widths: Sequence[int], activation: str, generator: torch.Generator):
        super().__init__()
        layers = list(zip(widths, widths[1:], strict=False))
        self.matrices = nn.ParameterList(uniform((o, i), i, generator) for i, o in layers)
        self.biases = nn.ParameterList(uniform((o,), i, generator) for i, o in layers)
        self.readout = nn.Parameter(uniform((widths[-1],), widths[-1], generator))
        self.activation, self.inputs, self.widest = ACTIVATIONS[activation], widths[0], max(widths[1:])

    def forward(self, x: Float[Tensor, "n k"]) -> Float[Tensor, "n"]:
        layers, a = self._layers(x), x
        multiply = products(x, *self.parameters())
        for W, b in layers:
            a = self.activation.value(multiply.affine(b, a, W))
        return a @ self.readout.to(x.dtype)

    def sweep(self, x: Float[Tensor, "n k"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n k"]]:
        h, slopes, layers, multiply = self._swept(x)
        a, slope = self.activation.consumed(h)
        w = self.readout.to(x.dtype)
        return a @ w, self._pulled_back(slope.mul_(w), slopes, layers, multiply)

    def descent(self, x: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        h, slopes, layers, multiply = self._swept(x)
        δ = self.activation.slope_times(self.readout.to(x.dtype), h)
        return self._pulled_back(δ, slopes, layers, multiply)

    def _swept(self, x: Tensor) -> tuple[Tensor, list[Tensor], list[tuple[Tensor, Tensor]], Products]:
        """h_L, the slopes of the layers before it, and what they were found with."""
        layers, a, slopes = self._layers(x), x, []
        multiply = products(x, layers[0][0])
        for W, b in layers[:-1]:
            a, slope = self.activation.consumed(multiply.affine(b, a, W))
            slopes.append(slope)
        return multiply.affine(layers[-1][1], a, layers[-1][0]), slopes, layers, multiply

    @staticmethod
    def _pulled_back(
        δ: Tensor, slopes: list[Tensor], layers: list[tuple[Tensor, Tensor]], multiply: Products
    ) -> Tensor:
        """∇f, of δ_L ∘ a′(h_L)."""
        for (W, _), slope in zip(layers[:0:-1], reversed(slopes), strict=True):
            δ = multiply.times(δ, W).mul_(slope)
        return pulled(δ, layers[0][0])

    def gradient(self, x: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        layers, a, slopes = self._layers(x), x, []
        for W, b in layers:
            a, slope = self.activation.value_and_slope(torch.addmm(b, a, W.T))
            slopes.append(slope)
        δ = self.readout.to(x.dtype)
        for (W, _), slope in zip(reversed(layers), reversed(slopes), strict=True):
            δ = (δ * slope) @ W
        return δ

    def trace(
        self, x: Float[Tensor, "n k"], J: Float[Tensor, "#n r k"], room: Workspace | None = None
    ) -> Traced:
        layers, a = self._layers(x), x
        sites: list[Site] = []
        multiply = products(x, *self.parameters())
        for W, b in layers:
            a, slope, bend = self.activation.jet(multiply.affine(b, a, W))
            sites.append(Site(W, slope, bend))
        δ = self.readout.to(x.dtype).expand_as(a)
        for i, (W, slope, bend) in reversed(list(enumerate(sites))):
            sites[i] = Site(W, slope, δ * bend)
            δ = multiply.times(δ * slope, W)
        J = (
            J @ sites[0].matrix.T
        )  # where J has one row, so has the first layer's: an affine map is the same for every particle
        if room is None:
            return Traced(δ, _curvature(J, sites, None))
        rows = max(1, BLOCK // (J.shape[1] * self.widest))
        parts = range(0, x.shape[0], rows)
        return Traced(
            δ,
            torch.cat(
                [
                    _curvature(J[i : i + rows] if len(J) > 1 else J, _rows(sites, i, i + rows), room)
                    for i in parts
                ]
            ),
        )

    def _layers(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        lists: Any = self._modules  # in a tenth of the time of the attributes
        layers = list(zip(held(lists["matrices"]), held(lists["biases"]), strict=True))
        if layers[0][0].dtype == x.dtype:
            return layers
        return [(W.to(x.dtype), b.to(x.dtype)) for W, b in layers]


class Site(NamedTuple):
    """One layer of a perceptron: the matrix before its activation, a′(h), and the weight of ‖J_j‖², δ_j
    a″(h_j).
    """

    matrix: Float[Tensor, "w k"]
    slope: Float[Tensor, "n w"]
    weight: Float[Tensor, "n w"]


def _rows(sites: Sequence[Site], begin: int, end: int) -> list[Site]:
    return [Site(W, slope[begin:end], weight[begin:end]) for W, slope, weight in sites]


def _curvature(J: Tensor, sites: Sequence[Site], room: Workspace | None) -> Tensor:
    """Σ_sites Σ_j weight_j ‖J_j‖², J that of the first site."""
    total = sites[0].weight.new_zeros(len(sites[0].weight))
    for before, site in zip([None, *sites], sites, strict=False):
        if before is not None:
            J = (
                (before.slope[:, None] * J) @ site.matrix.T
                if room is None
                else room.pushed(J, before.slope, site.matrix)
            )
        total = total + (site.weight * (J.square().sum(1) if room is None else room.squared(J))).sum(1)
    return total


def held(parameters: nn.ParameterList) -> list[Tensor]:
    """The parameters of a list, in a tenth of the time of its own iterator."""
    return list(parameters._parameters.values())  # type: ignore[arg-type]


def pulled(δ: Float[Tensor, "n w"], W: Float[Tensor, "w k"]) -> Float[Tensor, "n k"]:
    """δW: for few columns as (Wᵀδᵀ)ᵀ with W padded to four or eight of them, which takes a third of the time
    of a product with one or two columns.
    """
    k = W.shape[1]
    if k > NARROW:
        return δ @ W
    return (nn.functional.pad(W, (0, -k % 4)).T @ δ.T)[:k].T


def uniform(shape: tuple[int, ...], fan_in: int, generator: torch.Generator) -> nn.Parameter:
    """Uniform in ±1/√fan_in: the initialisation of torch's own linear layers, from an explicit generator."""
    return nn.Parameter((2 * torch.rand(shape, generator=generator) - 1) * fan_in**-0.5)
