"""A trunk of torch layers with forward-Laplacian rules: values, gradients and traces without a recorded
graph.
"""

from jaxtyping import Float

from barriers.arrays import Tensor, nn, torch
from lem_safe.energies.trunk import Traced, Trunk, Workspace
from lem_safe.laplacian import forward_laplacian, linearize

CARRIED = 2**22
"""The size of a Jacobian [rows, directions, widest] processed at once; more directions are processed in
parts, whose traces are added.
"""


class LayeredTrunk(Trunk):
    """`layers` from [n, inputs] to [n]; widest: the largest number of features per row."""

    swept, fewest = 2**19, 1  # only the first layers are as wide as the widest

    def __init__(self, layers: nn.Sequential, inputs: int, widest: int):
        super().__init__()
        self.layers, self.inputs, self.widest = layers, inputs, widest

    def forward(self, x: Float[Tensor, "n k"]) -> Float[Tensor, "n"]:
        return linearize(self.layers, x).value

    def sweep(self, x: Float[Tensor, "n k"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n k"]]:
        value, pull = linearize(self.layers, x)
        return value, pull(torch.ones_like(value))

    def gradient(self, x: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
        return self.sweep(x)[1]

    def trace(
        self, x: Float[Tensor, "n k"], J: Float[Tensor, "#n r k"], room: Workspace | None = None
    ) -> Traced:
        at_once = max(1, CARRIED // (x.shape[0] * self.widest))
        total = x.new_zeros(x.shape[0])
        for part in J.split(at_once, 1):
            total = total + forward_laplacian(self.layers, x, part).laplacian
        return Traced(self.gradient(x), total)
