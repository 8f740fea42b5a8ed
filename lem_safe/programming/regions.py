"""What is examined of a region that is a user's function, before anything is sampled under it."""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import value_and_gradient
from barriers.filters import FILTERS
from barriers.sets import NotSmooth, UnsafeSet
from lem_safe.errors import BadInput, Fault
from lem_safe.registry import make
from lem_safe.scenario import STAND_IN

MEMBERSHIP = ("none", "gate", "tilt", "reject")
"""The filters that need nothing but membership."""


def check_region(
    name: str, region: UnsafeSet, x: Float[Tensor, "k d"], filter: Mapping[str, Any], who: str
) -> None:
    """Raises BadInput where membership of these rows, or the gradient that the filter needs, cannot be
    had.
    """
    key = f"unsafe.{name}"
    if region.dimension not in (None, x.shape[1]):
        d = region.dimension
        many = f"has {d} dimension{'s' * (d != 1)}, the particles have {x.shape[1]}"
        raise BadInput(Fault(many, who, key=key))
    try:
        region.contains(x)
        needs = next((kind for kind in _kinds(filter) if kind not in MEMBERSHIP), None)
    except Exception as error:
        raise BadInput(
            Fault(f"cannot be decided for rows {list(x.shape)}: {_said(error)}", who, key=key)
        ) from error
    if needs is None:
        return
    try:
        with torch.enable_grad():
            value_and_gradient(region, x.clone())
    except NotSmooth as error:
        raise BadInput(Fault(f"the filter {needs} needs its gradient: {error}", who, key=key)) from error


def dimension_of(region: Any) -> int | None:
    """d of a set, or of a specification that says it by itself, such as a ball with its centre; else None."""
    if isinstance(region, UnsafeSet):
        return region.dimension
    if region == STAND_IN or not isinstance(region, Mapping):
        return None
    try:
        made: UnsafeSet = make("sets", region)
    except Exception:  # told where the scenario is checked
        return None
    return made.dimension


def _kinds(filter: Mapping[str, Any]) -> list[str]:
    """The kind of a filter, and those of a chain's members."""
    members = FILTERS[filter["kind"]].members
    return [kind for f in filter[members] for kind in _kinds(f)] if members else [str(filter["kind"])]


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
