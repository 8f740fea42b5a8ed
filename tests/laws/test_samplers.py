"""What every sampler owes, checked on every member of SAMPLERS, and under it every step filter's promise.

One mode inside each of two overlapping sets, and a start below them: every sampler wants in.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from barriers.budget import budget
from barriers.coordinates import identity
from barriers.filters import FILTERS
from barriers.sets import UnsafeSet, build_sets, pull
from lem_safe.energies import GaussianMixture
from lem_safe.keys import Key
from lem_safe.registry import make
from lem_safe.runs.checkpoint import restored, snapshot
from lem_safe.samplers import SAMPLERS, Sampler, State, promise_under

STEPS, KEY = 20, Key(5)
COMMON = ("kind", "samples", "steps", "step_size")
OWN: dict[str, dict[str, Any]] = {
    **{
        kind: {key: value for key, value in entry.example.items() if key not in COMMON}
        for kind, entry in SAMPLERS.items()
    },
    "langevin": {},
    "flow": {},
    "mala": {},
    "underdamped": {"friction": 2.0},
    "preconditioned": {"metric": [[1.5, 0.3], [0.3, 0.8]]},
    "annealed": {"temperature": 5.0, "cooling": 0.5},
    "parallel_tempering": {"temperatures": [2.0, 5.0]},
    "birth_death": {"every": 2},
}
"""Each kind by itself, a kind without settings here from its example: unless its row says that it couples
particles, what happens to one depends on that one alone.
"""
CASES: dict[str, dict[str, Any]] = {
    **{kind: {"kind": kind, **own} for kind, own in OWN.items()},
    "mala, tuned": {"kind": "mala", "adapt": {"steps": 7, "target": 0.574}},
    "mala in a metric": {"kind": "mala", "metric": [[1.5, 0.3], [0.3, 0.8]]},
    "mala at the mode, tuned": {"kind": "mala", "metric": "hessian", "adapt": {"steps": 7}},
    "parallel_tempering, tuned": {
        "kind": "parallel_tempering",
        "temperatures": [3.0],
        "adapt": {"steps": 7, "target": 0.574},
    },
    "birth_death, tuned": {"kind": "birth_death", "every": 2, "adapt": {"steps": 7, "target": 0.574}},
    "preconditioned by its start": {"kind": "preconditioned", "metric": "covariance", "step_size": 0.5},
    "preconditioned at the mode": {"kind": "preconditioned", "metric": "hessian"},
}
STEP_FILTERS = [kind for kind, f in FILTERS.items() if f.promise.scope == "every step, this cloud"]
DRIFT_FILTERS = {"drift": {}, "pointwise": {}, "penalty": {"weight": 2.0}, "primal_dual": {}}
BETAS = [0.05, 0.02]
SPECS = {
    "left": {"kind": "ball", "center": [-0.5, 0.0], "radius": 1.0},
    "right": {"kind": "ball", "center": [0.5, 0.0], "radius": 1.0},
}


def energy(dtype: torch.dtype = torch.float64) -> GaussianMixture:
    return GaussianMixture([[-0.5, 0.0], [0.6, 0.1]], 0.6).to(dtype)


def sets() -> list[UnsafeSet]:
    return [pull(s, identity(2, torch.float64)) for s in build_sets(SPECS, ("x0", "x1")).values()]


def filter_of(kind: str, **settings: Any) -> Any:
    context = {"sets": sets(), "betas": BETAS, "step_size": 0.05}
    return make("filters", {**FILTERS[kind].example, **settings}, context=context)


def sampler_of(spec: dict[str, Any], dtype: torch.dtype = torch.float64, **hooks: Any) -> Sampler:
    context = {"energy": energy(dtype), "drift_filter": None, "step_filter": None, "steps": STEPS} | hooks
    return make("samplers", {"step_size": 0.05, **spec}, context=context)


def start(n: int = 100, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor([0.0, -2.5], dtype=dtype) + 0.3 * Key(1).normal(torch.empty(n, 2, dtype=dtype))


def follow(sampler: Sampler, state: State, steps: int, key: Key = KEY, begin: int = 0) -> State:
    for k in range(begin, begin + steps):
        state, _ = sampler.step(key.fold(k), state)
    return state


def leaves(part: Any) -> list[Tensor]:
    """The tensors of a state; whatever is neither a tensor nor a mapping of them is an error."""
    if part is None or isinstance(part, Tensor):
        return [] if part is None else [part]
    assert isinstance(part, dict) or hasattr(part, "_asdict"), type(part)
    return [
        leaf
        for item in (part if isinstance(part, dict) else part._asdict()).values()
        for leaf in leaves(item)
    ]


def same(a: Any, b: Any) -> bool:
    one, other = leaves(a), leaves(b)
    return len(one) == len(other) and all(torch.equal(s, t) for s, t in zip(one, other, strict=True))


def test_every_sampler_has_an_example_and_settings_here() -> None:
    assert set(OWN) == set(SAMPLERS)
    for kind, member in SAMPLERS.items():
        assert member.example["kind"] == kind
        own = {key: value for key, value in member.example.items() if key not in ("samples", "steps")}
        assert sampler_of(own).step_size == member.example["step_size"]


@pytest.mark.parametrize("case", CASES)
def test_the_same_key_and_state_give_the_same_and_no_argument_is_changed(case: str) -> None:
    sampler = sampler_of(CASES[case], step_filter=filter_of("step"))
    state = follow(sampler, sampler.init(start()), 3)
    kept = [t.clone() for t in leaves(state)]
    one, info = sampler.step(Key(8), state)
    again, seen = sampler.step(Key(8), state)
    other, _ = sampler.step(Key(9), state)
    assert same(one, again) and torch.equal(info.energy, seen.energy)
    assert all(torch.equal(a, b) for a, b in zip(kept, leaves(state), strict=True))
    assert case == "flow" or not same(one, other)
    assert not same(one, state)


@dataclass(frozen=True)
class Rows(Key):
    """A key whose noise for row i is what another key draws for row rows[i] of a cloud of n."""

    rows: tuple[int, ...] = ()
    n: int = 0

    def fold(self, *data: int | str) -> "Rows":
        return Rows(Key(self.value).fold(*data).value, self.rows, self.n)

    def normal(self, like: Tensor) -> Tensor:
        return Key(self.value).normal(like.new_empty(self.n, *like.shape[1:]))[list(self.rows)]

    def uniform(self, like: Tensor) -> Tensor:
        return Key(self.value).uniform(like.new_empty(self.n, *like.shape[1:]))[list(self.rows)]


@pytest.mark.parametrize("case", CASES)
def test_relabelling_the_particles_relabels_the_result(case: str) -> None:
    order = Key(2).permutation(60)
    sampler, x = sampler_of(CASES[case]), start(60)
    one = follow(sampler, sampler.init(x), 12)
    other = follow(sampler, sampler.init(x[order]), 12, Rows(Key(5).value, tuple(order.tolist()), 60))
    torch.testing.assert_close(one.x[order], other.x, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", [kind for kind in OWN if not SAMPLERS[kind].couples])
def test_a_cloud_is_its_particles_one_by_one(kind: str) -> None:
    sampler, x = sampler_of(CASES[kind]), start(8)
    together = follow(sampler, sampler.init(x), 6).x
    alone = [follow(sampler, sampler.init(x[i : i + 1]), 6, Rows(Key(5).value, (i,), 8)).x for i in range(8)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", [kind for kind in OWN if SAMPLERS[kind].couples])
def test_a_sampler_that_says_so_couples_its_particles(kind: str) -> None:
    sampler, x = sampler_of(CASES[kind]), start(8)
    y = torch.cat([x[:1], x[1:] + 1.0])
    assert not torch.equal(*(follow(sampler, sampler.init(z), 6).x[0] for z in (x, y)))


@pytest.mark.parametrize("case", CASES)
def test_a_state_survives_a_checkpoint_in_the_warm_up_and_after_it(case: str, tmp_path: Any) -> None:
    sampler = sampler_of(CASES[case], step_filter=filter_of("gate"), drift_filter=filter_of("primal_dual"))
    for taken in (3, 9):
        state = follow(sampler, sampler.init(start(60)), taken)
        np.savez(tmp_path / "checkpoint.npz", **snapshot(state, taken, {}))
        with np.load(tmp_path / "checkpoint.npz", allow_pickle=False) as saved:
            back = restored(sampler.init(start(60)), dict(saved), torch.device("cpu"))
        assert type(back.own) is type(state.own) and same(state, back)
        assert same(follow(sampler, state, 5, begin=taken), follow(sampler, back, 5, begin=taken))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", OWN)
def test_the_particles_keep_their_dtype(kind: str, dtype: torch.dtype) -> None:
    sampler = sampler_of(CASES[kind], dtype)
    state, info = sampler.step(Key(3), sampler.init(start(40, dtype)))
    assert state.x.dtype == dtype and info.energy.dtype == dtype
    assert all(t.dtype in (dtype, torch.int64) for t in leaves(state.own))


class Halves(Key):
    """Noise drawn in float64 whatever it is for, so that two precisions see the same."""

    def fold(self, *data: int | str) -> "Halves":
        return Halves(super().fold(*data).value)

    def normal(self, like: Tensor) -> Tensor:
        return super().normal(like.double()).to(like.dtype)

    def uniform(self, like: Tensor) -> Tensor:
        return super().uniform(like.double()).to(like.dtype)


@pytest.mark.parametrize("kind", OWN)
def test_both_precisions_agree(kind: str) -> None:
    """Five steps from the same start, with the same noise; no test here is so close that a rounding turns
    it.
    """
    x = start(40)
    exact, rounded = (
        follow(s := sampler_of(CASES[kind], t), s.init(x.to(t)), 5, Halves(5)).x
        for t in (torch.float64, torch.float32)
    )
    assert float((exact - rounded.double()).abs().max()) < 1e-4


def test_a_warm_up_leaves_the_cloud_where_it_is_and_keeps_only_a_step_size() -> None:
    for kind in ("mala", "parallel_tempering", "birth_death"):
        spec = CASES[f"{kind}, tuned"]
        sampler, x = sampler_of(spec, step_filter=filter_of("gate")), start()
        state = first = sampler.init(x)
        for k in range(7):
            state, info = sampler.step(Key(5).fold(k), state)
            assert info.warming and torch.equal(state.x, x) and same(state.step_memory, first.step_memory)
        after, info = sampler.step(Key(5).fold(7), state)
        assert not info.warming and info.step_size is not None and not torch.equal(after.x, x)
        plain = sampler_of(
            {k: v for k, v in spec.items() if k != "adapt"} | {"step_size": info.step_size},
            step_filter=filter_of("gate"),
        )
        expected, _ = plain.step(Key(5).fold(7), plain.init(x))
        assert torch.equal(after.x, expected.x)


# --- filters ---


def test_what_remains_is_said_of_every_pair() -> None:
    for kind, sampler in SAMPLERS.items():
        for chosen, promise in sampler.leaves.items():
            assert chosen in FILTERS
            assert promise == promise_under(kind, chosen) and len(promise.because) > 30
        for chosen, own in FILTERS.items():
            promise = promise_under(kind, chosen)
            changed = chosen in sampler.leaves or (own.hook == "drift" and not sampler.predicted)
            assert promise.scope == own.promise.scope or changed
            assert chosen not in STEP_FILTERS or promise.scope == "every step, this cloud"
    assert promise_under("langevin", "drift") is FILTERS["drift"].promise
    assert promise_under("a sampler of somebody", "drift").scope == "none"
    assert promise_under("a sampler of somebody", "gate").scope == "every step, this cloud"


def kept(kind: str, chosen: Any, x: Tensor) -> bool:
    """Whether a promise about every step holds for this cloud, recounted without the filter's memory."""
    inside = [int(s.contains(x).sum()) for s in sets()]
    return all(
        k <= (0 if kind == "reject" else budget(β, x.shape[0])) for k, β in zip(inside, BETAS, strict=True)
    )


@pytest.mark.parametrize(
    ("case", "chosen"), [(case, f) for case in CASES for f in STEP_FILTERS if case in OWN or f == "gate"]
)  # a warm-up and a way to a metric are no other kernels
def test_a_promise_about_every_step_holds_under_every_sampler(case: str, chosen: str) -> None:
    made = filter_of(chosen)
    sampler, tempted = sampler_of(CASES[case], step_filter=made), 0
    plain = sampler_of(CASES[case])
    state, free = sampler.init(start()), plain.init(start())
    for k in range(STEPS):
        state, info = sampler.step(Key(6).fold(k), state)
        free, _ = plain.step(Key(6).fold(k), free)
        tempted += not kept(chosen, made, free.x)
        assert kept(chosen, made, state.x)
        assert info.step is not None and (info.step.shortfall <= 0).all()
    assert tempted > 3


@pytest.mark.parametrize("chosen", DRIFT_FILTERS)
@pytest.mark.parametrize("case", OWN)
def test_every_sampler_takes_a_drift_filter_that_moves_it(case: str, chosen: str) -> None:
    made = filter_of(chosen, **DRIFT_FILTERS[chosen])
    x = torch.tensor([0.0, -1.2], dtype=torch.float64) + 0.3 * Key(1).normal(
        torch.empty(300, 2, dtype=torch.float64)
    )
    sampler, plain = sampler_of(CASES[case], drift_filter=made), sampler_of(CASES[case])
    one, free = sampler.init(x), plain.init(x)
    for k in range(5):
        one, info = sampler.step(Key(6).fold(k), one)
        free, _ = plain.step(Key(6).fold(k), free)
    assert info.drift is not None and info.drift.multipliers.shape == (2,)
    assert not torch.equal(one.x, free.x)
