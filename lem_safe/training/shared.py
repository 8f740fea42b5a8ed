"""An energy whose rows are divided over processes while it is trained.

Every process draws the same batch and the same noise and computes the whole loss, but evaluates the energy,
which is nearly all of the work, at its own rows only: Gather(f(Slice(x))). Each of the two is the derivative
of the other, so each process's gradient of the loss in the parameters is what its own rows contribute, and
the sum over the processes is the gradient of one process, to rounding (T.11). Any number of derivatives may
be taken.
"""

from collections.abc import Callable
from typing import Any

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.energies.network import Trainable
from lem_safe.processes.wire import Wire


class Shared(Trainable):
    """`inner`, evaluated together with the other processes of a wire."""

    def __init__(self, inner: Trainable, wire: Wire):
        super().__init__()
        self.inner, self.wire, self.dimension = inner, wire, inner.dimension

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return self.of(self.inner, x)

    def gradient(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return self.of(self.inner.gradient, x)

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        if self.inner.estimate is not None:  # its probes are those of all rows
            found: Tensor = _Everywhere.apply(self.inner.laplacian(x.detach(), directions), self.wire)
            return found
        return self.of(lambda own: self.inner.laplacian(own, directions), x)

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        found = self.of(self._both, x)
        return found[:, 0], found[:, 1:]

    def of(self, f: Callable[[Tensor], Tensor], x: Float[Tensor, "n d"]) -> Float[Tensor, "n ..."]:
        """f, a function of `inner`, at all rows: each process computes it at its own."""
        found: Tensor = _Gather.apply(f(_Slice.apply(x, self.wire)), self.wire, len(x))
        return found

    def _both(self, x: Tensor) -> Tensor:
        value, gradient = self.inner.value_and_gradient(x)
        return torch.cat([value[:, None], gradient], 1)


def add_up(parameters: list[Tensor], wire: Wire) -> None:
    """Replaces the gradient of each parameter by its sum over the processes, in one exchange."""
    own = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    total = wire.sum(torch.cat([g.reshape(-1) for g in own]))
    for p, part in zip(parameters, total.split([p.numel() for p in parameters]), strict=True):
        p.grad = part.view_as(p)


def bounds(n: int, wire: Wire) -> list[int]:
    """Where each process's rows begin, and the end of the last one's."""
    return [n * r // wire.size for r in range(wire.size + 1)]


class _Slice(torch.autograd.Function):
    """This process's rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, wire: Wire) -> Tensor:
        ctx.wire, ctx.n = wire, len(x)
        ends = bounds(len(x), wire)
        return x[ends[wire.rank] : ends[wire.rank + 1]].clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return _Gather.apply(gradients[0], ctx.wire, ctx.n), None


class _Gather(torch.autograd.Function):
    """The rows of all processes."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, wire: Wire, n: int) -> Tensor:
        ctx.wire = wire
        ends = bounds(n, wire)
        sizes = [b - a for a, b in zip(ends, ends[1:], strict=False)]
        padded = own.new_zeros(max(sizes), *own.shape[1:])
        padded[: len(own)] = own
        return torch.cat([part[:k] for part, k in zip(wire.alike(padded), sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return _Slice.apply(gradients[0], ctx.wire), None, None


class _Everywhere(torch.autograd.Function):
    """What every process computes; its derivative is divided among them. It has no second one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, wire: Wire) -> Tensor:
        ctx.wire = wire
        return x.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return gradients[0] / ctx.wire.size, None
