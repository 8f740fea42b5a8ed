"""Chains of filters, from Python and from a scenario: order, promises, what is refused, and resuming with
every member's memory.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scenario_texts import THREE_MODES
from torch import Tensor

from barriers.budget import budget
from barriers.coordinates import identity
from barriers.filters import FILTERS, Both, DriftChain, StepChain, chained
from barriers.sets import UnsafeSet, build_sets, pull
from barriers.specification import parameters
from lem_safe.authoring.listing import listing
from lem_safe.energies import Gaussian
from lem_safe.errors import BadInput
from lem_safe.keys import Key
from lem_safe.registry import loads, make
from lem_safe.runs.runner import run
from lem_safe.samplers import Langevin
from lem_safe.samplers.hooks import hook
from lem_safe.scenario import Scenario

pytestmark = pytest.mark.simulation

SPECS = {
    "disc": {"kind": "ball", "center": [1.0, 0.0], "radius": 0.6},
    "right": {"kind": "half_space", "normal": [1.0, 0.0], "offset": 0.8},
}
BETAS, H = (0.05, 0.07), 0.01
TEXT = THREE_MODES.replace("steps: 120", "steps: 60")
CHAINS = {
    "drift": "{kind: chain, filters: [{kind: penalty, weight: 2.0}, {kind: primal_dual, dual_rate: 0.5}, "
    "{kind: drift}]}",
    "step": "{kind: chain, filters: [{kind: project}, {kind: step}, {kind: gate}]}",
    "both": "{kind: chain, filters: [{kind: primal_dual}, {kind: drift}, {kind: step}, {kind: gate}]}",
}


def sets() -> list[UnsafeSet]:
    return [pull(s, identity(2, torch.float64)) for s in build_sets(SPECS, ("x0", "x1")).values()]


def member(kind: str, **settings: Any) -> Any:
    takes = {p.context for p in parameters(FILTERS[kind].constructor)}
    context = {"sets": sets(), "betas": BETAS, "step_size": H}
    return FILTERS[kind](**{k: v for k, v in context.items() if k in takes}, **settings)


def sampled(chosen: Any, steps: int = 60) -> tuple[Tensor, Any]:
    hooks = hook(chosen)
    sampler = Langevin(Gaussian([1.2, 0.0], std=0.4), H, hooks.drift_filter, hooks.step_filter)
    key, state = (
        Key(4),
        sampler.init(
            torch.tensor([-1.5, 0.0]) + 0.3 * Key(1).normal(torch.empty(300, 2, dtype=torch.float64))
        ),
    )
    with torch.no_grad():
        for k in range(steps):
            state, info = sampler.step(key.fold(k), state)
    return state.x, info


def test_a_drift_chain_is_one_filter_after_the_other() -> None:
    x = Key(2).normal(torch.empty(200, 2, dtype=torch.float64))
    first, second = member("penalty", weight=2.0), member("drift")
    v = -x
    chain = DriftChain([first, second])
    u, _, info = chain.apply(x, v, chain.init(x))
    by_hand, _, last = second.apply(x, first.apply(x, v, None)[0], second.init(x))
    assert (
        torch.equal(u, by_hand) and torch.equal(info.multipliers, last.multipliers) and not torch.equal(u, v)
    )


def test_filters_on_both_sides_of_the_noise_are_the_sampler_with_both_hooks() -> None:
    """[penalty, gate] is a sampler of U + wφ with a gate, step by step the same numbers."""
    chosen = chained([member("penalty", weight=2.0), member("gate")])
    assert isinstance(chosen, Both) and chosen.hook == "both" and chosen.couples
    x, info = sampled(chosen)
    hooks = (member("penalty", weight=2.0), member("gate"))
    sampler = Langevin(Gaussian([1.2, 0.0], std=0.4), H, *hooks)
    state = sampler.init(
        torch.tensor([-1.5, 0.0]) + 0.3 * Key(1).normal(torch.empty(300, 2, dtype=torch.float64))
    )
    with torch.no_grad():
        for k in range(60):
            state, alone = sampler.step(Key(4).fold(k), state)
    assert torch.equal(x, state.x)
    for ours, theirs in ((info.drift, alone.drift), (info.step, alone.step)):
        assert all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(ours, theirs, strict=True))
    assert info.drift.multipliers.tolist() == [2.0, 2.0] and (info.step.multipliers > 0).all()
    assert not torch.equal(x, sampled(member("gate"))[0]) and not torch.equal(
        x, sampled(member("penalty", weight=2.0))[0]
    )


@pytest.mark.parametrize(
    ("kinds", "made", "scope"),
    [
        (["penalty", "drift"], DriftChain, "in expectation"),
        (["drift", "penalty"], DriftChain, "none"),
        (["project", "gate"], StepChain, "every step, this cloud"),
        (["gate", "project"], StepChain, "none"),
        (["drift", "project"], Both, "none"),
        (["penalty", "drift", "reject", "gate"], Both, "every step, this cloud"),
    ],
)
def test_a_chain_promises_what_its_last_filter_promises(kinds: list[str], made: type, scope: str) -> None:
    chosen = chained([member(kind, **({"weight": 1.0} if kind == "penalty" else {})) for kind in kinds])
    assert isinstance(chosen, made) and chosen.promise.scope == scope
    assert chosen.promise is member(kinds[-1]).promise if kinds[-1] != "penalty" else True
    assert torch.equal(
        chosen.limits.nan_to_num(),
        member(kinds[-1], **({"weight": 1.0} if kinds[-1] == "penalty" else {})).limits.nan_to_num(),
    )


@pytest.mark.parametrize(
    "kinds", [["drift", "reject", "step", "gate"], ["pointwise", "project", "gate"], ["gate", "gate"]]
)
def test_the_gate_keeps_its_count_whatever_stands_before_it(kinds: list[str]) -> None:
    """With a drift that pulls straight in: the count of each set at every step, and the budget used to the
    last particle.
    """
    hooks, key = hook(chained([member(kind) for kind in kinds])), Key(9)
    sampler = Langevin(Gaussian([1.0, 0.0], std=0.2), H, hooks.drift_filter, hooks.step_filter)
    state = sampler.init(
        torch.tensor([-1.5, 0.0]) + 0.3 * key.normal(torch.empty(300, 2, dtype=torch.float64))
    )
    limits, most = torch.tensor([budget(β, 300) for β in BETAS]), torch.zeros(2, dtype=torch.long)
    with torch.no_grad():
        for k in range(60):
            state, _ = sampler.step(key.fold(k), state)
            counts = torch.stack([s.contains(state.x).sum() for s in sets()])
            assert (counts <= limits).all()
            most = torch.maximum(most, counts)
    if kinds == ["gate", "gate"]:
        assert (most == limits).any()


def test_an_earlier_filter_that_remembers_is_told_what_a_later_one_did() -> None:
    """[gate, project]: the gate's memory is about the cloud the chain returned, not about the one it proposed
    itself.
    """
    chain, key = StepChain([member("gate"), member("project")]), Key(3)
    x = torch.tensor([-1.0, 0.0]) + 0.5 * key.normal(torch.empty(300, 2, dtype=torch.float64))
    memory = chain.init(x)
    moved = 0
    for k in range(10):
        y, memory, _ = chain.apply(x, x + torch.tensor([0.2, 0.0]), H, key.fold(k).uniform(x[:, 0]), memory)
        x, moved = y, moved + 1
        assert torch.equal(memory["0"].inside, torch.stack([s.contains(x) for s in sets()], 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{kind: chain, filters: [{kind: gate}, {kind: drift}]}",
            "one before the noise cannot follow one after it",
        ),
        ("{kind: chain, filters: [{kind: none}, {kind: gate}]}", "`none` does nothing in a chain"),
        ("{kind: chain, filters: []}", "must hold at least 1 entry"),
        ("{kind: chain, filters: [{kind: gate, aim: 0.01}]}", "belongs to the whole chain"),
        ("{kind: chain, filters: [{kind: gte}]}", "did you mean 'gate'"),
        ("{kind: chain, filters: [{kind: penalty, weight: -1.0}]}", "weight: must be >= 0"),
        ("{kind: chain}", "missing key 'filters'"),
    ],
)
def test_what_a_chain_cannot_be_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        loads(TEXT.replace("FILTER", text))
    assert {fault.line for fault in caught.value.faults} == {10}


def test_chains_nest() -> None:
    inner = {"kind": "chain", "filters": [{"kind": "penalty", "weight": 1.0}, {"kind": "step"}]}
    spec = {"kind": "chain", "filters": [{"kind": "drift"}, inner, {"kind": "gate"}]}
    chosen: Any = make("filters", spec, context={"sets": sets(), "betas": BETAS, "step_size": H})
    assert isinstance(chosen, Both) and [f.promise.scope for f in chosen.drift.filters] == [
        "in expectation",
        "none",
    ]
    assert chosen.promise.scope == "every step, this cloud"


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")


class Stop:
    """Progress that interrupts the filtered chain at its twentieth step."""

    def __init__(self) -> None:
        self.title = ""

    def start(self, title: str, total: int) -> None:
        self.title = title

    def update(self, done: int, text: str) -> None:
        if self.title.startswith("filter") and done >= 20:
            raise KeyboardInterrupt

    def finish(self, text: str) -> None:
        pass

    def say(self, text: str) -> None:
        pass


def _scenario(name: str) -> Scenario:
    return loads(TEXT.replace("FILTER", CHAINS[name]))


@pytest.mark.parametrize("name", list(CHAINS))
def test_a_chain_resumes_bit_for_bit(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lem_safe.runs.chain.REFRESH_SECONDS", 0.0)
    scenario = _scenario(name)
    whole = run(scenario, out=tmp_path / "whole", with_report=False)
    with pytest.raises(KeyboardInterrupt):
        run(scenario, out=tmp_path / "cut", progress=Stop(), with_report=False)
    resumed = run(scenario, out=tmp_path / "cut", resume=True, with_report=False)
    assert '"resumed_from_step": 20' in (tmp_path / "cut" / "run.json").read_text()
    assert np.array_equal(whole.samples, resumed.samples)
    for key, value in whole.trace.items():
        assert np.array_equal(value, resumed.trace[key], equal_nan=True), key
    again = loads((tmp_path / "whole" / "scenario.yaml").read_text())
    assert again.fingerprint() == scenario.fingerprint()


def test_the_trace_of_a_chain_is_its_last_filters(tmp_path: Path) -> None:
    trace = run(_scenario("both"), out=tmp_path / "gate", with_report=False).trace
    assert np.isnan(trace["limit"]).all() and np.isnan(trace["surrogate"]).all()  # a gate has no surrogate
    assert (np.round(trace["fraction"] * 400) <= [20, 28]).all()
    drift = run(_scenario("drift"), out=tmp_path / "drift", with_report=False).trace
    assert np.isfinite(drift["limit"]).all() and np.isfinite(drift["surrogate"]).all()


def test_list_docs_and_report_say_what_a_chain_promises() -> None:
    _, rows = listing("filters")
    row = next(row for row in rows if row[0] == "chain")
    assert row[1] == "that of its last filter" and "undone" in row[3]
    assert "last one" in FILTERS["chain"].said("chain")
