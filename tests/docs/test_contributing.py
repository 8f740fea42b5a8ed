"""CONTRIBUTING.md: its examples are short, they run, and what they add obeys the laws of its table."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from truths import surrogates as ramps
from truths.clouds import close, close_jets, cloud
from truths.energies import Parabola

from barriers.coordinates import identity
from barriers.derivatives import Jet, autodiff_jet
from barriers.filters import FILTERS, PROMISES, Gate
from barriers.sets import SETS, build_sets, pull
from barriers.specification import construct
from barriers.surrogates import SURROGATES
from lem_safe.energies import ENERGIES, Gaussian
from lem_safe.keys import Key
from lem_safe.registry import make
from lem_safe.samplers import SAMPLERS, Langevin
from lem_safe.samplers.hooks import hook
from lem_safe.training import LOSSES

PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
IMPORTS = re.search(r"```python\n(.*?)```", PAGE, re.S)[1]  # type: ignore[index]  # the page has one
EXAMPLES: dict[str, str] = dict(re.findall(r"^### ([^\n]+)\n.*?```python\n(.*?)```", PAGE, re.S | re.M))
TABLES: list[dict[str, Any]] = [SETS, SURROGATES, FILTERS, PROMISES, ENERGIES, SAMPLERS, LOSSES]


@pytest.fixture
def page(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """What one example defines, with the tables put back afterwards."""
    before = [dict(table) for table in TABLES]
    names: dict[str, Any] = {"__name__": "contributing"}
    exec(IMPORTS + EXAMPLES[request.param], names)  # the page's own code
    yield names
    for table, members in zip(TABLES, before, strict=True):
        table.clear()
        table.update(members)


def test_six_things_are_shown_in_under_ten_lines_each() -> None:
    assert set(EXAMPLES) == {"A set", "A surrogate", "A filter", "An energy", "A sampler", "A loss"}
    for name, code in EXAMPLES.items():
        body = [
            line for line in code.splitlines() if line.strip() and not re.match(r'\s*"""|[A-Z]+\["', line)
        ]
        assert len(body) < 10, name


def test_no_code_of_the_page_is_left_out() -> None:
    assert PAGE.count("```python") == 1 + len(EXAMPLES)


@pytest.mark.parametrize("page", ["A set"], indirect=True)
def test_a_set(page: dict[str, Any]) -> None:
    diamond = build_sets({"gem": page["SETS"]["diamond"].example, "out": {"not": "gem"}}, ("x0", "x1"))
    x = 2 * cloud(300)
    inside = torch.tensor([abs(a) + abs(b) <= 1 for a, b in x.tolist()])
    assert (diamond["gem"].contains(x) == inside).all() and (diamond["out"].contains(x) == ~inside).all()
    s = diamond["gem"](x)
    assert ((s <= 0) == inside).all()
    steepest = (s[:, None] - s).abs() - torch.cdist(x, x)
    assert float(steepest.max()) < 1e-9  # 1-Lipschitz
    close(diamond["gem"].jet(x).gradient.norm(dim=1), torch.ones(300, dtype=x.dtype))


@pytest.mark.parametrize("page", ["A surrogate"], indirect=True)
def test_a_surrogate(page: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ramps, "SMOOTH", [make("surrogates", {"kind": "cubic", "width": 0.4})])
    monkeypatch.setattr(
        ramps, "S", ramps.S[(ramps.S - 0.4).abs() > 1e-3]
    )  # differences are no derivatives across the kink of φ''
    ramps.majorant()
    ramps.profile()
    ramps.chain_rule()


@pytest.mark.parametrize("page", ["A filter"], indirect=True)
def test_a_filter(page: dict[str, Any]) -> None:
    ball = pull(
        build_sets({"b": {"kind": "ball", "center": [0, 0], "radius": 1}}, ("x0", "x1"))["b"], identity(2)
    )
    context = {"sets": [ball], "betas": [0.1], "step_size": 0.1}
    chosen = make("filters", {"kind": "cap", "longest": 0.2}, context=context)
    hooks, x = hook(chosen), cloud(500)
    sampler = Langevin(Gaussian([0.0, 0.0], 1.0), 0.1, hooks.drift_filter, hooks.step_filter)
    free, capped = (s.step(Key(0), s.init(x))[0].x - x for s in (Langevin(sampler.energy, 0.1), sampler))
    length = free.norm(dim=1, keepdim=True)
    assert (length > 0.2).any() and (length < 0.2).any()
    close(capped, free * (0.2 / length).clamp(max=1))
    assert PROMISES["cap"].scope == "none"


@pytest.mark.parametrize("page", ["An energy"], indirect=True)
def test_an_energy(page: dict[str, Any]) -> None:
    bowl, x = construct(ENERGIES["bowl"], ENERGIES["bowl"].example, nested={}, context={}), cloud(40)
    close_jets(Jet(*bowl.value_and_gradient(x), bowl.laplacian(x)), autodiff_jet(bowl, x))
    V = cloud(2, 3)
    close(bowl.laplacian(x, V), autodiff_jet(lambda y: bowl(x + y @ V.T), torch.zeros_like(x)).laplacian)


@pytest.mark.parametrize("page", ["A sampler"], indirect=True)
def test_a_sampler(page: dict[str, Any]) -> None:
    n, h, k = 50_000, 0.05, 7
    half = build_sets({"h": {"kind": "half_space", "normal": [1.0], "offset": 1.0}}, ("x0",))["h"]
    gate = Gate([half], [0.01])
    x = torch.full((n, 1), -2.0, dtype=torch.float64)
    for step_filter in (None, gate):
        context = {"energy": Gaussian([0.0], 1.0), "drift_filter": None, "step_filter": step_filter}
        sampler = make("samplers", {"kind": "every", "k": k, "step_size": h}, context=context)
        state, _ = sampler.step(Key(1), sampler.init(x))
        if step_filter is None:
            a = (1 - h) ** k
            var = 2 * h * (1 - a * a) / (1 - (1 - h) ** 2)
            assert abs(float(state.x.mean()) + 2 * a) < 4 * math.sqrt(var / n)
            assert abs(float(state.x.var()) / var - 1) < 4 * math.sqrt(2 / n)
        for i in range(20):
            state, _ = sampler.step(Key(2).fold(i), state)
        assert (int(half.contains(state.x).sum()) <= 500) == (step_filter is not None)


@pytest.mark.parametrize("page", ["A loss"], indirect=True)
def test_a_loss(page: dict[str, Any]) -> None:
    loss = make("losses", LOSSES["robust"].example)
    z = cloud(20_000, d=1)
    values = {
        a: float(loss(Parabola(a), z, torch.Generator().manual_seed(1)).detach())
        for a in (-0.9, 0.0, 0.9, 4.0)
    }
    assert min(values, key=values.__getitem__) == 0.9  # near the closed form's 1/(1 + .09)
