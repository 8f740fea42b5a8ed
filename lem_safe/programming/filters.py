"""The filter of a call, as a file writes it: by name, by specification, or read off a filter that was
made.
"""

import math
from collections.abc import Mapping
from typing import Any, SupportsFloat

from barriers.filters import Gate, MirrorStep, Reject, Tilt
from barriers.sets import UnsafeSet
from lem_safe.errors import BadInput, Fault
from lem_safe.programming.starts import WHO


def filter_given(
    chosen: Any, regions: Mapping[str, UnsafeSet], beta: SupportsFloat | Mapping[str, SupportsFloat]
) -> dict[str, Any]:
    """The specification of a filter; of one that was made, the same, provided that it is over these regions
    and tolerances. Raises BadInput.
    """
    if chosen is None:
        return {"kind": "none"}
    if isinstance(chosen, str):
        return {"kind": chosen}
    if isinstance(chosen, Mapping):
        return dict(chosen)
    match chosen:
        case Gate():
            spec: dict[str, Any] = {"kind": "gate"}
        case Reject():
            spec = {"kind": "reject"}
        case Tilt():
            spec = {"kind": "tilt", "multipliers": list(chosen.multipliers or ()) or "auto"}
        case MirrorStep():
            spec = {"kind": "step", "rate": chosen.rate}
            spec |= {"reach": chosen.reach} if math.isfinite(chosen.reach) else {}
        case _:
            _refuse(
                f"must be the name of a kind, a specification such as {{'kind': 'gate'}}, or a Gate, "
                f"MirrorStep, Tilt or Reject over the same regions; got one of type {type(chosen).__name__}"
            )
    _must_match(chosen, regions, beta)
    return spec


def _must_match(
    chosen: Any, regions: Mapping[str, UnsafeSet], beta: SupportsFloat | Mapping[str, SupportsFloat]
) -> None:
    names = list(beta) if isinstance(beta, Mapping) else list(regions)
    own = [regions.get(name) for name in names]
    if [*map(id, chosen.sets)] != [*map(id, own)]:
        _refuse("is over other sets than the regions; give its kind by name, and it is made over these")
    tolerated = [float(beta[name]) if isinstance(beta, Mapping) else float(beta) for name in names]
    if hasattr(chosen, "betas") and list(chosen.betas) != tolerated:
        _refuse(f"was made for beta {list(chosen.betas)}, and beta is {tolerated}; make them agree")


def _refuse(message: str) -> Any:
    raise BadInput(Fault(message, WHO, key="filter"))
