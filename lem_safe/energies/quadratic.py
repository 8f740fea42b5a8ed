"""The quadratic energy U = ½(x − c)ᵀK(x − c), in nats, least (0) at its centre."""

from typing import Annotated, ClassVar

from annotated_types import MinLen
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from lem_safe.energies.base import Energy
from lem_safe.energies.gaussian_sum import GaussianSum
from lem_safe.energies.numbers import points, vector


class Quadratic(Energy):
    """A paraboloid, given by its stiffness matrix. Along a zero eigenvalue it does not confine; then it can
    be sampled only as a term of a sum.
    """

    example: ClassVar[dict[str, object]] = {
        "kind": "quadratic",
        "center": [0.2, -0.1],
        "stiffness": [[1.5, 0.3], [0.3, 0.8]],
    }
    center: Tensor
    stiffness: Tensor

    def __init__(
        self,
        center: Annotated[
            list[float] | None, MinLen(1), Doc("The point of least energy; the origin by default.")
        ] = None,
        stiffness: Annotated[
            list[list[float]] | None,
            MinLen(1),
            Doc("K, symmetric, without negative eigenvalues; the identity by default."),
        ] = None,
    ):
        super().__init__()
        given = center if center is not None else stiffness
        columns = 2 if given is None else len(given)
        c = vector("Quadratic", "center", [0.0] * columns if center is None else center)
        d = c.shape[0]
        K = (
            torch.eye(d, dtype=torch.float64)
            if stiffness is None
            else points("Quadratic", "stiffness", stiffness)
        )
        if K.shape != (d, d) or not torch.allclose(K, K.T, rtol=1e-9, atol=0):
            raise ValueError(f"Quadratic: stiffness must be a symmetric {d} x {d} matrix; got {stiffness!r}")
        λ = torch.linalg.eigvalsh(K)
        if λ[0] < -1e-12 * λ[-1].abs():
            raise ValueError(
                f"Quadratic: stiffness must not have a negative eigenvalue; its smallest is {float(λ[0]):.3g}"
            )
        self.register_buffer("center", c)
        self.register_buffer("stiffness", K)
        self.dimension = d

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        y = x - self.center.to(x.dtype)
        return 0.5 * (y * (y @ self.stiffness.to(x.dtype))).sum(-1)

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        y = x.detach() - self.center.to(x.dtype)
        g = y @ self.stiffness.to(x.dtype)
        return 0.5 * (y * g).sum(-1), g

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        K = self.stiffness
        if directions is not None:
            V = directions.to(K.dtype)
            K = V.T @ K @ V
        return K.trace().to(x.dtype).expand(x.shape[0])

    def hessian_diagonal(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return self.stiffness.diagonal().to(x.dtype).expand_as(x)

    def typical_points(self) -> Float[Tensor, "k d"]:
        return self.center.double().cpu()[None]

    def gaussian_sum(self, t: float = 1.0) -> GaussianSum | None:
        K, m = self.stiffness.double().cpu(), self.center.double().cpu()
        return GaussianSum(K[None], (K @ m)[None], (0.5 * m @ K @ m)[None]).power(t)
