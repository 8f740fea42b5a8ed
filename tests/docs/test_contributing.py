"""CONTRIBUTING.md: its examples are short, they run, and what they add obeys the laws of its table."""

import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from contributed import EXAMPLES, KINDS, LEARNED, PAGE, SCENARIO, run_example
from truths import surrogates as ramps
from truths.clouds import close, close_jets, cloud
from truths.energies import Parabola

from barriers.coordinates import identity
from barriers.derivatives import Jet, autodiff_jet
from barriers.filters import FILTERS, Gate, Promise
from barriers.kinds import KindError
from barriers.sets import SETS, build_sets, pull
from barriers.surrogates import SURROGATES
from lem_safe import cli
from lem_safe.energies import ENERGIES, Gaussian
from lem_safe.keys import Key
from lem_safe.registry import make
from lem_safe.samplers import SAMPLERS, Langevin
from lem_safe.samplers.hooks import hook
from lem_safe.training.losses import LOSSES, Loss

pytestmark = pytest.mark.simulation

TABLES: list[Any] = [SETS, SURROGATES, FILTERS, ENERGIES, SAMPLERS, LOSSES]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def page(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """What one example defines, with the tables put back afterwards."""
    before = [set(table) for table in TABLES]
    yield run_example(request.param)
    for table, members in zip(TABLES, before, strict=True):
        for kind in set(table) - members:
            del table[kind]


def test_six_things_are_shown_in_ten_lines_each() -> None:
    assert set(EXAMPLES) == {"A set", "A surrogate", "A filter", "An energy", "A sampler", "A loss"}
    for name, code in EXAMPLES.items():
        body = [
            line for line in code.splitlines() if line.strip() and not re.match(r'\s*"""|[A-Z]+\["', line)
        ]
        assert len(body) <= 10, name


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
    assert FILTERS["cap"].promise.scope == "none"


@pytest.mark.parametrize("page", ["An energy"], indirect=True)
def test_an_energy(page: dict[str, Any]) -> None:
    bowl, x = make("energies", ENERGIES["bowl"].example), cloud(40)
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


@pytest.fixture
def all_of_them() -> Iterator[None]:
    """Every example of the page in its table."""
    for name in EXAMPLES:
        run_example(name)
    yield
    for table, kind in zip(TABLES, KINDS.values(), strict=True):
        del table[kind]


def test_what_is_added_can_be_validated_explained_listed_run_and_compared(
    all_of_them: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SCENARIO)
    Path("learned.yaml").write_text(LEARNED)
    for arguments in (
        ["validate", "s.yaml"],
        ["validate", "learned.yaml"],
        ["explain", "s.yaml"],
        ["run", "s.yaml", "--out", "out", "--quiet"],
        ["compare", "s.yaml", "--filters", "none,cap,gate", "--quiet"],
        *(["list", table] for table in KINDS),
    ):
        assert cli.main(arguments) == 0, arguments
        said = capsys.readouterr().out
        assert arguments[0] != "list" or KINDS[arguments[1]] in said
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert "a short step across a boundary is still a step across it" in page
    with np.load("out/trace.npz") as trace:
        assert len(trace["step"]) == 6 and np.isfinite(trace["monitor_energy"]).all()


NOTHING = Promise("none", "none is")


@pytest.mark.parametrize(
    ("table", "row", "words"),
    [
        (FILTERS, {"hook": "step", "couples": True, "promise": NOTHING}, "example"),
        (FILTERS, {"hook": "step", "couples": True, "example": {"kind": "cup"}}, "promise"),
        (FILTERS, {"hook": "step", "promise": NOTHING, "example": {"kind": "cup"}}, "couples"),
        (FILTERS, {"hook": "after", "couples": True, "promise": NOTHING, "example": {"kind": "cup"}}, "hook"),
        (SAMPLERS, {}, "example"),
        (LOSSES, {"__init__": Loss.__init__}, "example"),
    ],
)
def test_a_forgotten_field_names_the_kind_the_file_and_the_line(
    table: Any, row: dict[str, Any], words: str
) -> None:
    body = {"__doc__": "A cup.", "__init__": lambda self: None, **row}
    made = type("Cup", (Loss,) if table is LOSSES else (), body)
    made = dataclass(frozen=True)(made) if table is LOSSES else made
    with pytest.raises(KindError, match=rf"'cup'.*`{words}`.*Cup in .*wants the line  {words} = "):
        table["cup"] = made
    assert "cup" not in table


def test_what_is_added_obeys_every_law_of_its_table() -> None:
    """The law files, collected with the page's kinds in the tables."""
    laws = ["test_sets", "test_sets_sign", "test_energies", "test_filters", "test_samplers"]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "contributed",
            "--jaxtyping-packages=",
            "-rA",
            "-m",
            "not long",
            "-k",
        ]
        + ["diamond or cap or bowl or every]", *(f"tests/laws/{name}.py" for name in laws)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    passed = re.findall(r"^PASSED .*", done.stdout, re.M)
    assert done.returncode == 0, done.stdout[-4000:]
    for kind in ("diamond", "cap", "bowl", "every"):
        assert len([line for line in passed if kind in line]) >= 3, kind
