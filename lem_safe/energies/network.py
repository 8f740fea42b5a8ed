"""Network energies over sampler coordinates: a trunk f and an explicit confining term, mostly U(z) = f(z) +
½κ‖z − c‖² (E.4).

A trunk has a hand-written backward pass, so a gradient is one forward and one backward sweep without a
recorded graph, and training needs one ordinary backward pass instead of a double one. Without confinement a
SiLU network decreases without bound along some ray; κ > 0 makes e^{−U} integrable for any weights, because
every trunk is Lipschitz.
"""

from abc import abstractmethod

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.energies.base import Energy, squared_norm
from lem_safe.energies.growth import Growth
from lem_safe.energies.trunk import Trunk, Workspace
from lem_safe.laplacian import estimator

ROWS, SWEPT = 16384, 2**22
"""The largest number of particles processed at once while sampling on a GPU, and the size of the widest layer
of these; both limit the memory of hidden layers.
"""

CACHED = 2**17
"""The size of a Jacobian [rows, directions, width] processed at once: twice as fast as all rows, which do not
fit the cache.
"""


class Trainable(Energy):
    """An energy with parameters to learn."""

    @abstractmethod
    def gradient(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """∇U(x), differentiable in the parameters."""


class NetworkEnergy(Trainable):
    """`trunk` with a confining term."""

    def __init__(self, trunk: Trunk):
        super().__init__()
        self.trunk, self.dimension = trunk, trunk.inputs
        estimated = estimator(self.dimension)
        self.estimate = None if estimated is None else str(estimated)

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return self.trunk(x) + self.confining(x)

    @torch.no_grad()
    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        rows = self.at_once(x)
        if x.shape[0] <= rows:
            return self._sweep(x)
        values, gradients = zip(*(self._sweep(part) for part in x.split(rows)), strict=True)
        return torch.cat(values), torch.cat(gradients)

    def gradient_alone(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        if torch.is_grad_enabled():
            with torch.no_grad():
                return self.gradient_alone(x)
        rows = self.at_once(x)
        if x.shape[0] <= rows:
            return self._descent(x)
        return torch.cat([self._descent(part) for part in x.split(rows)])

    def at_once(self, x: Float[Tensor, "n d"]) -> int:
        """How many rows are processed at once. On a CPU few: the memory of small arrays is used again by the
        next ones, while that of large ones is returned to the system and cleared each time, which costs
        more than the arithmetic.
        """
        trunk = self.trunk
        if x.device.type == "cpu":
            return max(trunk.fewest, trunk.swept // trunk.widest)
        return min(ROWS, max(1, SWEPT // trunk.widest))

    def confining(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        """The confining term alone, which is the growth of U far out."""
        return self._confining(x)[0]

    def growth(self, x: Float[Tensor, "n d"]) -> Growth:
        """The growth of the confining term: the network is Lipschitz, or bounded, so it is of lower order and
        not evaluated.
        """
        return Growth.of_one(self.confining(x))

    def gradient(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        return self.trunk.gradient(x) + self._confining(x)[1]

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        V = (
            torch.eye(self.dimension, dtype=x.dtype, device=x.device)
            if directions is None
            else directions.to(x.dtype)
        )
        estimated = estimator(V.shape[1])
        numbers = (V.shape[1] if estimated is None else estimated.probes) * self.trunk.widest
        rows = max(1, min(self.at_once(x), self.trunk.blocks * CACHED // numbers))
        room = None if self._records(x) else Workspace()
        if estimated is None:
            return torch.cat(
                [
                    self.trunk.trace(p, V.T[None], room).trace + self._confining_trace(p, V)
                    for p in x.split(rows)
                ]
            )
        seeded = torch.Generator().manual_seed(0)
        probes = (estimated.draw(part.shape[0], V.shape[1], part, seeded) @ V.T for part in x.split(rows))
        p = estimated.probes  # the trace along the probes Vv is Σ_k v_kᵀVᵀHVv_k (E.21)
        parts = zip(x.split(rows), probes, strict=True)
        return torch.cat(
            [
                self.trunk.trace(part, along, room).trace / p + self._confining_trace(part, V)
                for part, along in parts
            ]
        )

    def _records(self, x: Tensor) -> bool:
        """Whether a graph is being recorded."""
        return torch.is_grad_enabled() and (
            x.requires_grad or any(p.requires_grad for p in self.parameters())
        )

    def _descent(self, x: Tensor) -> Tensor:
        return self._confining_gradient(x).add_(self.trunk.descent(x))

    def _sweep(self, x: Tensor) -> tuple[Tensor, Tensor]:
        f, δ = self.trunk.sweep(x)
        value, gradient = self._confining_alone(x)
        return value.add_(f), gradient.add_(δ)

    @abstractmethod
    def _confining(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The confining term and its gradient, as new tensors, differentiable in x."""

    def _confining_alone(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The same, where nothing is differentiated, possibly by a shorter computation."""
        return self._confining(x)

    def _confining_gradient(self, x: Tensor) -> Tensor:
        """Its gradient alone, where nothing is differentiated."""
        return self._confining_alone(x)[1]

    @abstractmethod
    def _confining_trace(self, x: Tensor, V: Tensor) -> Tensor:
        """tr(Vᵀ∇²V) of the confining term, one number or one per row."""


class Confined(NetworkEnergy):
    """The confining term ½κ‖x − c‖². confinement: κ > 0; the centre c starts at 0, the mean of whitened
    data.
    """

    center: Tensor

    def __init__(self, trunk: Trunk, confinement: float):
        super().__init__(trunk)
        self.confinement = confinement
        self.register_buffer("center", torch.zeros(trunk.inputs))

    def _confining(self, x: Tensor) -> tuple[Tensor, Tensor]:
        offset = x - self.center.to(x.dtype)
        return 0.5 * self.confinement * squared_norm(offset), self.confinement * offset

    def _confining_gradient(self, x: Tensor) -> Tensor:
        center = self.center
        return (x - (center if center.dtype == x.dtype else center.to(x.dtype))).mul_(self.confinement)

    def _confining_trace(self, x: Tensor, V: Tensor) -> Tensor:
        return self.confinement * squared_norm(V, None).sum()

    def typical_points(self) -> Float[Tensor, "k d"]:
        return self.center.double().cpu()[None]

    def surely_integrable(self, t: float = 1.0) -> bool:
        return self.confinement > 0
