"""A network that corrects a Gaussian mixture: U(z) = c tanh(f(z)/c) − log Σ_k w_k N(z; m_k, Σ_k) (E.22).

No loss determines an energy where there are almost no rows, so there it is arbitrary; with ½κ‖z‖² as the
confining term it differs between seeds, and a conjunction has its mass there. Here the confining term is a
mixture fitted to the rows by
EM: it extrapolates with normal tails, right or wrong, and includes the mass of each mode. The network may add
or subtract at most c nats. e^{−U} is then between e^{−c} and e^{c} times the mixture, so it is integrable for
any weights.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.specification import SpecificationError
from lem_safe.energies.based import Based
from lem_safe.energies.bounded import BoundedTrunk
from lem_safe.energies.gaussian_mixture import GaussianMixture
from lem_safe.energies.mlp import Activation, Network, refuse
from lem_safe.energies.network import Trainable
from lem_safe.energies.numbers import positive
from lem_safe.energies.row_energy import RowEnergy
from lem_safe.energies.row_fitting import Likelihood, fitted_rows
from lem_safe.energies.row_mixture import RowMixture
from lem_safe.energies.row_trunk import RowTrunk, inputs
from lem_safe.energies.trunk import Perceptron
from lem_safe.errors import BadInput, Fault

LEAST_STD = 0.01
"""The smallest standard deviation of a fitted component, in whitened units: few distinct values
would give 0.
"""
STARTS, ITERATIONS, PATIENCE = 3, 500, 4
"""The limits of EM; and how many more components are tried after the best."""
COMPONENTS, ROW_COMPONENTS = 12, 256
"""The largest number of components where none is given: of numbers, and of rows of every type."""
MOST_ROWS, ROWS_PER_COMPONENT = 20_000, 20
MISSING = "fitting a mixture needs scikit-learn: pip install 'lem-safe[data]'"
QUIET = 0.01
"""The initial scale of the network: the energy starts close to its mixture."""


class MixtureBased(Based[GaussianMixture]):
    """A bounded network on a Gaussian mixture."""

    def _load_from_state_dict(self, state: Mapping[str, Tensor], prefix: str, *rest: Any) -> None:
        """Loads the number of components in the state; anything but a mixture over these columns is an error,
        as nothing else would confine.
        """
        held = {
            name: state[f"{prefix}base.{name}"]
            for name in self.base.state_dict()
            if f"{prefix}base.{name}" in state
        }
        if len(held) == len(self.base.state_dict()):
            if held["means"].ndim == 2 and held["means"].shape[1] == self.dimension:
                self.base = GaussianMixture(torch.zeros_like(held["means"]).tolist(), std=1.0).to(
                    self.base.means.dtype
                )
            if not _is_mixture(held, self.dimension):
                rest[-1].append(f"{prefix}base is not a Gaussian mixture over {self.dimension} columns")
        super()._load_from_state_dict(state, prefix, *rest)


def _is_mixture(t: Mapping[str, Tensor], d: int) -> bool:
    """Whether tensors of these names are those of one mixture: the derived ones agree with means, factors and
    weights.
    """
    k = len(t["means"]) if t["means"].ndim == 2 else 0
    shapes = {
        "means": (k, d),
        "weights": (k,),
        "factors": (k, d, d),
        "whiteners": (k * d, d),
        "centers": (k * d, 1),
        "log_weights": (k, 1),
    }
    if k == 0 or any(
        tuple(t[name].shape) != shape or not bool(t[name].isfinite().all()) for name, shape in shapes.items()
    ):
        return False
    L, w = t["factors"].double(), t["weights"].double()
    if not (
        bool((w > 0).all()) and bool((L.diagonal(dim1=1, dim2=2) > 0).all()) and torch.equal(L, L.tril())
    ):
        return False
    made = GaussianMixture(
        t["means"].double().tolist(), covariances=(L @ L.mT).tolist(), weights=w.tolist()
    ).state_dict()
    single = t["means"].dtype == torch.float32
    return all(
        torch.allclose(
            made[name], t[name].double(), rtol=1e-3 if single else 1e-6, atol=1e-4 if single else 1e-7
        )
        for name in shapes
    )


@dataclass(frozen=True)
class MixtureBase(Network):
    """A multilayer perceptron that corrects a Gaussian mixture fitted to the rows by EM (E.22); needs
    scikit-learn to train.
    """

    kind: ClassVar[str] = "mixture_base"
    example: ClassVar[dict[str, object]] = {"kind": "mixture_base", "components": 3, "hidden": 16, "depth": 2}

    fitted: ClassVar[bool] = True

    components: Annotated[
        int | None,
        Ge(1),
        Le(1000),
        Doc(
            "The largest number of Gaussians; BIC chooses how many are used, 12 by default. Of rows of every "
            "type, held-out rows choose, up to 256 by default."
        ),
    ] = None
    most: Annotated[
        float, Gt(0), Doc("c, the most nats that the network may add or subtract at any point.")
    ] = 5.0
    hidden: Annotated[int, Ge(1), Doc("The number of units in each hidden layer.")] = 64
    depth: Annotated[int, Ge(1), Doc("The number of hidden layers.")] = 3
    activation: Activation = "silu"

    def __post_init__(self) -> None:
        refuse("MixtureBase", self.hidden, self.depth, self.activation)
        positive("MixtureBase", "most", self.most)
        if self.components is not None and not 1 <= self.components <= 1000:
            raise ValueError(f"MixtureBase: components must be >= 1 and <= 1000; got {self.components}")

    def build(self, dimension: int, generator: torch.Generator) -> Trainable:
        inner = Perceptron([dimension] + [self.hidden] * self.depth, self.activation, generator)
        with torch.no_grad():
            inner.readout.mul_(QUIET)
        return MixtureBased(BoundedTrunk(inner, self.most), GaussianMixture([[0.0] * dimension], std=1.0))

    def build_rows(self, numbers: int, sizes: Sequence[int], generator: torch.Generator) -> Trainable:
        """A fresh energy over rows of `numbers` numbers and codes of `sizes` (E.23), float32."""
        widths = [inputs(numbers, sizes)] + [self.hidden] * self.depth
        inner = Perceptron(widths, self.activation, generator)
        with torch.no_grad():
            inner.readout.mul_(QUIET)
        one, d = torch.ones(1, dtype=torch.float64), numbers
        even = [torch.full((size, 1), -math.log(size), dtype=torch.float64) for size in sizes]
        tables = torch.cat(even) if even else torch.zeros(0, 1, dtype=torch.float64)
        base = RowMixture(one, torch.zeros(1, d), torch.eye(d)[None], tables, sizes)
        return RowEnergy(BoundedTrunk(RowTrunk(inner, numbers, sizes), self.most), base).float()

    def must_fit(self, dimension: int) -> None:
        if find_spec("sklearn") is None:
            raise SpecificationError(MISSING, ("network", "kind"))

    def begun(
        self,
        energy: Trainable,
        rows: Float[Tensor, "n d"],
        seed: int,
        likelihood: Likelihood | None = None,
    ) -> Trainable:
        if isinstance(energy, RowEnergy):
            base, most = energy.base, self.components or ROW_COMPONENTS
            found = fitted_rows(rows, base.numbers, base.sizes, most, seed, likelihood=likelihood)
            energy.base = found.to(rows.dtype)
            return energy
        assert isinstance(energy, MixtureBased)
        energy.base = fitted(rows, self.components or COMPONENTS, seed)
        return energy


def fitted(rows: Float[Tensor, "n d"], components: int, seed: int) -> GaussianMixture:
    """The Gaussian mixture of largest likelihood by EM, with the number of components that BIC prefers and
    full covariances.

    Uses at most MOST_ROWS rows, drawn at random. Raises BadInput without scikit-learn.
    """
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture as EM
    except ImportError:
        raise BadInput(Fault(f"mixture_base: {MISSING}")) from None
    x = np.random.default_rng(seed).permutation(rows.double().cpu().numpy())[:MOST_ROWS]
    best, found = None, 0
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # the best of several is kept, and the network corrects it
        for k in range(1, max(1, min(components, len(x) // ROWS_PER_COMPONENT)) + 1):
            fit = EM(
                k, reg_covar=LEAST_STD**2, n_init=STARTS, max_iter=ITERATIONS, random_state=seed % 2**32
            ).fit(x)
            if best is None or fit.bic(x) < best.bic(x):
                best, found = fit, k
            elif k - found >= PATIENCE:
                break
    assert best is not None
    Σ = (best.covariances_ + best.covariances_.transpose(0, 2, 1)) / 2
    return GaussianMixture(best.means_.tolist(), covariances=Σ.tolist(), weights=best.weights_.tolist())
