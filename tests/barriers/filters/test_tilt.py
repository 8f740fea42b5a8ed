"""The tilt keeps the KL projection, each particle by itself, and says so; and the faults that are found."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from planted import Tooth, checks, must_be_found, written_in
from torch import Tensor
from truths import tilt as truths

from barriers import patterns
from barriers.derivatives import NotDifferentiable
from barriers.filters import FILTERS, Both, Gate, Penalty, StepChain, Tilt, learned, needs_pilot
from barriers.filters.later_uniforms import drawn
from barriers.filters.tilt import TiltMemory
from barriers.functionals import smooth_mass
from barriers.projection import facts
from barriers.sets import HalfSpace
from barriers.surrogates import Sigmoid
from lem_safe.bounds import power

pytestmark = pytest.mark.simulation
F64 = torch.float64


def leaving_counts(honest: Any) -> Any:
    """Moves out of a set are refused as often as moves into it."""

    def faulty(self: Tilt, x: Tensor, proposal: Tensor, h: float, u: Tensor, memory: TiltMemory) -> Any:
        y, after, info = honest(self, x, proposal, h, u, memory)
        fall = (memory.inside.double() - after.inside.double()) @ info.multipliers
        back = drawn(u, torch.ones(len(x), dtype=torch.bool)).double() >= (-fall.clamp(min=0)).exp()
        inside = torch.where(back[:, None], memory.inside, after.inside)
        return torch.where(back[:, None], x, y), TiltMemory(inside), info

    return faulty


def set_by_set(honest: Any) -> Any:
    """Multipliers of every set as if it were the only one."""
    return lambda found, limits: torch.tensor(
        [facts(float(p), β).multiplier for p, β in zip(found.of_sets(), limits, strict=True)], dtype=F64
    )


TEETH: dict[str, Tooth] = {
    "a tilt that counts leaving moves": (
        truths.tested_moves_keep_the_projection,
        Tilt,
        "apply",
        leaving_counts,
    ),
    "a tilt without its multipliers' sum": (
        truths.tested_moves_keep_the_projection,
        Tilt,
        "apply",
        lambda f: lambda self, x, *rest: f(Tilt(self.sets, [1.5 * μ for μ in self.multipliers]), x, *rest),
    ),
    "membership remembered from the start": (
        truths.kernels_that_are_tested_are_exact_at_any_step,
        Tilt,
        "apply",
        lambda f: lambda self, x, y, h, u, memory: (f(self, x, y, h, u, memory)[0], memory, None),
    ),
    "every set for itself": (truths.multipliers_of_the_ring, patterns, "multipliers", set_by_set),
    "clouds put together without their multipliers": (
        truths.a_pilot_knows_the_masses,
        patterns,
        "unfiltered_masses",
        lambda f: lambda clouds: f([c._replace(multipliers=0 * c.multipliers) for c in clouds]),
    ),
    "a pilot that is never wrong": (
        truths.a_probability_aimed_at_has_its_power,
        power,
        "exceeds",
        lambda f: lambda n, count, p, share, pilot=None: f(n, count, p, share, 10**9),
    ),
}
CHECKS = checks(TEETH)


@pytest.mark.parametrize("name", CHECKS)
def test_truth(name: str) -> None:
    CHECKS[name]()


@pytest.mark.parametrize("name", TEETH)
def test_a_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    power.largest_probability.cache_clear()
    must_be_found(TEETH[name], monkeypatch)
    power.largest_probability.cache_clear()


def test_every_check_has_a_fault_that_it_finds() -> None:
    assert written_in(truths) - {"ring", "Ring"} == set(CHECKS)


def _moved(tilt: Tilt, here: list[float], there: list[float], u: list[float]) -> list[bool]:
    x, y = torch.tensor(here, dtype=F64)[:, None], torch.tensor(there, dtype=F64)[:, None]
    z, memory, info = tilt.apply(x, y, 0.1, torch.tensor(u, dtype=F64), tilt.init(x))
    assert torch.equal(memory.inside, torch.stack([s.contains(z) for s in tilt.sets], 1))
    assert torch.equal(info.multipliers, torch.tensor(tilt.multipliers, dtype=F64))
    return (z == y)[:, 0].tolist()


def test_a_move_in_is_taken_with_the_chance_of_its_multipliers() -> None:
    tilt = Tilt([HalfSpace([1.0], 1.0), HalfSpace([1.0], 2.0)], [math.log(2), math.log(3)])
    edges = [0.5 - 1e-9, 0.5 + 1e-9, 1 / 6 - 1e-9, 1 / 6 + 1e-9, 1 - 1e-12, 1 - 1e-12, 1 / 3 - 1e-9, 0.4]
    here, there = [0, 0, 0, 0, 3, 1.5, 1.5, 1.5], [1.5, 1.5, 3, 3, 0, 1.2, 3, 3]
    assert _moved(tilt, here, there, edges) == [True, False, True, False, True, True, True, False]


def test_a_limit_of_zero_is_never_entered_and_may_be_left() -> None:
    sets = [HalfSpace([1.0], 1.0), HalfSpace([-1.0], 1.0)]
    tilt = Tilt(sets, [math.inf, math.inf])
    assert _moved(tilt, [0, 2, 2, 2], [2, 0, 3, -2], [0.0, 0.9, 0.9, 0.9]) == [False, True, True, True]
    cloud = patterns.Cloud(torch.tensor([[True, False], [False, True], [False, False]]), torch.zeros(2))
    found = patterns.multipliers(patterns.unfiltered_masses([cloud]), [0.0, 0.25])
    assert found[0] == math.inf and found[1] == pytest.approx(math.log(3))


def test_limits_that_exclude_each_other_are_refused() -> None:
    inside = torch.arange(100)[:, None] < torch.tensor([[50]])
    cloud = patterns.Cloud(torch.cat([inside, ~inside], 1), torch.zeros(2, dtype=F64))
    everywhere = patterns.unfiltered_masses([cloud])
    assert everywhere.patterns.shape == (3, 2)  # half a particle is outside both
    nowhere = patterns.Masses(everywhere.patterns[1:], torch.full((2,), 0.5, dtype=F64))
    with pytest.raises(ValueError, match="no weights"):
        patterns.multipliers(nowhere, [0.1, 0.1])
    with pytest.raises(ValueError, match="limit is 0"):
        cloud = patterns.Cloud(torch.ones(5, 1, dtype=torch.bool), torch.zeros(1))
        found = patterns.unfiltered_masses([cloud])
        patterns.multipliers(patterns.Masses(found.patterns[-1:], found.masses[-1:]), [0.0])


def test_multipliers_are_learned_once_wherever_the_tilt_stands() -> None:
    sets = [HalfSpace([1.0], 1.0)]
    auto, gate = FILTERS["tilt"](sets), Gate(sets, [0.1])
    penalty = Penalty(smooth_mass(sets, [Sigmoid(0.1, 0.2)], [0.1]), [1.0])
    for chosen in (auto, StepChain([auto, gate]), Both(penalty, StepChain([auto]))):
        assert needs_pilot(chosen)
        known: Any = learned(chosen, [0.7])
        assert (
            not needs_pilot(known) and learned(known, [0.1]) is known or isinstance(known, StepChain | Both)
        )
        last = known.step.filters[0] if isinstance(known, Both) else known
        last = last.filters[0] if isinstance(last, StepChain) else last
        assert last.multipliers == (0.7,)
    assert not needs_pilot(gate) and not needs_pilot(None) and learned(gate, [1.0]) is gate
    x = torch.zeros(3, 1, dtype=F64)
    with pytest.raises(ValueError, match="not learned"):
        auto.apply(x, x, 0.1, torch.zeros(3, dtype=F64), auto.init(x))


def test_what_it_refuses() -> None:
    sets = [HalfSpace([1.0], 1.0)]
    for wrong in ([1.0, 2.0], [-0.1], [math.nan]):
        with pytest.raises(ValueError, match="multipliers must be"):
            Tilt(sets, wrong)
    tilt, x = Tilt(sets, [1.0]), torch.zeros(3, 1, dtype=F64, requires_grad=True)
    with pytest.raises(NotDifferentiable, match="tilt"):
        tilt.apply(x, x + 1, 0.1, torch.zeros(3, dtype=F64), tilt.init(x))


def test_a_pilot_has_enough_inside() -> None:
    assert power.pilot_particles(2000, [0.05, 0.2]) == 4000
    assert power.pilot_particles(10, [1e-9]) == power.MOST
    assert np.isclose(power.exceeds(100, 10, 0.1, 0.5, 10**8), 0.4168, atol=1e-3)  # the binomial's own
