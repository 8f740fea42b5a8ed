"""Whether a user's energy grows far out, along rays: otherwise e^{−U} cannot be normalised (C.4).

Rays leave the centre of the rows examined. On each, U must gain more than d log 2 where the distance doubles,
at one of a few distances at least: farther out a network may only be rounding. Where it is NaN at all of
them, as posteriors of logarithms and logits are that overflow, nearer ones tell. A score must point inwards.
"""

import math
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.keys import Key

if TYPE_CHECKING:
    from lem_safe.energies.own.own_energy import OwnEnergy
    from lem_safe.energies.own.own_score import OwnScore

SHELLS = (1e2, 1e3, 1e4)
"""Distances from the centre, in spreads of the start."""
NEARER = (30.0, 10.0, 3.0)
"""The same where U is NaN farther out."""
RAYS = 64


REMEDY = (
    "add a term that confines it, as in lambda x: net(x).squeeze(-1) + 0.005 * x.square().sum(-1), "
    "or say confined=False where a short run near its start is what you want"
)


def check_growth(energy: "OwnEnergy", rows: Float[Tensor, "k d"], spread: float) -> None:
    """Raises BadInput where U does not grow along some ray; a warning where the user said that it need
    not. An energy whose `confined` is None is not examined: what it becomes a part of is.
    """
    if energy.confined is None:
        return
    message = _decline(energy, rows, spread)
    if message is None:
        return
    if not energy.confined:
        warnings.warn(f"{energy.function.title}: {message.wrong}", stacklevel=2)
        return
    energy.function.refuse(f"{message.wrong}; {message.remedy}")


class _Decline(NamedTuple):
    """What is wrong along a ray, and the remedy, in words."""

    wrong: str
    remedy: str


def _decline(energy: "OwnEnergy", rows: Float[Tensor, "k d"], spread: float) -> _Decline | None:
    """Along which ray U gains too little, or is NaN; None where it grows along each."""
    d, needed = rows.shape[1], rows.shape[1] * math.log(2)
    rays = _rays(rows)
    best = _gains(energy, rows, spread, rays)
    if bool((best > needed).all()):
        return None
    lost = best.isnan()
    worst = int(lost.int().argmax() if bool(lost.any()) else best.argmin())
    along = ", ".join(f"{v:.2g}" for v in rays[worst].tolist()[:6]) + (", ..." if d > 6 else "")
    if bool(lost.any()):
        return _Decline(
            f"U cannot be followed far out: along ({along}) it is NaN from {2 * NEARER[-1]:g} spreads of the "
            "start on",
            "write it so that it does not overflow there (float64, logsigmoid, logsumexp), or say "
            "confined=False",
        )
    return _Decline(
        f"U does not grow far out: along ({along}) it gains "
        f"{float(best[worst]):.4g} nats where the distance doubles ({SHELLS[0]:g} to {SHELLS[-1]:g} spreads "
        f"of the start, each twice), and more than {needed:.4g} are needed; exp(-U) cannot be normalised, "
        "and long runs leave for there",
        energy.remedy,
    )


def _gains(
    energy: "OwnEnergy", rows: Float[Tensor, "k d"], spread: float, rays: Float[Tensor, "r d"]
) -> Float[Tensor, "r"]:
    """The largest gain where the distance doubles, along each ray; NaN where no values tell."""
    center = rows.mean(0)
    best = torch.full_like(rays[:, 0], torch.nan).double()
    with torch.no_grad():
        for shell in (*SHELLS, *NEARER):
            if shell in NEARER and not bool(best.isnan().any()):
                break
            near, far = (_told(energy, center + k * shell * spread * rays) for k in (1.0, 2.0))
            gain = torch.where(far == torch.inf, torch.inf, far - near)
            told = ~gain.isnan() if shell in SHELLS else ~gain.isnan() & best.isnan()
            best = torch.where(told, torch.fmax(best, gain), best)
    return best


def _told(energy: "OwnEnergy", x: Float[Tensor, "r d"]) -> Float[Tensor, "r"]:
    """U at rows far out, float64; NaN where the function refuses a row, as distributions of torch refuse a
    scale that has become 0 or infinite.
    """
    try:
        return energy.values(x).double()
    except Exception:
        found = torch.full_like(x[:, 0], torch.nan).double()
    for k in range(len(x)):
        with suppress(Exception):
            found[k] = energy.values(x[k : k + 1])[0]
    return found


def warn_of_drift(score: "OwnScore", rows: Float[Tensor, "k d"], spread: float) -> None:
    """Warns where a score points outwards far out along some ray: what it is the score of is not confined."""
    center, rays = rows.mean(0), _rays(rows)
    with torch.no_grad():
        inward = torch.stack(
            [-(score.values(center + k * spread * rays) * rays).sum(1).double() for k in SHELLS[:2]]
        )
    if not bool((inward > 0).any(0).all()):
        warnings.warn(
            f"{score.function.title}: far out it does not point inwards, so particles that get there do not "
            "return; keep the run short, or add -x * 0.01 to it",
            stacklevel=2,
        )


def _rays(rows: Tensor) -> Float[Tensor, "r d"]:
    """Both directions of the first axes, and random ones."""
    d = rows.shape[1]
    axes = torch.eye(d, dtype=rows.dtype, device=rows.device)[: RAYS // 4]
    random = Key(0).fold("rays").normal(torch.empty(RAYS, d, dtype=rows.dtype, device=rows.device))
    return torch.cat([axes, -axes, torch.nn.functional.normalize(random)])
