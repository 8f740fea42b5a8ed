"""What a run on a table with columns of every type builds beside what every run does: coordinates that are
told what rules take the columns for, regions of the columns they are about, and the energy under what is
given.
"""

from dataclasses import replace

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from lem_safe.data import Dataset
from lem_safe.data.typed import RowCoordinates, about, coordinates_of
from lem_safe.energies.base import Energy
from lem_safe.energies.row_energy import RowEnergy
from lem_safe.energies.row_given import GivenRows
from lem_safe.errors import BadInput, Fault
from lem_safe.registry import given_value
from lem_safe.runs.pinned_values import pinned
from lem_safe.scenario import Scenario


def of_table(
    scenario: Scenario, columns: tuple[str, ...], coordinates: Coordinates, data: Dataset | None
) -> tuple[Coordinates, Dataset | None]:
    """The coordinates of a table's rows, told what rules take its columns for, and the rows in data units;
    others as they are.
    """
    if not isinstance(coordinates, RowCoordinates):
        return coordinates, data
    told = coordinates_of(coordinates.codec, columns, scenario.unsafe, scenario.derived)
    return told, None if data is None else replace(data, values=told.seen(data.values))


def about_columns(
    scenario: Scenario, name: str, columns: tuple[str, ...], coordinates: Coordinates
) -> Coordinates:
    """The coordinates of a region; of a table's rows, of the columns alone that the region is about."""
    if not isinstance(coordinates, RowCoordinates):
        return coordinates
    return about(coordinates, [name], columns, scenario.unsafe, scenario.derived)


def conditioned(
    scenario: Scenario,
    columns: tuple[str, ...],
    coordinates: Coordinates,
    potential: Energy,
    rows: Tensor | None,
) -> tuple[Energy, Coordinates, Tensor | None]:
    """The energy under the values that are given, its coordinates, and the rows of the start that have them;
    BadInput where none does.
    """
    if not isinstance(coordinates, RowCoordinates):
        return pinned(scenario, columns, coordinates, potential, rows)
    if not scenario.given:
        return potential, coordinates, rows
    codec = coordinates.codec
    found = [given_value(codec, columns, name, value) for name, value in scenario.given.items()]
    codes = {value.choice: value.code for value in found if value.choice is not None}
    held = {value.column: value.value for value in found if value.value is not None}
    assert isinstance(potential, RowEnergy)
    if rows is not None:
        points = coordinates.inverse(rows)[:, codec.numbers :]
        kept = torch.ones(len(rows), dtype=torch.bool)
        for j, code in codes.items():
            kept &= points[:, j] == code
        for j, value in held.items():
            kept &= rows[:, j] == value
        rows = rows[kept]
        if not len(rows):
            message = "no row of the start has the values that are given; leave init out"
            raise BadInput(Fault(message, str(scenario.source or scenario.name), key="sampler.init"))
    energy = potential.given(codes) if codes else potential
    if not held:
        return energy, coordinates, rows
    own = coordinates.holding(held)
    return GivenRows(energy, own.stretches).requires_grad_(False), own, rows
