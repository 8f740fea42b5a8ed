"""What every filter owes, checked on every member of FILTERS, one without settings here from its example.

Two overlapping balls and a half-space across both, in the plane. The adversary proposes to walk in, to jump,
to come all at once.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from barriers.budget import budget
from barriers.coordinates import identity
from barriers.filters import FILTERS, BarrierStep, Gate, MirrorStep, StepChain, couples
from barriers.filters.mirror import mirrored
from barriers.filters.reject import RejectMemory
from barriers.sets import UnsafeSet, build_sets, pull
from barriers.specification import parameters
from barriers.surrogates import Sigmoid
from lem_safe import registry
from lem_safe.keys import Key
from lem_safe.runs.checkpoint import restored, snapshot
from lem_safe.samplers.base import State

EXAMPLES: dict[str, dict[str, Any]] = {
    "pointwise": {"rate": 3.0},
    "penalty": {"weight": 2.0},
    "primal_dual": {"dual_rate": 0.5},
    "tilt": {"multipliers": [0.5, 1.0, 2.0]},
}
"""What says more about a kind than its example."""
SMOOTH = {"smoothing": Sigmoid(0.07, 0.14)}
"""`step` with a surrogate is another filter (D.1), and keeps E φ."""
HARD = {**SMOOTH, "limit": "hard"}
"""And with its limit raised until the count fills its budget, another one again (D.7, D.8)."""
SETTINGS = {"smooth step": SMOOTH, "hard step": HARD}
"""Names under which `step` stands with these settings."""
CHAINS = {"chain": ["project", "gate"], "chain of drifts": ["pointwise", "primal_dual", "drift"]}
"""What the chains of these laws are made of; `test_filter_chains.py` has those on both sides of the noise."""
AT_REST: dict[str, dict[str, Any]] = {"penalty": {"weight": 0.0}}
"""A penalty pushes wherever it stands, safe or not; only at weight 0 does it leave a safe input alone."""
STATELESS = ["pointwise", "reject", "project"]
H = 0.01
BETAS = [0.05, 0.02, 0.1]
SPECS = {
    "left": {"kind": "ball", "center": [-0.5, 0.0], "radius": 1.0},
    "right": {"kind": "ball", "center": [0.5, 0.0], "radius": 1.0},
    "top": {"kind": "half_space", "normal": [0.0, 1.0], "offset": 0.3},
}
FILTERING = [*(kind for kind in FILTERS if kind != "none"), "chain of drifts"]
ALWAYS = [kind for kind in FILTERS if FILTERS[kind].promise.scope == "every step, this cloud"]
MADE = [*FILTERING, "hard step"]
HARMLESS = [*(kind for kind in FILTERING if kind in CHAINS or FILTERS[kind].promise.scope != "none")]
HARMLESS += ["hard step", "pointwise", "project", "penalty", "primal_dual"]
"""What leaves a safe input alone: every filter that promises something, and these, which do not."""


def sets(dtype: torch.dtype = torch.float64) -> list[UnsafeSet]:
    return [pull(s, identity(2, dtype)) for s in build_sets(SPECS, ("x0", "x1")).values()]


def make(kind: str, settings: dict[str, Any] | None = None) -> Any:
    """The filter of this kind over the three sets; a chain of the kinds it names."""
    if kind in SETTINGS:
        return make("step", SETTINGS[kind])
    if kind in CHAINS:
        return FILTERS["chain"]([make(member) for member in CHAINS[kind]])
    if settings is None or not settings:
        context = {"sets": sets(), "betas": BETAS, "step_size": H}
        own = EXAMPLES.get(kind, {}) if settings is None else {}
        return registry.make("filters", {**FILTERS[kind].example, **own}, context=context)
    takes = {p.context for p in parameters(FILTERS[kind].constructor)}
    context = {"sets": sets(), "betas": BETAS, "step_size": H}
    return FILTERS[kind](**{k: v for k, v in context.items() if k in takes}, **settings)


def start(n: int = 500, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor([0.0, -4.0], dtype=dtype) + 0.3 * Key(1).normal(torch.empty(n, 2, dtype=dtype))


def mixed(n: int = 500) -> Tensor:
    """A cloud within every budget, with particles inside each set, inside two, and a crowd at the
    boundary.
    """
    x = start(n)
    x[:2], x[2:4], x[4:8], x[8] = (
        exactly([-1.2, -0.2]),
        exactly([1.2, -0.2]),
        exactly([3.0, 1.0]),
        exactly([0.0, -0.5]),
    )
    x[9:100] = exactly([0.0, -1.4]) + 0.1 * Key(2).normal(x[9:100])
    return x


def exactly(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def adversary(key: Key, x: Tensor, k: int, jumps: int = 3) -> Tensor:
    """Proposals that want in: a pull to the overlap, jumps of every particle each `jumps` steps, now and then
    everybody into it at once.
    """
    noise = key.fold("noise", k).normal(x)
    if k % 17 == 0:
        return 0.4 * noise
    return x + 0.3 * (torch.tensor([0.0, 0.2], dtype=x.dtype) - x) + noise * (0.05 if k % jumps else 1.5)


def used(
    chosen: Any, x: Tensor, second: Tensor, memory: Any, uniforms: Tensor | None = None
) -> tuple[Tensor, Any, Any]:
    """One application: `second` is the drift, or the proposal."""
    if chosen.hook == "drift":
        return chosen.apply(x, second, memory)
    return chosen.apply(x, second, H, Key(3).uniform(x[:, 0]) if uniforms is None else uniforms, memory)


def harmful(chosen: Any, x: Tensor) -> Tensor:
    """A drift or a proposal that wants in."""
    return 5 * (torch.tensor([0.0, 0.2]) - x) if chosen.hook == "drift" else adversary(Key(1), x, 17)


@pytest.mark.parametrize("kind", FILTERING)
def test_a_filter_promises_what_the_table_says_and_names_its_hook(kind: str) -> None:
    chosen, entry = make(kind), FILTERS["chain" if kind in CHAINS else kind]
    last = FILTERS[CHAINS[kind][-1]] if kind in CHAINS else entry
    assert chosen.promise is last.promise
    assert (
        chosen.promise.scope in ("every step, this cloud", "in expectation", "in equilibrium", "none")
        and len(chosen.promise.because) > 20
    )
    assert chosen.hook in ("drift", "step") and chosen.hook == last.hook
    assert chosen.couples is (
        any(FILTERS[f].couples for f in CHAINS[kind]) if kind in CHAINS else entry.couples
    )
    assert (
        couples(
            {"kind": "chain", "filters": [{"kind": f} for f in CHAINS[kind]]}
            if kind in CHAINS
            else entry.example
        )
        is chosen.couples
    )
    assert chosen.limits.shape == (3,)


@pytest.mark.parametrize("kind", HARMLESS)
def test_a_safe_input_comes_back_bit_for_bit(kind: str) -> None:
    x = start()
    chosen = make(kind, AT_REST.get(kind))
    second = 0.1 * Key(5).normal(x) if chosen.hook == "drift" else x + 0.1 * Key(5).normal(x)
    out, _, info = used(chosen, x, second, chosen.init(x))
    assert torch.equal(out, second)
    assert (info.shortfall == 0).all()


@pytest.mark.parametrize("kind", MADE)
def test_no_argument_is_changed(kind: str) -> None:
    chosen, x = make(kind), mixed()
    second, u = harmful(chosen, x), Key(3).uniform(x[:, 0])
    memory = chosen.init(x)
    kept = [t.clone() for t in (x, second, u, *leaves(memory))]
    out, _, _ = used(chosen, x, second, memory, u)
    assert all(torch.equal(a, b) for a, b in zip(kept, (x, second, u, *leaves(memory)), strict=True))
    if kind != "primal_dual":  # its first weight is 0: it learns only from this step on
        assert not torch.equal(out, second)


def leaves(memory: Any) -> list[Tensor]:
    """The tensors of a memory: None, a tensor, a NamedTuple or a dict of memories; anything else is an
    error.
    """
    if memory is None:
        return []
    if isinstance(memory, Tensor):
        return [memory]
    assert isinstance(memory, dict) or hasattr(memory, "_asdict"), type(memory)
    return [
        leaf
        for part in (memory if isinstance(memory, dict) else memory._asdict()).values()
        for leaf in leaves(part)
    ]


@pytest.mark.parametrize("kind", MADE)
def test_relabelling_the_particles_relabels_the_result(kind: str) -> None:
    x, order, u = mixed(), Key(2).permutation(500), Key(4).uniform(torch.empty(500, dtype=torch.float64))
    chosen = make(kind)
    second = harmful(chosen, x)
    one, _, info = used(chosen, x, second, chosen.init(x), u)
    other, _, same = used(chosen, x[order], second[order], chosen.init(x[order]), u[order])
    assert torch.allclose(one[order], other, atol=1e-9)
    assert torch.allclose(info.multipliers, same.multipliers, rtol=1e-6, equal_nan=True)


@pytest.mark.parametrize("kind", MADE)
def test_memory_survives_a_checkpoint_and_the_next_step_is_bit_equal(kind: str, tmp_path: Any) -> None:
    x, chosen = mixed(), make(kind)
    memory = chosen.init(x)
    for k in range(3):
        moved, memory, _ = used(chosen, x, harmful(chosen, x), memory, Key(k).uniform(x[:, 0]))
        x = moved if chosen.hook == "step" else x
    leaves(memory)
    state = State(x, memory, None) if chosen.hook == "drift" else State(x, None, memory)
    np.savez(tmp_path / "checkpoint.npz", **snapshot(state, 3, {}))
    fresh = chosen.init(start())
    template = State(x, fresh, None) if chosen.hook == "drift" else State(x, None, fresh)
    with np.load(tmp_path / "checkpoint.npz", allow_pickle=False) as saved:
        back = restored(template, dict(saved), torch.device("cpu"))
    remembered = back.drift_memory if chosen.hook == "drift" else back.step_memory
    assert type(remembered) is type(memory) and torch.equal(back.x, x)
    assert all(torch.equal(a, b) for a, b in zip(leaves(memory), leaves(remembered), strict=True))
    second = harmful(chosen, x)
    on, after, _ = used(chosen, x, second, memory)
    again, after_again, _ = used(chosen, x, second, remembered)
    assert torch.equal(on, again) and all(
        torch.equal(a, b) for a, b in zip(leaves(after), leaves(after_again), strict=True)
    )


@pytest.mark.parametrize("kind", STATELESS)
def test_filtering_twice_is_filtering_once(kind: str) -> None:
    x, chosen = start(), make(kind)
    at = mixed() if chosen.hook == "drift" else x
    shallow = exactly([0.0, -1.0]) + 0.15 * Key(6).normal(
        x
    )  # across the balls' lower edges, where one projection leads out
    second = harmful(chosen, at) if chosen.hook == "drift" else shallow
    once, _, info = used(chosen, at, second, chosen.init(at))
    assert (info.shortfall <= 1e-9).all() and not torch.equal(once, second)
    twice, _, _ = used(chosen, at, once, chosen.init(at))
    assert torch.allclose(twice, once, atol=1e-9)


def test_the_pointwise_filter_is_its_condition_particle_by_particle() -> None:
    """∇s·u ≥ −αs for every particle and set, with complementary slackness: the KKT conditions of n small
    problems.
    """
    x, chosen, α = mixed(), make("pointwise"), 3.0
    v = harmful(chosen, x)
    u, _, _ = used(chosen, x, v, None)
    jets = [s.jet(x) for s in sets()]
    slack = torch.stack([(j.gradient * u).sum(1) + α * j.value for j in jets], 1)
    assert float(slack.min()) > -1e-6
    untouched = (torch.stack([(j.gradient * v).sum(1) + α * j.value for j in jets], 1) >= 0).all(1)
    assert (
        torch.equal(u[untouched], v[untouched])
        and float((slack[~untouched].min(1).values).abs().max()) < 1e-6
    )


@pytest.mark.parametrize("settings", [SMOOTH, {}])
def test_a_step_is_never_corrected_by_much_more_than_not_taking_it_would_cost(
    settings: dict[str, Any],
) -> None:
    """Everybody jumps into the overlap at once: Newton's equations are nearly singular there and would throw
    particles 1e29 away.

    A mirror image is at most twice as far from the proposal as the particle was; the smooth correction as a
    whole is never longer.
    """
    key, x, chosen = Key(11), start(2000), make("step", settings)
    memory = chosen.init(x)
    for k in range(40):
        y = adversary(key, x, k)
        z, memory, _ = chosen.apply(x, y, H, x[:, 0], memory)
        moved, back = (z - y).square().sum(1), (x - y).square().sum(1)
        if settings:
            assert float(moved.mean()) <= float(back.mean()) * (1 + 1e-12)
        else:
            assert (moved <= 4 * back * (1 + 1e-12)).all()
        x = z
    assert float(x.abs().max()) < 20


# --- every step, this cloud: 1e6 particle-steps each, `long` 1e7, and what it takes to notice a filter that
# does not keep it: 8e4 ---

PARTICLES, MANY, STEPS = 20_000, 200_000, 50


def kept(kind: str, chosen: Any, x: Tensor, limits: dict[str, Any]) -> bool:
    """Whether the promise of a kind holds for this cloud, recounted by other means than the filter's own
    memory.
    """
    if kind in ("gate", "step", "hard step"):
        return all(
            int(s.contains(x).sum()) <= b for s, b in zip(limits["sets"], limits["budgets"], strict=True)
        )
    if kind == "reject":
        return not any(bool(s.contains(x).any()) for s in limits["sets"])
    barrier = chosen.barrier
    return bool((barrier.readout(barrier.statistics(x).double().mean(0)) >= -1e-12).all())


def run_against_the_adversary(
    kind: str, chosen: Any, n: int = PARTICLES, steps: int = STEPS, jumps: int = 3
) -> tuple[bool, Tensor]:
    """Whether the promise held at every step, and the largest count in each set, from a start within
    limits.
    """
    key, x = Key(11), start(n)
    limits = {"sets": sets(), "budgets": [budget(β, n) for β in BETAS]}
    memory, most, always = chosen.init(x), torch.zeros(3, dtype=torch.long), True
    assert kept(kind, chosen, x, limits)
    for k in range(steps):
        x, memory, _ = chosen.apply(
            x, adversary(key, x, k, jumps), H, key.fold("uniform", k).uniform(x[:, 0]), memory
        )
        most = torch.maximum(most, torch.stack([s.contains(x).sum() for s in limits["sets"]]))
        always = always and kept(kind, chosen, x, limits)
    return always, most


@pytest.mark.simulation
@pytest.mark.parametrize("kind", [*ALWAYS, *SETTINGS])
@pytest.mark.parametrize("n", [PARTICLES, pytest.param(MANY, marks=pytest.mark.long)])
def test_the_promise_of_every_step_holds_over_millions_of_particle_steps(kind: str, n: int) -> None:
    """Three overlapping sets; the hard count, which the surrogate bounds, is taken too."""
    assert n * STEPS >= (10_000_000 if n == MANY else 1_000_000)
    always, most = run_against_the_adversary(kind, make(kind), n, jumps=9)
    assert always
    budgets = torch.tensor([budget(β, n) for β in BETAS])
    assert (most <= budgets).all()
    if kind == "gate":
        assert (most == budgets).all()  # it refuses no more than it must
    if kind in ("step", *SETTINGS):
        assert (most > 0).all()


def without_the_fallback() -> BarrierStep:
    chosen = make("step", SMOOTH)
    chosen._newton = lambda y, floor, at, g: at
    chosen._returned = lambda x, floor, at, start_is_within: at
    return chosen


def that_mirrors_without_looking() -> MirrorStep:
    """Whoever is refused goes to the mirror image at the first set, whatever lies there."""
    chosen = make("step")

    def images(here: Tensor, there: Tensor, was: Tensor, would: Tensor) -> tuple[Tensor, Tensor]:
        return mirrored(chosen.sets[0], there), was

    chosen._images = images
    return chosen


def with_twice_the_room() -> Gate:
    return Gate(sets(), [2 * β for β in BETAS])


def that_moves_after_the_gate() -> StepChain:
    """The last filter is the one whose promise counts: a projection after the gate breaks the gate's own
    count of nobody.
    """

    class Nudge:
        hook, couples, promise, limits = "step", False, FILTERS["project"].promise, make("project").limits

        def init(self, x: Tensor) -> None:
            return None

        def apply(self, x: Tensor, y: Tensor, h: float, u: Tensor, memory: None) -> tuple[Tensor, None, Any]:
            z, _, info = make("project").apply(x, y, h, u, None)
            return torch.where((y[:, :1] > 0) & (y[:, 1:] > -1.2), torch.zeros_like(y), z), None, info

    return StepChain([make("gate"), Nudge()])  # type: ignore[list-item]


def that_forgets_who_was_inside() -> Any:
    chosen = make("reject")
    chosen.init = lambda x: RejectMemory(torch.ones(x.shape[0], 3, dtype=torch.bool))
    return chosen


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("kind", "broken"),
    [
        ("smooth step", without_the_fallback),
        ("step", that_mirrors_without_looking),
        ("gate", with_twice_the_room),
        ("gate", that_moves_after_the_gate),
        ("reject", that_forgets_who_was_inside),
    ],
)
def test_planted_faults_break_the_promise(kind: str, broken: Callable[[], Any]) -> None:
    always, _ = run_against_the_adversary(kind, broken(), n=2000, steps=40)
    assert not always
