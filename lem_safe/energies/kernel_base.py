"""`network: {kind: kernel_base}`: a network on normal kernels around the rows, for few rows with many modes.

The bandwidth of each coordinate is that of the largest leave-one-out likelihood (E.27):

    max_h Σ_i log (1/(n−1)) Σ_{j≠i} N(z_i; z_j, diag h²)

narrow where the rows have modes, wide where they have one.
"""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from lem_safe.energies.bounded import BoundedTrunk
from lem_safe.energies.gaussian_mixture import GaussianMixture
from lem_safe.energies.mixture_based import LEAST_STD, QUIET, MixtureBased
from lem_safe.energies.mlp import Activation, Network, refuse
from lem_safe.energies.network import Trainable
from lem_safe.energies.numbers import positive
from lem_safe.energies.trunk import Perceptron

MOST_KERNELS = 1000
STEPS, RATE = 200, 0.1


@dataclass(frozen=True)
class KernelBase(Network):
    """A multilayer perceptron that corrects normal kernels around the rows (E.27), at most 1,000 of them: for
    few rows with many modes, such as recorded paths.
    """

    kind: ClassVar[str] = "kernel_base"
    example: ClassVar[dict[str, object]] = {"kind": "kernel_base", "hidden": 16, "depth": 2}

    fitted: ClassVar[bool] = True

    most: Annotated[
        float, Gt(0), Doc("c, the most nats that the network may add or subtract at any point.")
    ] = 1.0
    hidden: Annotated[int, Ge(1), Doc("The number of units in each hidden layer.")] = 64
    depth: Annotated[int, Ge(1), Doc("The number of hidden layers.")] = 3
    activation: Activation = "silu"

    def __post_init__(self) -> None:
        refuse("KernelBase", self.hidden, self.depth, self.activation)
        positive("KernelBase", "most", self.most)

    def build(self, dimension: int, generator: torch.Generator) -> Trainable:
        inner = Perceptron([dimension] + [self.hidden] * self.depth, self.activation, generator)
        with torch.no_grad():
            inner.readout.mul_(QUIET)
        return MixtureBased(BoundedTrunk(inner, self.most), GaussianMixture([[0.0] * dimension], std=1.0))

    def begun(self, energy: Trainable, rows: Float[Tensor, "n d"], seed: int) -> Trainable:
        assert isinstance(energy, MixtureBased)
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:MOST_KERNELS]
        z = rows[order.to(rows.device)].double().cpu()
        energy.base = GaussianMixture(z.tolist(), std=bandwidths(z).tolist())
        return energy


def bandwidths(z: Float[Tensor, "n d"]) -> Float[Tensor, "d"]:
    """The standard deviation of a kernel in each coordinate, of the largest leave-one-out likelihood as found
    from Scott's rule; at least LEAST_STD.
    """
    n, d = z.shape
    itself = torch.eye(n, dtype=torch.bool)
    log_h = torch.full((d,), -math.log(n) / (d + 4), dtype=z.dtype, requires_grad=True)
    optimizer = torch.optim.Adam([log_h], lr=RATE)
    best, found = math.inf, log_h.detach().clone()
    with torch.enable_grad():
        for _ in range(STEPS):
            optimizer.zero_grad()
            y = (z - z.mean(0)) * (-log_h).exp()
            size = y.square().sum(1)
            distance = (size[:, None] + size - 2 * y @ y.T).clamp(min=0).masked_fill(itself, torch.inf)
            loss = log_h.sum() - torch.logsumexp(-0.5 * distance, 1).mean()
            if float(loss.detach()) < best:
                best, found = float(loss.detach()), log_h.detach().clone()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                log_h.clamp_(min=math.log(LEAST_STD))
    return found.exp()
