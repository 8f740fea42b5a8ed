"""Whether a scenario's dtype can represent its run, and its table of data is suitable, before anything is
sampled.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from barriers.sets import UnsafeSet
from lem_safe.checkpoints import FromFile
from lem_safe.data import Dataset
from lem_safe.data.concerns import concerns
from lem_safe.data.distributions import Planar
from lem_safe.data.paths import PathFile
from lem_safe.data.sources import FileTable, SklearnTable
from lem_safe.energies import Energy, columns_of
from lem_safe.errors import BadInput, Fault
from lem_safe.precision.needs import QUICK, Needs, needs_of
from lem_safe.precision.resolution import HARMLESS, SHARE
from lem_safe.registry.making import make, regions, untrained
from lem_safe.registry.rows import table_of
from lem_safe.scenario import Scenario, fault_in
from lem_safe.training.trained import Trained
from lem_safe.training.whitening import whiten


def columns(energy: Mapping[str, Any]) -> tuple[str, ...]:
    """The coordinates' names of an energy's specification: its data's, else x0, x1, ...;
    nothing is trained.
    """
    made = make("energies", energy)
    if (
        isinstance(made, Trained)
        and getattr(made.data, "codec", None) is None
        and made.network.whitens
        and isinstance(made.data, SklearnTable | FileTable | Planar)
    ):
        _must_whiten(made.data.load(0))
    return columns_of(made) if isinstance(made, Energy) else made.columns


def beyond_single(
    resolved: Mapping[str, Any], columns: Sequence[str], regions: Mapping[str, UnsafeSet]
) -> str | None:
    """Why float32 cannot represent a resolved scenario (A.12); None where it can, and where its files cannot
    be read.
    """
    try:
        if table_of(resolved["energy"]) is not None:  # latent numbers are of size 1
            return None
        found = _needs(resolved, columns, regions, QUICK).unfit("float32", columns, SHARE)
    except BadInput:  # a run reports what is wrong with them
        return None
    return None if found is None else found.why


def must_hold(chosen: Scenario) -> None:
    """Raises BadInput for a scenario whose dtype cannot represent it, so that its samples or its counts would
    be false.
    """
    if table_of(chosen.energy) is not None:
        return
    columns_ = tuple(chosen.columns or columns(chosen.energy))
    named = regions(chosen.unsafe, columns_, chosen.derived)
    needs = _needs(chosen.content(), columns_, {c.set: named[c.set] for c in chosen.constraints})
    found = needs.unfit(chosen.dtype, columns_, HARMLESS if chosen.dtype == "float32" else SHARE)
    if found is not None:
        single = chosen.dtype == "float32" and needs.unfit("float64", columns_, SHARE) is None
        origin = (
            "move the origin: subtract a constant from the column, in the data, the energy, the start "
            "and the regions"
        )
        way_out = "use dtype: float64, or leave dtype out" if single else origin
        raise BadInput(
            fault_in(chosen, ("dtype",), f"{chosen.dtype} cannot hold this: {found.why}; {way_out}")
        )


def concerning(chosen: Scenario) -> tuple[str, ...]:
    """Remarks on the table that a scenario's energy is learned from, before it is: codes for missing values,
    few rows.
    """
    try:
        made = make("energies", chosen.energy)
        if not (
            isinstance(made, Trained) and isinstance(made.data, SklearnTable | FileTable | Planar | PathFile)
        ):
            return ()
        rows = made.data.load(chosen.seed)
    except (BadInput, ValueError):  # reported elsewhere, with its place
        return ()
    return tuple(c.text for c in concerns(made.data, rows)) if rows.values.numel() <= QUICK else ()


def _needs(
    resolved: Mapping[str, Any],
    columns: Sequence[str],
    regions: Mapping[str, UnsafeSet],
    numbers: float = math.inf,
) -> Needs:
    """What a run's dtype must represent, using at most `numbers` values of its start."""
    learned: list[Trained | FromFile] = []

    def noted(part: Trained | FromFile, where: tuple[str | int, ...]) -> Energy:
        learned.append(part)
        return untrained(part, where)

    made = make("energies", resolved["energy"], learned=noted)
    if not isinstance(made, Energy):
        noted(made, ())
    return needs_of(resolved, columns, regions, learned or made, numbers)


def _must_whiten(rows: Dataset) -> None:
    """Raises BadInput, at the key `data`, where training would certainly fail: columns that are constant or
    determine each other, too few rows.
    """
    try:
        if rows.values.numel() <= QUICK:
            whiten(rows.values, rows.columns)
    except BadInput as bad:
        raise BadInput(
            [Fault(fault.message.removeprefix("data: "), key="data") for fault in bad.faults]
        ) from None
