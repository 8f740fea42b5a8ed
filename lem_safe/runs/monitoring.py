"""The monitoring of a run: its monitor and its stopping rule, built from the scenario, and how the rule ended
the run, read from its files.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.subspace import Subspace
from lem_safe.data.typed import RowCoordinates
from lem_safe.errors import BadInput, Fault
from lem_safe.keys import BLOCK, Key
from lem_safe.lyapunov import Beginning, Look, Monitor, Normal, Stop, Stopped, outcome
from lem_safe.lyapunov.work import CALL, work
from lem_safe.registry import make
from lem_safe.runs.problem import Problem

BOOKKEEPING = 20
"""The remaining cost of a step, in calls: keys, generators, the trace, the clock."""


def monitor(problem: Problem) -> Monitor:
    """The monitor of the scenario's `monitors`, with its cost counted relative to a step."""
    sampler, chosen, d = problem.scenario.sampler, problem.scenario.monitors, problem.coordinates.dimension
    n = min(sampler.samples, max(BLOCK, chosen.samples))  # more particles cost in proportion
    x = Key(0).normal(torch.empty(n, d, dtype=problem.dtype, device=problem.device))
    step = step_work(problem, x) * sampler.samples / n
    return Monitor.paced(problem.potential, x, step, sampler.steps, chosen.every, chosen.samples)


def step_work(problem: Problem, x: Float[Tensor, "n d"]) -> float:
    """The work of one step of the unfiltered chain from a cloud like x, with the counts after it; a filter
    only adds to it. It is that of the second step, since the first may evaluate what later ones reuse.
    """
    sampler = problem.sampler(filtered=False)
    state = sampler.step(Key(0), sampler.init(x))[0]

    def step() -> None:
        after = sampler.step(Key(0), state)[0].x
        after.isfinite().all()
        for region in problem.sets:
            region.contains(after).double().mean()

    return work(step) + BOOKKEEPING * CALL


def stop_rule(problem: Problem, x: Tensor) -> Stop:
    """The scenario's stopping rule for a run from the cloud x; raises BadInput where a requirement is not
    met.
    """
    sampler = problem.scenario.sampler
    beginning = Beginning(problem.potential, x, start_law(problem), sampler.step_size, sampler.steps)
    try:
        rule: Stop = make("stops", problem.scenario.stop, context={"beginning": beginning})
    except ValueError as error:
        raise BadInput(
            Fault(str(error), file=str(problem.scenario.source or problem.scenario.name), key="stop")
        ) from error
    return rule


def start_law(problem: Problem) -> Normal | None:
    """The distribution of a run's initial particles, over sampler coordinates; None where it has no normal
    density.
    """
    init, coordinates = problem.scenario.sampler.init, problem.coordinates
    d = coordinates.dimension
    if isinstance(coordinates, RowCoordinates):
        return None
    if init["kind"] == "standard":
        return Normal(torch.zeros(d).double(), torch.eye(d).double())
    if init["kind"] != "gaussian":
        return None
    mean, std = (
        torch.tensor(init["mean"], dtype=torch.float64),
        torch.tensor(init["std"], dtype=torch.float64).expand(coordinates.width),
    )
    if not bool((std > 0).all()):
        return None
    if isinstance(coordinates, Subspace):
        std = std.index_fill(0, coordinates.index.cpu(), 0.0)
    W = coordinates.inverse_matrix.double().cpu()
    return Normal(coordinates.inverse(mean), W @ std.square().diag() @ W.T)


def ended(problem: Problem, rule: Stop, trace: Mapping[str, np.ndarray]) -> Stopped:
    """How a chain ended, from its arrays: `fraction`, and the evaluations of the rule."""
    seen = (
        zip(*(trace[name] for name in ("stop_step", "stop_value", "stop_error")), strict=True)
        if "stop_step" in trace
        else ()
    )
    looks = [Look(int(k), float(value), float(error)) for k, value, error in seen]
    return outcome(rule, looks, len(trace["fraction"]), problem.scenario.audit.after_step)
