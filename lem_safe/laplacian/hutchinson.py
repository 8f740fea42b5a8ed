"""The estimate for traces that are too expensive to compute: tr(VᵀHV) ≈ (1/p) Σ_k v_kᵀVᵀHVv_k, v = ±1 in
every direction (E.21).

Unbiased; one probe has variance 2Σ_{i≠j}(VᵀHV)²_ij, p probes 1/p of it. Each Hv is jvp∘grad: the derivative
of the gradient along v, two sweeps and no Hessian. Energies draw their probes from a fixed seed, others for
every row: the same rows give the same estimate.
"""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float

from barriers.arrays import Tensor, torch

EXACT_UP_TO = 1024
"""The largest number of directions for an exact trace: enough for a 28 × 28 image, not for a 3 ×
32 × 32 one.
"""


@dataclass(frozen=True)
class Hutchinson:
    """The estimator with this many probes; str() describes it."""

    probes: int = 32

    def __str__(self) -> str:
        return f"Hutchinson, {self.probes} probe{'s' * (self.probes != 1)}"

    def draw(self, n: int, r: int, like: Tensor, generator: torch.Generator) -> Float[Tensor, "n p r"]:
        """±1, in the dtype and on the device of `like`."""
        return (2 * torch.randint(2, (n, self.probes, r), generator=generator, dtype=torch.int8) - 1).to(like)

    def laplacian(
        self,
        f: Callable[[Tensor], Tensor],
        x: Float[Tensor, "n d"],
        directions: Float[Tensor, "d r"] | None,
        generator: torch.Generator,
    ) -> Float[Tensor, "n"]:
        """The estimate for any f from rows to numbers that torch can differentiate twice; rows must be
        independent.
        """
        r = x.shape[1] if directions is None else directions.shape[1]
        v = self.draw(x.shape[0], r, x, generator)
        along = v if directions is None else v @ directions.to(x).T
        gradient = torch.func.grad(lambda y: f(y).sum())
        total = torch.zeros_like(x[:, 0])
        for k in range(self.probes):
            total = total + (torch.func.jvp(gradient, (x,), (along[:, k],))[1] * along[:, k]).sum(1)
        return total / self.probes


def estimator(directions: int) -> Hutchinson | None:
    """The estimator of a trace over this many directions; None: exact."""
    return None if directions <= EXACT_UP_TO else Hutchinson()
