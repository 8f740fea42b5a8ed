"""The exact forward Laplacian (E.20): one rule per layer maps (f, J, L) to that of the layer's result, in one
sweep.

affine       f' = Af + b        J' = JAᵀ           L' = AL
elementwise  f' = a(f)          J' = a′(f) ∘ J     L' = a′(f) ∘ L + a″(f) ∘ Σ_r J_r²
sum          f' = Σ f_i         J' = Σ J_i         L' = Σ L_i
    (a residual layer is the sum with the identity)

Start with J = V and L = 0: at the end L is tr(Vᵀ∇²f V), at the cost of r + 2 forward passes and no backward
one. Each rule also has its transposed derivative, so that a gradient needs no recorded graph, and training
through one needs an ordinary backward pass instead of a double one. Everything is differentiable in the
parameters. The sweep is due to [@li2024computational].
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, cast

from jaxtyping import Float

from barriers.arrays import Tensor, nn, torch
from barriers.arrays import functional as F
from barriers.products import products
from lem_safe.laplacian.carried import Carried, Linearized
from lem_safe.laplacian.elementwise import ELEMENTWISE, Elementwise
from lem_safe.laplacian.layers import Residual, Sum, Total

aten = torch.ops.aten


class Rule(ABC):
    """The action of a type of layer on values, derivatives and adjoints; parameters are cast to the dtype of
    the input.
    """

    @abstractmethod
    def linearize(self, layer: Any, x: Tensor) -> Linearized:
        """The value at x and the transposed derivative there."""

    @abstractmethod
    def carry(self, layer: Any, c: Carried) -> Carried:
        """(f, J, L) of the layer's result."""


class Affine(Rule):
    """f' = Af + b; given by the map, its linear part A, and Aᵀ for an input like x."""

    @abstractmethod
    def apply(self, layer: Any, x: Tensor) -> Tensor:
        """Ax + b."""

    def linear(self, layer: Any, x: Tensor) -> Tensor:
        """Ax: the map itself without b."""
        return self.apply(layer, x)

    @abstractmethod
    def transposed(self, layer: Any, δ: Tensor, x: Tensor) -> Tensor:
        """Aᵀδ, in the shape of x."""

    def linearize(self, layer: Any, x: Tensor) -> Linearized:
        return Linearized(self.apply(layer, x), lambda δ: self.transposed(layer, δ, x))

    def carry(self, layer: Any, c: Carried) -> Carried:
        J = self.linear(layer, c.jacobian.flatten(0, 1)).unflatten(0, c.jacobian.shape[:2])
        return Carried(self.apply(layer, c.value), J, self.linear(layer, c.laplacian))


class LinearRule(Affine):
    """nn.Linear, on the last axis."""

    def apply(self, layer: nn.Linear, x: Tensor) -> Tensor:
        W, b = layer.weight.to(x.dtype), None if layer.bias is None else layer.bias.to(x.dtype)
        if b is None or x.dim() != 2:
            return F.linear(x, W, b)
        return products(x, W, b).affine(b, x, W)

    def linear(self, layer: nn.Linear, x: Tensor) -> Tensor:
        W = layer.weight.to(x.dtype)
        return products(x, W).times(x, W.T) if x.dim() == 2 else x @ W.T

    def transposed(self, layer: nn.Linear, δ: Tensor, x: Tensor) -> Tensor:
        W = layer.weight.to(δ.dtype)
        return products(δ, W).times(δ, W) if δ.dim() == 2 else δ @ W


class ConvolutionRule(Affine):
    """nn.Conv2d with zeros around the image."""

    def apply(self, layer: nn.Conv2d, x: Tensor) -> Tensor:
        return self._convolved(layer, x, None if layer.bias is None else layer.bias.to(x.dtype))

    def linear(self, layer: nn.Conv2d, x: Tensor) -> Tensor:
        return self._convolved(layer, x, None)

    def transposed(self, layer: nn.Conv2d, δ: Tensor, x: Tensor) -> Tensor:
        padding = cast(tuple[int, ...], layer.padding)
        lost = [  # rows and columns at the far edge that no step of the stride reached
            x.shape[2 + i]
            + 2 * padding[i]
            - layer.dilation[i] * (layer.kernel_size[i] - 1)
            - 1
            - (δ.shape[2 + i] - 1) * layer.stride[i]
            for i in range(2)
        ]
        return F.conv_transpose2d(
            δ, layer.weight.to(δ.dtype), None, layer.stride, padding, lost, layer.groups, layer.dilation
        )

    def _convolved(self, layer: nn.Conv2d, x: Tensor, bias: Tensor | None) -> Tensor:
        if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
            raise ValueError(
                f"forward Laplacian: a convolution must pad with a number of zeros; got {layer.padding!r}, "
                f"{layer.padding_mode}"
            )
        return F.conv2d(
            x, layer.weight.to(x.dtype), bias, layer.stride, layer.padding, layer.dilation, layer.groups
        )


class PoolingRule(Affine):
    """nn.AvgPool2d: a mean is linear; a maximum is not twice differentiable and has no rule."""

    def apply(self, layer: nn.AvgPool2d, x: Tensor) -> Tensor:
        return layer(x)

    def transposed(self, layer: nn.AvgPool2d, δ: Tensor, x: Tensor) -> Tensor:
        size, step, pad = (
            v if isinstance(v, tuple) else (v, v) for v in (layer.kernel_size, layer.stride, layer.padding)
        )
        return aten.avg_pool2d_backward(
            δ, x, size, step, pad, layer.ceil_mode, layer.count_include_pad, layer.divisor_override
        )


class FlattenRule(Affine):
    """nn.Flatten of all features of a row."""

    def apply(self, layer: nn.Flatten, x: Tensor) -> Tensor:
        return x.flatten(1)

    def transposed(self, layer: nn.Flatten, δ: Tensor, x: Tensor) -> Tensor:
        return δ.reshape(x.shape)


class UnflattenRule(Affine):
    """nn.Unflatten of the features of a row."""

    def apply(self, layer: nn.Unflatten, x: Tensor) -> Tensor:
        return layer(x)

    def transposed(self, layer: nn.Unflatten, δ: Tensor, x: Tensor) -> Tensor:
        return δ.reshape(x.shape)


class TotalRule(Affine):
    """Total."""

    def apply(self, layer: Total, x: Tensor) -> Tensor:
        return layer(x)

    def transposed(self, layer: Total, δ: Tensor, x: Tensor) -> Tensor:
        return δ.reshape(-1, *[1] * (x.dim() - 1)).expand(x.shape)


class ElementwiseRule(Rule):
    """One of ELEMENTWISE; a layer with arguments is another function, and refused."""

    def __init__(self, kind: type[nn.Module], function: Elementwise):
        self.kind, self.function = kind, function

    def linearize(self, layer: nn.Module, x: Tensor) -> Linearized:
        self._must_be_plain(layer)
        if torch.is_grad_enabled():
            value, slope = self.function.value_and_slope(x)
            return Linearized(value, lambda δ: δ * slope)
        value = self.function.value(x)
        return Linearized(value, lambda δ: self.function.backward(δ, x, value))

    def carry(self, layer: nn.Module, c: Carried) -> Carried:
        self._must_be_plain(layer)
        a, slope, bend = self.function.jet(c.value)
        return Carried(
            a, slope[:, None] * c.jacobian, slope * c.laplacian + bend * c.jacobian.square().sum(1)
        )

    def _must_be_plain(self, layer: nn.Module) -> None:
        plain = repr(self.kind())
        if repr(layer) != plain:
            raise ValueError(f"forward Laplacian: {layer!r} must be {plain}; or estimate with Hutchinson")


class SequenceRule(Rule):
    """nn.Sequential."""

    def linearize(self, layer: nn.Sequential, x: Tensor) -> Linearized:
        pulls: list[Callable[[Tensor], Tensor]] = []
        for part in layer:
            x, pull = linearize(part, x)
            pulls.append(pull)

        def back(δ: Tensor) -> Tensor:
            for pull in reversed(pulls):
                δ = pull(δ)
            return δ

        return Linearized(x, back)

    def carry(self, layer: nn.Sequential, c: Carried) -> Carried:
        for part in layer:
            c = carry(part, c)
        return c


class ResidualRule(Rule):
    """Residual: the identity plus f."""

    def linearize(self, layer: Residual, x: Tensor) -> Linearized:
        value, pull = linearize(layer.inner, x)
        return Linearized(x + value, lambda δ: δ + pull(δ))

    def carry(self, layer: Residual, c: Carried) -> Carried:
        inner = carry(layer.inner, c)
        return Carried(c.value + inner.value, c.jacobian + inner.jacobian, c.laplacian + inner.laplacian)


class SumRule(Rule):
    """Sum."""

    def linearize(self, layer: Sum, x: Tensor) -> Linearized:
        values, pulls = zip(*(linearize(branch, x) for branch in layer.branches), strict=True)
        return Linearized(
            sum(values[1:], values[0]), lambda δ: sum((pull(δ) for pull in pulls[1:]), pulls[0](δ))
        )

    def carry(self, layer: Sum, c: Carried) -> Carried:
        parts = [carry(branch, c) for branch in layer.branches]
        return Carried(*(sum(column[1:], column[0]) for column in zip(*parts, strict=True)))


def rule_of(layer: nn.Module) -> Rule:
    """The rule of a layer; ValueError where there is none."""
    for kind in type(layer).__mro__:
        if kind in RULES:
            return RULES[kind]
    known = ", ".join(sorted(kind.__name__ for kind in RULES))
    raise ValueError(
        f"forward Laplacian: no rule for {type(layer).__name__}; known: {known}; or estimate with Hutchinson"
    )


def linearize(layer: nn.Module, x: Float[Tensor, "n *s"]) -> Linearized:
    """The value of a layer at x and its transposed derivative there."""
    return rule_of(layer).linearize(layer, x)


def carry(layer: nn.Module, c: Carried) -> Carried:
    """A value, Jacobian and Laplacian taken through a layer."""
    return rule_of(layer).carry(layer, c)


def forward_laplacian(
    layer: nn.Module, x: Float[Tensor, "n *s"], directions: Float[Tensor, "#n r *s"]
) -> Carried:
    """f(x), its Jacobian along `directions` (each shaped like a row of x) and the sum of its second
    derivatives along them.
    """
    return carry(layer, Carried(x, directions.to(x.dtype), torch.zeros_like(x)))


RULES: dict[type[nn.Module], Rule] = {
    nn.Linear: LinearRule(),
    nn.Conv2d: ConvolutionRule(),
    nn.AvgPool2d: PoolingRule(),
    nn.Flatten: FlattenRule(),
    nn.Unflatten: UnflattenRule(),
    nn.Sequential: SequenceRule(),
    Residual: ResidualRule(),
    Sum: SumRule(),
    Total: TotalRule(),
    **{kind: ElementwiseRule(kind, function) for kind, function in ELEMENTWISE.items()},
}
"""The rule of each type of layer; a new type needs one class and one line here."""
