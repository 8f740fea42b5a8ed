"""Whether e^{−U} is integrable: U must grow faster than the volume of the shells, far out in every direction
(C.4).

Directions are those of `directions`; an energy whose form alone shows that it is integrable (a family
normalised in closed form, a network with a confining term) is not examined.

An accepted composition may still leave both parents: the distribution exists, but is not the intended one.
`leaving` draws particles from U₊, lets them follow U_safe for some time, and warns where they end outside the
mass of either parent.
"""

from collections.abc import Iterator

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from lem_safe.energies.base import Energy
from lem_safe.energies.composed import WeightedSum
from lem_safe.errors import BadInput, Fault
from lem_safe.keys import Key
from lem_safe.normalization.annealed_smc import anneal, fit, settle
from lem_safe.normalization.asymptotics import Far
from lem_safe.normalization.directions import Judged, rays_of, straight, valleys

HOPELESS = 1e-6
"""An admitted weight is not reported where it is this small a part of the requested one, or decreases with
the distance.
"""


DRAWS, MOVED, SETTLING, PROBED_DIMENSIONS = 1024, 256, 200, 64
"""Draws of each parent, the number of U₊'s that follow U_safe and their steps; and the largest dimension in
which this is done.
"""
RARE, MANY = 0.001, 0.25
"""A parent's energy level that one of its draws in a thousand exceeds; the share of particles beyond it from
which on there is a warning.
"""


def check_tails(energy: Energy, coordinates: Coordinates, key: str = "energy") -> None:
    """Refuses an energy over data units that cannot be normalised, because a term is subtracted or nothing
    confines it.

    key: the scenario's key that is reported. Raises BadInput with the direction, the numbers and the remedy:
    the largest multiple of the negative weights that these directions admit, where there is one.
    """
    if energy.surely_integrable():
        return
    far = Far(energy, coordinates)
    with torch.no_grad():
        rays = rays_of(energy.dimension)
        along_rays = straight(far, rays)
    found = [along_rays, valleys(far, rays)]
    for judged in found:
        if bool(judged.falls.any()):
            raise BadInput(
                Fault(
                    _refusal(judged, min(float(f.admitted.nan_to_num(torch.inf).min()) for f in found), key),
                    key=key,
                )
            )


def leaving(energy: Energy, coordinates: Coordinates, key: Key) -> list[str]:
    """Warnings where U₊ − Σ λ U₋ has its mass where neither U₊ nor any U₋ has; energies over data units, with
    disjunctions aligned.

    A point is beyond a parent where its energy exceeds the level that one of the parent's draws in a thousand
    exceeds. Particles stay in the modes of U₊ they were drawn from, whose masses do not matter here. Not
    measured above 64 dimensions.
    """
    if energy.dimension > PROBED_DIMENSIONS:
        return []
    found = (_leaving(terms, coordinates, key.fold(k)) for k, terms in enumerate(_sums(energy)))
    return [warning for warning in found if warning is not None]


def _leaving(terms: list[tuple[float, Energy]], coordinates: Coordinates, key: Key) -> str | None:
    positive = [(w, u) for w, u in terms if w > 0]
    if len(positive) in (0, len(terms)):
        return None
    follows = WeightedSum([u for _, u in positive], [w for w, _ in positive])
    x = _draws(follows, coordinates, key.fold("U+"))
    y = settle(
        WeightedSum([u for _, u in terms], [w for w, _ in terms]),
        coordinates,
        x[:MOVED],
        SETTLING,
        key.fold("settle"),
    )
    outside = _beyond(follows, x, y)
    for i, u in enumerate(u for w, u in terms if w < 0):
        outside &= _beyond(u, _draws(u, coordinates, key.fold("U-", i)), y)
    share = float(outside.double().mean())
    if share <= MANY:
        return None
    with torch.no_grad():
        excess = float(follows(y).median() - follows(x).median())
    return (
        f"this composition leaves both parents: of {MOVED} particles drawn from U+ and then moved by U+ - "
        "sum(weight * U_minus), "
        f"{100 * share:.0f} % end where neither U+ nor any U_minus has mass, typically {excess:.1f} nats "
        "above U+'s own; "
        "lower the weight, or leave it to a filter with a tolerance"
    )


def _sums(energy: Energy) -> Iterator[list[tuple[float, Energy]]]:
    """Every sum inside a composition, with nested ones expanded, as (weight, term)."""
    terms = energy.terms()
    if len(terms) > 1:
        yield terms
    for _, term in terms:
        for part in term.parts():
            yield from _sums(part)


def _draws(energy: Energy, coordinates: Coordinates, key: Key) -> Float[Tensor, "n d"]:
    exact = energy.exact_draws(key.generator(), DRAWS)
    if exact is not None:
        return exact
    found = fit(energy, coordinates, key.fold("fit"), rounds=2, particles=DRAWS)
    return anneal(energy, found, key, islands=1, particles=DRAWS, moves=3, share=0.7).x[0]


@torch.no_grad()
def _beyond(energy: Energy, own: Tensor, y: Tensor) -> Tensor:
    """Which rows of y lie above the level that few of an energy's own draws exceed."""
    return energy(y) > energy(own).quantile(1 - RARE)


def _refusal(judged: Judged, admitted: float, key: str) -> str:
    worst = int(torch.where(judged.falls, judged.grown.net, torch.inf).argmin())
    near, far, up, down = (
        judged.near[worst],
        judged.far[worst],
        *(float(part[worst]) for part in judged.grown),
    )
    direction = ", ".join(f"{v:.2g}" for v in (far / far.norm()).tolist()[:6]) + (
        ", ..." if len(far) > 6 else ""
    )
    way = f"from {float(near.norm()):.3g} to {float(far.norm()):.3g} along ({direction})"
    if down == 0:
        more = (
            f", or multiply it by more than {judged.needed / up:.3g}" if up > HOPELESS * judged.needed else ""
        )
        return (
            f"U gains {up:.4g} {way}, where the space it is spread over asks for more than "
            f"{judged.needed:.4g}; exp(-U) cannot be "
            f"normalised; add a term that confines it there, a gaussian say{more}"
        )
    which = "every" if key == "penalties" else "every negative"
    return (
        f"U - sum(weight * U_minus) does not grow as it must {way}: the energy gains {up:.4g}, the "
        f"penalties take {down:.4g}, and more than "
        f"{judged.needed:.4g} must be left; exp(-U) cannot be normalised; "
        + (
            f"multiply {which} weight by less than {admitted:.3g}"
            if admitted > HOPELESS
            else "no smaller weight helps: confine the energy first"
        )
    )
