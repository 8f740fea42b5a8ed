"""A score of a user's own, s = −∇U, of which U itself is not known: what needs U refuses by name."""

from typing import NoReturn

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.energies.base import Energy
from lem_safe.energies.own.confinement import warn_of_drift
from lem_safe.energies.own.first_call import Checked, check_score, spread_of
from lem_safe.energies.own.function import Function
from lem_safe.energies.own.slope import trace
from lem_safe.laplacian import estimator


class OwnScore(Energy):
    """The energy of which `function` is the score of rows, [n, d], times `scale`.

    Where a gradient is asked for, U is NaN beside it; where U is, BadInput: it is no line integral of s,
    which a network's s may not even have.
    """

    valued = False

    def __init__(self, function: Function, *, scale: float = 1.0, dimension: int | None = None):
        super().__init__()
        self.function, self.scale, self.checked = function, scale, False
        self.points: Checked | None = None
        if dimension is not None:
            self.dimension = dimension

    def __repr__(self) -> str:
        return f"<{self.function.title}{'' if self.checked else ', not called yet'}>"

    def settle(self, x: Float[Tensor, "n d"]) -> None:
        """Examines the function at these rows, once; BadInput names it and says what is wrong with it."""
        if not self.checked:
            self.function.must_be_plain(x)
            self.dimension = getattr(self, "dimension", x.shape[1])
            if x.shape[1] != self.dimension:
                self.function.refuse(f"takes {self.dimension} columns; got rows of {x.shape[1]}")
            self.points = check_score(self, x.detach())
            self.checked = True
            warn_of_drift(self, self.points.rows.to(x), spread_of(x.detach()))
            estimated = estimator(x.shape[1])
            self.estimate = None if estimated is None else str(estimated)

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        self._refuse()

    def values(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """s(x), differentiable, without the examination."""
        s = self.function(x)
        if s.shape != x.shape:
            self.function.refuse(
                f"must return one vector a row, {list(x.shape)}, which is −∇U; got {list(s.shape)}"
                + ("; of a function that returns U itself use lem_safe.energy" if s.ndim < 2 else "")
            )
        return self.scale * s.to(device=x.device, dtype=x.dtype)

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        self.settle(x)
        with torch.no_grad():
            s = self.values(x.detach())
        return torch.full_like(s[:, 0], torch.nan), -s

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        self.settle(x)
        if self.function.numpy:
            self.function.refuse("is computed in numpy, so its divergence ΔU = −div s is not known")
        return -trace(self.values, x, directions)

    def typical_points(self) -> Float[Tensor, "k d"]:
        return super().typical_points() if self.points is None else self.points.rows

    def surely_integrable(self, t: float = 1.0) -> bool:
        return self.checked  # of a score no more is known than `warn_of_drift` has said

    def _refuse(self) -> NoReturn:
        self.function.refuse(
            "is a score, −∇U, and U itself is needed here; give U (lem_safe.energy), since no line integral "
            "of a score stands in for it"
        )
