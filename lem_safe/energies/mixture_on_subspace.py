"""The mixture of normal distributions that fresh draws are taken from, and the same on a subspace z = z₀ + Ny
(E.26):

    P_k = NᵀΣ_k⁻¹N,   m'_k = P_k⁻¹NᵀΣ_k⁻¹(m_k − z₀),   Σ'_k = P_k⁻¹,
    w'_k ∝ w_k (det Σ_k det P_k)^{−1/2} exp(−½ ‖m_k − z₀ − Nm'_k‖²_{Σ_k⁻¹}).
"""

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.energies.base import Energy
from lem_safe.energies.gaussian_mixture import GaussianMixture
from lem_safe.energies.mixture_based import MixtureBased
from lem_safe.energies.restricted import Restricted
from lem_safe.energies.row_energy import RowEnergy
from lem_safe.energies.row_given import Given, GivenRows
from lem_safe.energies.row_mixture import RowMixture


def base_of(energy: Energy) -> RowMixture | Given | None:
    """The mixture that an energy is based on, over its own coordinates; None where it has no such base."""
    match energy:
        case RowEnergy() | GivenRows():
            return energy.base
        case RowMixture():
            return energy
        case MixtureBased():
            return base_of(energy.base)
        case GaussianMixture():
            none = torch.zeros(0, len(energy.weights))
            return RowMixture(energy.weights, energy.means, energy.factors, none, ()).to(energy.means)
        case Restricted():
            base = base_of(energy.inner)
            return (
                None
                if not isinstance(base, RowMixture) or base.codes
                else on_subspace(base, energy.origin, energy.directions)
            )
    return None


def on_subspace(base: RowMixture, origin: Float[Tensor, "f"], directions: Float[Tensor, "f g"]) -> RowMixture:
    """A mixture of numbers alone at origin + directions y, as a normalised mixture over y."""
    N, z0 = directions.double(), origin.double()
    L = base.factors.double()
    half = torch.linalg.solve_triangular(L, N.expand(len(L), *N.shape), upper=False)  # L⁻¹N
    away = torch.linalg.solve_triangular(L, (base.means.double() - z0)[..., None], upper=False)  # L⁻¹(m − z₀)
    P = half.mT @ half
    mean = torch.linalg.solve(P, half.mT @ away)
    rest = (away - half @ mean).square().sum((1, 2))
    log_w = (
        base.weights.double().log()
        - L.diagonal(dim1=1, dim2=2).log().sum(-1)
        - 0.5 * torch.linalg.slogdet(P).logabsdet
        - 0.5 * rest
    )
    weights = torch.softmax(log_w, 0)
    kept = weights > 0  # a component that underflows has no mass here
    factors = torch.linalg.cholesky(torch.linalg.inv(P)[kept])
    tables = torch.zeros(0, int(kept.sum()))
    return RowMixture(weights[kept], mean[kept, :, 0], factors, tables, ()).to(base.means)
