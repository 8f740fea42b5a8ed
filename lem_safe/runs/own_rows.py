"""What the rows that an energy is learned from have to do with the regions: how many are inside, and those
that are not.
"""

from collections.abc import Sequence

from jaxtyping import Bool, Float, Float64

from barriers.arrays import Tensor, torch
from barriers.sets import UnsafeSet
from barriers.specification import SpecificationError
from lem_safe.data.paths import PathFile
from lem_safe.data.sources import FileTable, SklearnTable
from lem_safe.errors import BadInput, Fault
from lem_safe.formatting import percent
from lem_safe.registry import in_data_units, make, own_regions
from lem_safe.scenario import Scenario
from lem_safe.training.trained import Trained

BLOCK = 65536


def own_rows(scenario: Scenario) -> list[str]:
    """How many rows of the scenario's own table are inside each constrained region, in words; empty where
    none is, and where it has no table or that cannot be read.
    """
    if scenario.energy["kind"] != "trained":
        return []
    try:
        made = make("energies", scenario.energy)
        if not (isinstance(made, Trained) and isinstance(made.data, FileTable | SklearnTable | PathFile)):
            return []
        data = made.data.load(0)
        columns = tuple(scenario.columns or data.columns)
        return inside_rows(
            scenario, torch.from_numpy(in_data_units(scenario, data.values.numpy(), columns)), columns
        )
    except (BadInput, SpecificationError, ValueError, OSError):  # said elsewhere, with its place
        return []


def inside_rows(scenario: Scenario, rows: Float[Tensor, "n d"], columns: Sequence[str]) -> list[str]:
    """The same of rows that are there already, in data units."""
    named = own_regions(scenario, tuple(columns))
    found = []
    for c in scenario.constraints:
        count = int(_members(named[c.set], rows).sum())
        if count:
            share = f"{count:,} of {len(rows):,} rows of the data ({percent(count / len(rows))})"
            is_ = "is" if count == 1 else "are"
            found.append(f"{share} {is_} inside {c.set}, of which {percent(c.beta)} is tolerated")
    return found


def outside(
    rows: Float64[Tensor, "n d"], sets: Sequence[UnsafeSet], scenario: Scenario
) -> Float64[Tensor, "k d"]:
    """The rows in none of the sets, in their order; BadInput where there is none."""
    inside = torch.stack([_members(unsafe, rows) for unsafe in sets]).any(0)
    if bool(inside.all()):
        message = (
            f"all {len(rows):,} rows of the data are inside a constrained region, so no particle can start "
            "outside; make the regions smaller, or start elsewhere (init: {kind: gaussian, ...})"
        )
        raise BadInput(Fault(message, file=str(scenario.source or scenario.name), key="sampler.init.outside"))
    return rows[~inside]


def _members(unsafe: UnsafeSet, rows: Float[Tensor, "n d"]) -> Bool[Tensor, "n"]:
    return torch.cat([unsafe.contains(block.double()) for block in rows.split(BLOCK)])
