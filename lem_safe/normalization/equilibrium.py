"""Whether the final particles of annealing are in equilibrium (O.5): under e^{−U} both E ∂_iU and
E y_i∂_iU − 1 are 0, and deviate where a narrow neck or a heavy tail was missed.
"""

import math
from collections.abc import Sequence

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from lem_safe.energies.base import Energy
from lem_safe.energies.gaussian import Gaussian
from lem_safe.energies.pulled import in_coordinates
from lem_safe.errors import NumericalFailure
from lem_safe.keys import Key
from lem_safe.normalization.annealed_cloud import Path, adapted, langevin, scale, step_size
from lem_safe.normalization.annealed_smc import MIXED, Annealed

UNEVEN, CHANCE, SETTLING = 0.03, 1e-3, 24
"""The largest deviation of E ∂_iU or E y_i∂_iU at the end; the probability at which chance explains it; the
number of further moves it is averaged over.
"""


def must_balance(each: Sequence[Float[Tensor, "r k"]]) -> None:
    """Raises NumericalFailure where the particles of one run, or of all runs together, are not in equilibrium
    (O.5).
    """
    if any(unbalanced(means) for means in (*each, torch.cat(list(each)))):
        raise NumericalFailure(
            "log Z: the particles that annealing ends in are not in equilibrium, so that they have missed "
            "a narrow neck or a heavy tail of "
            "e^-U; give log_normalizers, or start: coordinates in which the mass is of size 1"
        )


@torch.no_grad()
def balance(energy: Energy, reference: Coordinates, found: Annealed, key: Key) -> Float[Tensor, "r k"]:
    """E ∂_iU and E y_i∂_iU − 1 over `reference` for every island, 0 for particles distributed as e^{−U}:
    means over SETTLING further moves.
    """
    path = Path(Gaussian([0.0] * energy.dimension, 1.0), in_coordinates(energy, reference))
    islands, n, d = found.x.shape
    cloud, h = path.at(reference.inverse(found.x.flatten(0, 1))), 0.3 * step_size(d)
    total = torch.zeros(islands * n, 2 * d, dtype=torch.float64)
    for k in range(SETTLING):
        cloud, accepted = langevin(path, cloud, 1.0, h, key.fold("move", k), MIXED)
        h = adapted(h, accepted, 0.6)
        if k % 4 == 3:
            cloud = scale(path, cloud, 1.0, key.fold("scale", k))
        total += torch.cat([cloud.g, cloud.y * cloud.g - 1], 1)
    return (total / SETTLING).view(islands, n, 2 * d).mean(1)


def unbalanced(means: Float[Tensor, "r k"]) -> bool:
    """Whether any of k numbers that should be 0 deviates by UNEVEN and by more than chance explains, from r
    independent islands.
    """
    from scipy.special import stdtrit

    r, k = means.shape
    if r < 4:
        return False
    sure = float(stdtrit(r - 1, 1 - CHANCE / (2 * k)))
    return bool((means.mean(0).abs() > UNEVEN + sure * means.std(0) / math.sqrt(r)).any())
