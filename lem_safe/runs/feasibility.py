"""Whether tolerances can hold together: not where regions cover everything, or tolerances add up to less than
all of the mass.

Points show which patterns of membership occur: p ∈ {0,1}^m, one entry per constraint. A distribution puts w_p
on each, and all tolerances hold where

    w ≥ 0,   Σ_p w_p = 1,   Σ_p w_p p_k ≤ β_k                                                  (A.15)

A point in no region decides at once. Otherwise the smallest t with Σ w_p p_k ≤ β_k + t, a linear program, is
> 0 where no distribution over the points tried keeps every tolerance. Only some points are tried: starts,
rows, draws, clouds of many sizes around them, and each of these moved step by step out of the regions that
contain it. A narrow gap may be missed, so this warns and never refuses.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import value_and_gradient
from barriers.sets import UnsafeSet
from barriers.sets.base import NotSmooth
from barriers.specification import SpecificationError
from lem_safe.data.distributions import Planar
from lem_safe.data.sources import FileTable, SklearnTable
from lem_safe.data.tables import read_table
from lem_safe.energies.base import Energy
from lem_safe.errors import BadInput
from lem_safe.formatting import percent
from lem_safe.keys import Key
from lem_safe.registry import columns as columns_of
from lem_safe.registry import make, own_regions
from lem_safe.samplers.initial_points import form_of
from lem_safe.scenario import Scenario
from lem_safe.training.trained import Trained

EACH, SCALES, SWEEPS, ALONE = 64, 13, 24, 6
"""Points of a kind; sizes of clouds around them, each ten times the previous; moves out of all regions, and
out of one alone.
"""
FIRST = 16
"""About so many of the points are tried before all."""
OVERSHOOT = 1e-3
"""A move goes this much further than the boundary, relative to its length: too little to jump over a gap
twice from far away.
"""


def never_together(scenario: Scenario, known: Float[Tensor, "n d"] | None = None) -> str | None:
    """Why no distribution over the points tried keeps every tolerance, in words; None where one does, or
    where no points can be tried.

    known: further points in the data's units, such as a run's start and the rows its energy was trained on.
    """
    try:
        columns = tuple(scenario.columns or columns_of(scenario.energy))
        named = own_regions(scenario, columns)
    except (SpecificationError, BadInput, ValueError):  # reported elsewhere, with its place
        return None
    sets = [named[c.set] for c in scenario.constraints]
    betas = np.array([c.beta for c in scenario.constraints])
    points = _seeds(scenario, len(columns), known)
    if not _all_inside(sets, points[:: max(1, len(points) // FIRST)]):  # most often a few tell
        return None
    inside, tried = _patterns(sets, points)
    patterns = np.unique(inside, axis=0)
    if not patterns.any(axis=1).all() or (excess := least_excess(patterns, betas)) <= 1e-9:
        return None
    names = [c.set for c in scenario.constraints]
    what = f"each of the {tried:,} points tried is inside {_either(names)}"
    total = float(betas.sum())
    if len(names) == 1:
        return (
            f"{what}, and {percent(total)} is tolerated: it cannot hold unless there is a place "
            "outside; make the region smaller"
        )
    if total < 1:
        why = f"the tolerances add up to {percent(total)}, less than 100 %"
    else:
        why = (
            "the regions overlap so much that, however the mass is spread, a tolerance is exceeded by "
            f"at least {percent(excess)}"
        )
    return f"{what}, and {why}: they cannot hold together; raise the tolerances or make the regions smaller"


def least_excess(patterns: Bool[np.ndarray, "k m"], betas: Float[np.ndarray, "m"]) -> float:
    """The smallest t by which some tolerance is exceeded, over all masses of the patterns (A.15); at most 0
    where all can hold.

    >>> float(round(least_excess(np.array([[True, False], [False, True]]), np.array([0.1, 0.1])), 6))
    0.4
    """
    from scipy.optimize import linprog

    k, m = patterns.shape
    rows = np.column_stack([patterns.T.astype(float), -np.ones(m)])
    total = np.append(np.ones(k), 0.0)[None]
    found = linprog(
        np.append(np.zeros(k), 1.0),
        rows,
        betas,
        total,
        [1.0],
        [(0, None)] * k + [(None, None)],
        method="highs",
    )
    return float(found.fun) if found.status == 0 else 0.0


def _inside(sets: Sequence[UnsafeSet], points: Float[Tensor, "n d"]) -> Bool[np.ndarray, "n m"]:
    found: np.ndarray = torch.stack([s.contains(points) for s in sets], 1).numpy()
    return found


def _all_inside(sets: Sequence[UnsafeSet], points: Float[Tensor, "n d"]) -> bool:
    return bool(_inside(sets, points).any(1).all())


def _patterns(sets: Sequence[UnsafeSet], seeds: Float[Tensor, "n d"]) -> tuple[Bool[np.ndarray, "k m"], int]:
    """The memberships of the points and of their moved copies, and how many points were tried; stops at a
    point in no region.

    The points are moved out of one region after another, and then out of each region alone, as that region's
    tolerance may be used there.
    """
    found: list[np.ndarray] = []

    def free(points: Tensor) -> bool:
        found.append(_inside(sets, points))
        return not found[-1].any(1).all()

    for course in (sets, *((s,) for s in sets if len(sets) > 1)):
        points = seeds
        for _ in range(SWEEPS if course is sets else ALONE):
            if free(points):
                break
            moved = points
            for unsafe in course:
                moved = _moved_out(unsafe, moved)
            if torch.equal(moved, points):
                break
            points = moved
        if not found[-1].any(1).all():
            break
    return np.concatenate(found), sum(map(len, found))


def _moved_out(unsafe: UnsafeSet, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """The points inside, moved to the boundary to first order and slightly past it; they stay where the slope
    is 0.
    """
    try:
        s, ds = value_and_gradient(unsafe, x)
    except (NotSmooth, NotImplementedError, RuntimeError, ValueError):  # known by membership alone
        return x
    steep = ds.square().sum(1, keepdim=True)
    move = -(1 + OVERSHOOT) * s[:, None] * ds / steep
    good = unsafe.contains(x)[:, None] & move.isfinite().all(1, keepdim=True)
    return torch.where(good, x + move, x)


def _seeds(scenario: Scenario, d: int, known: Float[Tensor, "n d"] | None) -> Float[Tensor, "k d"]:
    """Initial points: the known ones, draws of the energy, the start, and clouds of many sizes around them,
    all float64.
    """
    key = Key(0).fold("feasible")
    parts = [torch.zeros(1, d, dtype=torch.float64)]
    parts += [] if known is None else [_evenly_spaced(known.detach().cpu().double())]
    parts += [
        part
        for part in (_start(scenario.sampler.init), _draws(scenario))
        if part is not None and part.shape[1] == d
    ]
    near = torch.cat(parts)
    near = near[near.isfinite().all(1)]
    noise = key.normal(torch.empty(EACH, d, dtype=torch.float64))
    middles = near[torch.linspace(0, len(near) - 1, EACH).long()]
    clouds = [middles + 10.0**k * noise for k in range(-SCALES // 2 + 1, SCALES // 2 + 1)]
    return torch.cat([near, *clouds])


def _start(init: Mapping[str, object]) -> Tensor | None:
    """Rows of a file, or the mean of a normal start; None for other kinds."""
    if init["kind"] == "gaussian":
        return torch.tensor([init["mean"]], dtype=torch.float64)
    if init["kind"] != "file":
        return None
    try:
        return _evenly_spaced(torch.from_numpy(read_table(str(init["path"]), form=form_of(init)).values))
    except BadInput:
        return None


def _draws(scenario: Scenario) -> Tensor | None:
    """Draws of an energy that allows them, or rows of the table it is learned from; None for others."""
    try:
        made = make("energies", scenario.energy)
        if isinstance(made, Trained) and isinstance(made.data, SklearnTable | FileTable | Planar):
            return _evenly_spaced(made.data.load(0).values)
    except (BadInput, ValueError):
        return None
    if not isinstance(made, Energy):
        return None
    return made.exact_draws(Key(0).fold("feasible draws").generator(), EACH)


def _evenly_spaced(x: Tensor, most: int = 4 * EACH) -> Tensor:
    return x if len(x) <= most else x[torch.linspace(0, len(x) - 1, most).long()]


def _either(names: Sequence[str]) -> str:
    return (
        names[0]
        if len(names) == 1
        else f"at least one of {', '.join(names[:8])}" + (", ..." if len(names) > 8 else "")
    )
