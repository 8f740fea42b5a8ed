"""An energy over numbers under given values: the subspace of the points that have them (E.26)."""

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from barriers.specification import SpecificationError
from barriers.subspace import Subspace, restricted
from lem_safe.energies.base import Energy
from lem_safe.energies.restricted import Restricted
from lem_safe.errors import BadInput
from lem_safe.registry import values_given
from lem_safe.scenario import Scenario, fault_in


def pinned(
    scenario: Scenario,
    columns: tuple[str, ...],
    coordinates: Coordinates,
    potential: Energy,
    rows: Tensor | None,
) -> tuple[Energy, Coordinates, Tensor | None]:
    """The potential and the coordinates of the subspace, and the rows of the start moved into it; as they
    are where nothing is given. BadInput for values that cannot be.
    """
    if scenario.given:
        potential, coordinates = _restricted(scenario, columns, coordinates, potential)
    if rows is not None and isinstance(coordinates, Subspace):
        rows = coordinates.nearest(rows.to(coordinates.offset)).to(rows)
    return potential, coordinates, rows


def _restricted(
    scenario: Scenario, columns: tuple[str, ...], coordinates: Coordinates, potential: Energy
) -> tuple[Energy, Coordinates]:
    try:
        found = restricted(coordinates, values_given(scenario.given or {}, columns, scenario.shape))
    except SpecificationError as error:
        raise BadInput(fault_in(scenario, ("given", *error.path), str(error))) from error
    except ValueError as error:
        raise BadInput(fault_in(scenario, ("given",), f"cannot be given: {error}")) from error
    energy = Restricted(potential, found.origin, found.directions).to(getattr(torch, scenario.dtype))
    return energy.requires_grad_(False), found.coordinates
