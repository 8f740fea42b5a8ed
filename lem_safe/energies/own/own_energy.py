"""An energy of a user's own: a module, a log density, or any function of rows, as every sampler takes it."""

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.energies.base import Energy
from lem_safe.energies.own.confinement import REMEDY
from lem_safe.energies.own.first_call import Checked, check_energy
from lem_safe.energies.own.function import Function
from lem_safe.energies.own.slope import trace
from lem_safe.laplacian import estimator

ROWS = 16384
"""The largest number of rows whose gradient is computed at once."""


class OwnEnergy(Energy):
    """U(x)/ε of `function`, [n] or [n, 1], whose dtype and device it keeps; `sign` −1 for a log density.

    The first call examines the function (see `first_call`); the user's module is never changed, nor moved.
    gradient: ∇U where automatic differentiation gives none. confined: False where U need not grow, None where
    what it becomes a part of must. remedy: the way out that is told where it does not.
    """

    def __init__(
        self,
        function: Function,
        *,
        sign: float = 1.0,
        temperature: float = 1.0,
        gradient: Function | None = None,
        dimension: int | None = None,
        confined: bool | None = True,
        remedy: str = REMEDY,
    ):
        super().__init__()
        self.function, self.own_gradient, self.scale = function, gradient, sign / temperature
        self.confined, self.remedy, self.checked = confined, remedy, False
        self.points: Checked | None = None
        if dimension is not None:
            self.dimension = dimension

    def __repr__(self) -> str:
        return f"<{self.function.title}{'' if self.checked else ', not called yet'}>"

    @property
    def bends(self) -> bool:
        """Whether second derivatives are known too."""
        return self.own_gradient is None and not self.function.numpy

    def settle(self, x: Float[Tensor, "n d"]) -> None:
        """Examines the function at these rows, once; BadInput names it and says what is wrong with it."""
        if not self.checked:
            self.function.must_be_plain(x)
            self.dimension = getattr(self, "dimension", x.shape[1])
            if x.shape[1] != self.dimension:
                self.function.refuse(f"takes {self.dimension} columns; got rows of {x.shape[1]}")
            self.checked = True  # what follows calls it
            try:
                self.points = check_energy(self, x.detach())
            except BaseException:
                self.checked = False
                raise
            estimated = estimator(x.shape[1]) if self.bends else None
            self.estimate = None if estimated is None else str(estimated)

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        self.settle(x)
        return self.values(x)

    def values(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        """U(x)/ε, differentiable, without the examination."""
        y = self.function(x)
        return self.scale * self._of_rows(y, len(x), x.shape[1]).to(device=x.device, dtype=x.dtype)

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        self.settle(x)
        parts = [self.pair(rows) for rows in x.detach().split(ROWS)]
        if len(parts) == 1:
            return parts[0]
        values, gradients = zip(*parts, strict=True)
        return torch.cat(values), torch.cat(gradients)

    def pair(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        """U and ∇U of some rows, detached, without the examination."""
        if self.own_gradient is not None:
            with torch.no_grad():
                return self.values(x), self.scale * self._given_gradient(x)
        with torch.enable_grad():
            z = x.detach().requires_grad_()
            U = self.values(z)
            self._must_have_graph(U)
            (gradient,) = torch.autograd.grad(U.sum(), z)
        return U.detach(), gradient

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        self.settle(x)
        if not self.bends:
            self.function.refuse("has a gradient and no second derivatives, so ΔU is not known")

        def slope(z: Tensor) -> Tensor:
            U = self.values(z)
            return torch.autograd.grad(U.sum(), z, create_graph=True)[0]

        return trace(slope, x, directions)

    def typical_points(self) -> Float[Tensor, "k d"]:
        return super().typical_points() if self.points is None else self.points.rows

    def surely_integrable(self, t: float = 1.0) -> bool:
        return (
            self.checked and self.confined is not None
        )  # examined along rays at the first call, or told that it is not confined

    def _given_gradient(self, x: Tensor) -> Tensor:
        assert self.own_gradient is not None
        g = self.own_gradient(x)
        if g.shape != x.shape:
            self.own_gradient.refuse(f"must return one row per row, {list(x.shape)}; got {list(g.shape)}")
        return g.to(device=x.device, dtype=x.dtype)

    def _must_have_graph(self, U: Tensor) -> None:
        if self.function.numpy:
            self.function.refuse(
                "returns an array of numpy, which has no gradient, and finite differences would not be it; "
                "write it in torch, or give gradient=, a function of rows that returns ∇ of the same, [n, d]"
            )
        if not U.requires_grad:
            self.function.refuse(
                "returns what has no gradient in x: it was detached, computed under torch.no_grad(), or does "
                "not depend on x; remove .detach(), .data or no_grad from it"
            )

    def _of_rows(self, y: Tensor, n: int, d: int) -> Tensor:
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if y.shape != (n,):
            way = "sum over columns, as in U.sum(-1)"
            if self.scale < 0:
                way = "of columns that are independent use torch.distributions.Independent(..., 1)"
            if y.ndim == 0:
                way = "it returns one number for the whole batch; do not sum over rows"
            self.function.refuse(
                f"must return one number a row, [{n}] or [{n}, 1], for rows [{n}, {d}]; got "
                f"{list(y.shape)}; {way}"
            )
        return y
