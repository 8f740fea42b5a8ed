"""The start of a run's particles, in sampler coordinates."""

from barriers.arrays import Tensor, torch
from barriers.sets.pull import FirstOrder
from lem_safe.data.typed import RowCoordinates
from lem_safe.energies.mixture_on_subspace import base_of
from lem_safe.energies.row_given import Given
from lem_safe.energies.row_mixture import RowMixture
from lem_safe.errors import BadInput, Fault
from lem_safe.keys import Key, Part, PartKey
from lem_safe.runs.problem import Problem
from lem_safe.samplers.blocks import by_block
from lem_safe.samplers.initial_points import drawn

REDRAWN = 100
"""How often a row of a start is drawn again that is inside a constrained region."""


def beginning(problem: Problem, r: int) -> tuple[Key, Tensor]:
    """The key of cloud r of a run, and the start of its particles."""
    key = cloud_key(problem, r)
    return key.fold("chain"), start(problem, key)


def cloud_key(problem: Problem, r: int) -> Key:
    """What everything that is drawn for cloud r of a run is drawn from; the first has that of one cloud."""
    seed = problem.scenario.seed
    return Key(seed) if r == 0 else Key(seed).fold("replica", r)


def start(problem: Problem, key: Key, part: Part | None = None) -> Tensor:
    """The initial particles of a run, in sampler coordinates, [samples, d]; particles at rows have the rows'
    own values (A.11). part: these alone.
    """
    init, n, coordinates = (
        problem.scenario.sampler.init,
        problem.scenario.sampler.samples,
        problem.coordinates,
    )
    part = Part(0, n) if part is None else part
    if problem.rows is not None:
        count = len(problem.rows)
        order = torch.arange(count) if problem.in_order else key.fold("rows").permutation(count)
        if isinstance(coordinates, RowCoordinates):
            return _at_rows(problem, coordinates, order[torch.arange(n) % count])[part.rows]
        chosen = order[torch.arange(part.start, part.stop) % count]
        points = problem.rows if coordinates.anchors is None else coordinates.anchors.points
        return points[chosen.to(points.device)].to(device=problem.device, dtype=problem.dtype)
    standard = init["kind"] == "standard"
    d = coordinates.dimension if standard else coordinates.width
    mine = PartKey.of(key, part)
    noise = mine.fold("init").normal(torch.empty(len(part), d, dtype=problem.dtype, device=problem.device))
    if standard:
        fresh = problem.potential.codes or problem.scenario.sampler.kind == "mixed"
        base = base_of(problem.potential) if fresh else None
        return noise if base is None else _outside(problem, base, noise, mine)
    at = drawn(init, noise.double().cpu()).to(problem.device)
    x: Tensor = by_block(coordinates.inverse, at)
    return x.to(problem.dtype)


def _at_rows(problem: Problem, coordinates: RowCoordinates, chosen: Tensor) -> Tensor:
    """Points of the chosen rows of a table. Where the rounding of a point puts its row inside a constrained
    region that the row of the data is outside of, another chosen row takes its place.
    """
    assert problem.rows is not None
    rows = problem.rows[chosen]
    x = coordinates.inverse(rows).to(device=problem.device, dtype=problem.dtype)
    strayed = torch.zeros(len(x), dtype=torch.bool)
    for unsafe in problem.sets:
        if isinstance(unsafe, FirstOrder):
            strayed |= unsafe.contains(x).cpu() & ~unsafe.original.contains(rows)
    sound = (~strayed).nonzero()[:, 0]
    if not len(sound):
        message = "every row of the start is rounded into a constrained region; use dtype: float64"
        raise BadInput(Fault(message, str(problem.scenario.source or problem.scenario.name), key="dtype"))
    places = torch.arange(len(x))
    places[strayed] = sound[torch.arange(int(strayed.sum())) % len(sound)]
    return x[places.to(x.device)]


def _outside(problem: Problem, base: RowMixture | Given, noise: Tensor, key: Key) -> Tensor:
    """Draws of the mixture that an energy of rows is based on, each drawn again while it is inside a
    constrained region, at most REDRAWN times: so a filter that counts begins within its budget.
    """
    x = _drawn(base, noise, key)
    for k in range(REDRAWN):
        inside = torch.stack([unsafe.contains(x) for unsafe in problem.sets]).any(0)
        if not bool(inside.any()):
            break
        again = key.fold("again", k)
        x = torch.where(inside[:, None], _drawn(base, again.fold("numbers").normal(noise), again), x)
    return x


def _drawn(base: RowMixture | Given, noise: Tensor, key: Key) -> Tensor:
    """Draws of the mixture that an energy of rows is based on."""
    v = key.fold("codes").uniform(noise[:, base.numbers :])
    component = key.fold("component").uniform(noise[:, 0])
    rows: Tensor = by_block(base.draws, component, noise[:, : base.numbers], v)
    return rows
