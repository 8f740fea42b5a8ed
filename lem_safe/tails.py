"""Whether a composition leaves anything to sample: U₊ − Σ λ U₋ must grow along every ray, or e^{−U} has no integral (C.4).

Rays leave the origin of sampler coordinates along both directions of every axis and along random ones; growth is read between two far
radii. What passes may still leave both parents' modes, so a pass here says that the law exists, not that it is the one meant.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lem_safe.energies.base import Energy
from lem_safe.faults import BadInput, Fault
from lem_safe.keys import Key

NEAR, FAR, RANDOM_RAYS = 1e3, 1e4, 256


def check_tails(energy: Energy, penalties: Sequence[tuple[float, Energy]], like: Tensor) -> None:
    """Refuses penalties that win far out; energies over sampler coordinates, `like` [d] with their dtype and device.

    Raises BadInput with the ray, the numbers, and the largest multiple of all weights that these rays admit.
    """
    d = like.shape[0]
    random = Key(0).fold("rays").normal(torch.empty(RANDOM_RAYS, d, dtype=torch.float64))
    rays = torch.cat(
        [torch.eye(d, dtype=torch.float64), -torch.eye(d, dtype=torch.float64), random / random.norm(dim=1, keepdim=True)]
    )
    rays = rays.to(like)
    gained = _growth(energy, rays)
    lost = sum((weight * _growth(u, rays) for weight, u in penalties), torch.zeros_like(gained))
    worst = int((gained - lost).argmin())
    if bool(gained[worst] - lost[worst] > 0):
        return
    ratio = torch.where(lost > 0, gained / lost, torch.inf).min()
    direction = ", ".join(f"{v:.2f}" for v in rays[worst, :6].tolist()) + (", ..." if d > 6 else "")
    fault = (
        f"U - sum(weight * U_minus) falls from {NEAR:g} to {FAR:g} along ({direction}): the energy gains {float(gained[worst]):.4g}, "
        f"the penalties take {float(lost[worst]):.4g}; exp(-U) cannot be normalised; multiply every weight by less than {float(ratio):.3g}"
    )
    raise BadInput(Fault(fault, key="penalties"))


@torch.no_grad()
def _growth(energy: Energy, rays: Tensor) -> Tensor:
    """U(FAR · ray) − U(NEAR · ray), in float64."""
    return energy(FAR * rays).double() - energy(NEAR * rays).double()
