"""Where particles start and what holds their numbers: rows at their own values through every sampler, file
and command; the choice of dtype.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from interrupted import at_moment
from torch import Tensor

from barriers.anchors import Anchors
from barriers.coordinates import Coordinates
from barriers.filters import Gate, Reject
from barriers.sets import Box, HalfSpace, build_sets, pull
from lem_safe.authoring.explain import explain
from lem_safe.cli import main
from lem_safe.comparison.compare import compare
from lem_safe.energies import Gaussian, in_coordinates
from lem_safe.errors import BadInput
from lem_safe.keys import Key
from lem_safe.progress import Silent
from lem_safe.registry import loads, make, must_hold
from lem_safe.runs import more_samples as drawing
from lem_safe.runs import runner
from lem_safe.runs.problem import build
from lem_safe.runs.starting import start
from lem_safe.samplers import SAMPLERS
from lem_safe.samplers.hooks import hook

pytestmark = pytest.mark.simulation

F64 = torch.float64
DTYPES = (torch.float32, F64)
NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, 0.1, 0.2, 0.3, 0.7, 1.0, 5e-324, 1e-18, -1e-18, 1e-8]),
    st.integers(-5, 5).map(float),
    st.integers(0, 999).map(lambda k: k / 100),
    st.integers(0, 999).map(lambda k: 1.7e9 + k / 8),
    st.floats(-1e6, 1e6),
)
RULES = [
    "a < 0",
    "a > 0.1",
    "a >= 0.3",
    "a + b >= 1",
    "b < 0",
    "a >= b and a <= b",
    "a - b > 0.2",
    "b > 1700000050",
]
REGIONS = build_sets({rule: {"kind": "rule", "where": rule} for rule in RULES}, ("a", "b"))


@st.composite
def tables(draw: st.DrawFn) -> tuple[Tensor, Coordinates]:
    """Rows of two columns, some of them twice, and a map that whitens them or nearly so."""
    rows = draw(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=8))
    x = torch.tensor([*rows, rows[0]], dtype=F64)
    std = x.std(0).clamp(min=1e-3)
    tilt = torch.tensor([[1.0, draw(st.floats(-0.7, 0.7))], [draw(st.floats(-0.7, 0.7)), 1.0]], dtype=F64)
    return x, Coordinates(x.mean(0), std[:, None] * tilt, draw(st.sampled_from(DTYPES)))


def anchored(x: Tensor, plain: Coordinates) -> tuple[Coordinates, Tensor]:
    coordinates = plain.anchored(x, plain.saved_dtype)
    assert coordinates.anchors is not None
    return coordinates, coordinates.anchors.points


@settings(max_examples=60, deadline=None, derandomize=True)
@given(tables())
def test_a_row_has_its_own_values_and_is_where_it_was(drawn: tuple[Tensor, Coordinates]) -> None:
    """Bit for bit as saved, for sets of every kind; in float64 that is the file's own membership. The same in
    any order of rows.
    """
    x, plain = drawn
    coordinates, z = anchored(x, plain)
    saved = x.to(plain.saved_dtype)
    assert torch.equal(coordinates.saved(z), saved) and z.dtype == plain.saved_dtype
    assert torch.equal(coordinates.saved(z.flip(0)[None]), saved.flip(0)[None])
    assert torch.allclose(z.double(), plain.inverse(x), rtol=1e-5, atol=1e-5)
    corner = saved[0].double().tolist()
    edges = {"half": HalfSpace([1.0, 0.0], corner[0]), "box": Box(corner, [c + 1 for c in corner])}
    for name, region in (REGIONS | edges).items():
        pulled = pull(region, coordinates)
        assert torch.equal(pulled.contains(z), region.contains(saved.double())), name
        assert torch.equal(Gate([pulled], [0.0]).init(z).inside[:, 0], region.contains(saved.double())), name


@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
@pytest.mark.parametrize("kind", SAMPLERS)
@pytest.mark.parametrize("filter", [Gate, Reject])
def test_nobody_enters_from_a_boundary_under_any_sampler(kind: str, filter: type, dtype: torch.dtype) -> None:
    """40 % of the rows lie exactly on the open boundary; with β = 0 none is ever inside, and who has not
    moved is where the row is.
    """
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(200, 2, dtype=F64, generator=generator) * torch.tensor([40.0, 5.0])
    x[:80, 1] = 0.0
    plain = Coordinates(x.mean(0), torch.tensor([[11.0, 0.3], [0.4, 1.5]], dtype=F64), dtype)
    energy = in_coordinates(Gaussian(x.mean(0).tolist(), [11.0, 1.5]), plain).to(dtype)
    coordinates, z = anchored(x, plain)
    pulled = pull(build_sets({"low": {"kind": "rule", "where": "b < 0"}}, ("a", "b"))["low"], coordinates)
    chosen = Gate([pulled], [0.0]) if filter is Gate else Reject([pulled])
    spec = {**SAMPLERS[kind].example, "step_size": 0.05}
    spec = {key: value for key, value in spec.items() if key not in ("samples", "steps", "adapt")}
    context = {"energy": energy, "drift_filter": None, "step_filter": hook(chosen).step_filter, "steps": 4}
    sampler = make("samplers", spec, context=context)
    state = sampler.init(z)
    for k in range(4):
        state, _ = sampler.step(Key(1).fold(k), state)
        assert not bool(pulled.contains(state.x).any())
        still = (state.x == z).all(1)
        assert torch.equal(coordinates.saved(state.x[still]), x[still].to(dtype))
    assert bool((state.x != z).any())
    plain_set = pull(build_sets({"low": {"kind": "rule", "where": "b < 0"}}, ("a", "b"))["low"], plain)
    assert int(plain_set.contains(z).sum()) > 10  # what the map and back makes of the same rows


def test_points_are_those_of_a_row_alone() -> None:
    """Whatever the other rows, their order and their number: a resumed run finds its rows again."""
    x = torch.randn(1000, 5, dtype=F64, generator=torch.Generator().manual_seed(1))
    plain = Coordinates(x.mean(0), torch.cov(x.T) + torch.eye(5, dtype=F64))
    _, z = anchored(x, plain)
    for part in (x[:7], x.flip(0)[-7:].flip(0)):
        assert torch.equal(anchored(part, plain)[1], z[:7])


def test_many_rows_that_share_a_point_are_told_apart_and_stay_near() -> None:
    """An outlier of 1e30 leaves 2,000 rows within one unit of float32, and of float64, of each other."""
    x = torch.cat([torch.arange(2000, dtype=F64)[:, None], torch.tensor([[1e30]], dtype=F64)])
    for dtype in DTYPES:
        z, saved = torch.zeros_like(x, dtype=dtype) - 0.01, x.to(dtype)
        z[-1] = 44.7
        made = Anchors.of(z, saved)
        assert torch.equal(made.instead(made.points, torch.zeros_like(saved)), saved)
        assert float((made.points - z).abs().max()) < 1e-4


RIDES = """\
version: 1
name: rides
energy: {kind: trained, data: {kind: file, path: rides.csv},
  network: {kind: mlp, hidden: 4, depth: 1}, training: {steps: 3}}
unsafe: {low: {kind: rule, where: "tip < 0"}, high: {kind: rule, where: "fare > 30.1"}}
constraints: [{set: low, beta: 0}, {set: high, beta: 0.4}]
sampler: {kind: langevin, samples: 60, steps: 3, step_size: 0.01, init: {kind: data}}
filter: {kind: reject}
"""


@pytest.fixture
def rides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with 100 rides, 40 of whose tips are exactly 0 and 3 of whose fares are just above a limit
    that float32 rounds up.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEM_SAFE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")
    rng = np.random.default_rng(0)
    fare, tip = (
        rng.integers(300, 4000, 100) / 100,
        np.where(np.arange(100) < 40, 0, rng.integers(1, 900, 100) / 100),
    )
    fare[:4] = [30.1, 30.1, 30.1, 30.11]
    Path("rides.csv").write_text(
        "fare,tip\n" + "".join(f"{a:.2f},{b:.2f}\n" for a, b in zip(fare, tip, strict=True))
    )
    return tmp_path


def rows() -> np.ndarray:
    return np.loadtxt("rides.csv", delimiter=",", skiprows=1)


def are_rows(x: np.ndarray) -> np.ndarray:
    """Which samples are rows of the file, every bit."""
    whole = {row.tobytes() for row in rows().astype(x.dtype)}
    return np.array([row.tobytes() in whole for row in x])


def test_rows_of_a_file_are_those_of_the_data(rides: Path) -> None:
    runs = [
        runner.run(loads(RIDES.replace("{kind: data}", f"{{kind: {init}}}")), out=init[:4])
        for init in ("data", "file, path: rides.csv")
    ]
    assert np.array_equal(runs[0].samples, runs[1].samples) and all(done.report.passed for done in runs)


def test_a_run_counts_and_saves_the_rows_themselves(rides: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In clouds, cut and resumed, in compare and in sample: nobody is ever inside, and particles that never
    moved are rows.
    """
    asked = loads(RIDES + "audit: {replicas: 2}\n")
    whole = runner.run(asked, out="whole")
    samples = np.load("whole/samples.npz")["x"]
    assert (
        whole.report.passed and samples.dtype == np.float64
    )  # as 30.1 is more than 30.1 in float32, by 4e-7
    assert (np.load("whole/trace.npz")["cloud_fraction"][..., 0] == 0).all() and whole.report.constraints[
        0
    ].violations == 0
    assert 0 < are_rows(samples).sum() < len(samples)
    first = build(asked, progress=Silent())
    z = start(first, Key(asked.seed))
    assert are_rows(first.coordinates.saved(z).numpy()).all()
    with monkeypatch.context() as patched:
        at_moment(31, patched)
        with pytest.raises(KeyboardInterrupt):
            runner.run(asked, out="cut")
    runner.run(asked, out="cut", resume=True)
    for name in ("samples.npz", "trace.npz", "reference.npz"):
        assert Path("cut", name).read_bytes() == Path("whole", name).read_bytes()
    drawn = drawing.draw("whole", 120, seed=9, burn_in=2).x
    assert drawn.dtype == np.float64 and are_rows(drawn).sum() > 10 and (drawn[:, 1] >= 0).all()
    entry = compare(asked, ["reject"]).entries[0]
    assert entry.regions[0].largest == 0 and not entry.over


def test_float32_is_kept_where_it_changes_nothing(rides: Path) -> None:
    asked = loads(RIDES.replace("30.1", "30.105"))
    done = runner.run(asked, out="out")
    assert (
        asked.dtype == "float32"
        and asked.why_double is None
        and np.load("out/samples.npz")["x"].dtype == np.float32
    )
    assert done.report.constraints[0].violations == 0 and are_rows(np.load("out/samples.npz")["x"]).any()


def test_a_start_without_spread_is_one_point(rides: Path) -> None:
    """All particles at the boundary itself, which the map and back would carry across it."""
    asked = loads(
        RIDES.replace("30.1", "30.105").replace("{kind: data}", "{kind: gaussian, mean: [20.3, 0], std: 0}")
    )
    problem = build(asked, progress=Silent())
    z = start(problem, Key(0))
    assert torch.equal(problem.coordinates.saved(z), torch.tensor([[20.3, 0.0]]).expand(60, 2))
    assert not bool(problem.sets[0].contains(z).any())


def test_a_start_that_is_still_in_one_column_is_still_there(rides: Path) -> None:
    """In whitened coordinates and in the data's own; a mean is taken as it is written, not as float32."""
    still = RIDES.replace("30.1", "30.105").replace(
        "{kind: data}", "{kind: gaussian, mean: [20.3, 0], std: [2, 0]}"
    )
    for text, dtype in (
        (still, torch.float32),
        (still.replace("tip < 0", "tip > 0.1").replace(" 0], std", " 0.1], std"), F64),
    ):
        problem = build(loads(text), progress=Silent())
        z = start(problem, Key(0))
        x = problem.coordinates.saved(z)
        assert x.dtype == dtype and len(x[:, 0].unique()) == 60
        assert (x[:, 1] == loads(text).sampler.init["mean"][1]).all() and not bool(
            problem.sets[0].contains(z).any()
        )
        moved = problem.coordinates.saved(z + 1e-3)
        assert (moved[:, 1] != x[:, 1]).all()
    analytic = loads(
        ANALYTIC.replace("ENERGY", GAUSSIAN).replace("INIT", "{kind: gaussian, mean: [0.1, 0], std: [0, 1]}")
    )
    assert analytic.dtype == "float32"
    asked = loads(analytic.to_yaml().replace("x0 > 1e9", "x0 > 0.1").replace("dtype: float32\n", ""))
    assert asked.dtype == "float64"
    assert (start(build(asked, progress=Silent()), Key(0))[:, 0] == 0.1).all()


def test_the_choice_is_told_written_and_repeated(rides: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("s.yaml").write_text(RIDES)
    assert main(["validate", "s.yaml"]) == 0
    assert (
        "dtype: float64 is chosen: row 1 of the start is outside high, and as float32 inside: fare 30.1 "
        "becomes 30.10" in (capsys.readouterr().out)
    )
    assert "because float32 cannot hold them" in explain(loads(RIDES)).replace("\n  ", " ")
    done = runner.run("s.yaml", out="out")
    resolved = Path("out/scenario.yaml").read_text()
    assert "dtype: float64" in resolved and loads(resolved).fingerprint() == loads(RIDES).fingerprint()
    assert json.loads(Path("out/run.json").read_text())["dtype_chosen_because"].startswith(
        "row 1 of the start"
    )
    again = runner.run("out/scenario.yaml", out="again")
    assert (Path("again/samples.npz").read_bytes()) == Path(
        "out/samples.npz"
    ).read_bytes() and again.report.passed == done.report.passed


def test_float32_that_makes_a_false_count_is_refused_with_its_line(
    rides: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("s.yaml").write_text(RIDES.replace("name: rides\n", "name: rides\ndtype: float32\n"))
    for command in (
        ["validate", "s.yaml"],
        ["run", "s.yaml", "--out", "out", "--quiet"],
        ["compare", "s.yaml", "--quiet"],
    ):
        assert main(command) == 2
        said = capsys.readouterr().err
        assert (
            "s.yaml:3:8: dtype: float32 cannot hold this: row 1 of the start" in said
            and "use dtype: float64" in said
        )
    np.savez("x.npz", x=rows(), columns=["fare", "tip"])
    assert main(["audit", "x.npz", "s.yaml"]) in (0, 1)  # what is only judged needs no dtype


ANALYTIC = """\
version: 1
name: analytic
energy: ENERGY
unsafe: {far: {kind: rule, where: "x0 > 1e9"}}
constraints: [{set: far, beta: 0.1}]
sampler: {kind: langevin, samples: 10, steps: 5, step_size: 0.01, init: INIT}
"""
ORIGIN, GAUSSIAN = "{kind: standard}", "{kind: gaussian, mean: [0, 0], std: 1}"


@pytest.mark.parametrize(
    ("energy", "init", "expected"),
    [
        ("{kind: gaussian, mean: [0, 0], std: 1}", ORIGIN, "float32"),
        ("{kind: gaussian, mean: [300, 0], std: 1}", ORIGIN, "float32"),
        ("{kind: gaussian, mean: [4649776, 0], std: 1}", ORIGIN, "float64"),
        ("{kind: gaussian, mean: [1700000000, 0], std: [600, 1]}", ORIGIN, "float64"),
        (
            "{kind: gaussian, mean: [4649776, 0], std: [1000000, 1]}",
            ORIGIN,
            "float64",
        ),  # steps of .14 on a grid of .5
        ("{kind: gaussian, mean: [0, 0], std: 1}", "{kind: gaussian, mean: [1000000, 0], std: 1}", "float64"),
        ("{kind: gaussian_mixture, means: [[0, 0], [1000000, 0]], std: 1}", ORIGIN, "float64"),
        ("{kind: student_t, mean: [1000000, 0], std: 1, degrees: 5}", ORIGIN, "float64"),
        ("{kind: quadratic, center: [0, 100000], stiffness: [[1, 0], [0, 1]]}", ORIGIN, "float64"),
        ("{kind: ring, center: [0, 0], radius: 100000, std: 1}", ORIGIN, "float64"),
        ("{kind: ring, center: [0, 0], radius: 2, std: 0.3}", ORIGIN, "float32"),
        ("{kind: double_well, dimension: 2, well: 100000, barrier: 1000000000}", ORIGIN, "float64"),
        ("{kind: double_well}", ORIGIN, "float32"),
        ("{kind: funnel, dimension: 5}", ORIGIN, "float32"),
        ("{kind: shifted, energy: {kind: double_well}, shift: [0, 1000000]}", ORIGIN, "float64"),
        (
            "{kind: disjunction, energies: [{kind: gaussian, mean: [0, 0], std: 1}, {kind: ring, center: "
            "[0, 1000000], radius: 2}]}",
            ORIGIN,
            "float64",
        ),
        ("{kind: gaussian, mean: [5, 0], std: [0.0001, 1]}", ORIGIN, "float64"),
        ("{kind: gaussian, mean: [0, 0], std: [0.000001, 1]}", ORIGIN, "float32"),
    ],
)
def test_the_dtype_follows_from_spacing_and_spread(energy: str, init: str, expected: str) -> None:
    asked = loads(ANALYTIC.replace("ENERGY", energy).replace("INIT", init))
    assert asked.dtype == expected and (asked.why_double is None) == (expected == "float32")
    must_hold(asked)
    assert loads(asked.to_yaml()).fingerprint() == asked.fingerprint()


def test_what_no_format_holds_is_refused_with_the_numbers() -> None:
    text = ANALYTIC.replace("ENERGY", "{kind: gaussian, mean: [1.0e+17, 0], std: 1}").replace("INIT", ORIGIN)
    with pytest.raises(
        BadInput,
        match=r"float64 cannot hold this: the energy: x0 is near 1e\+17 .* are 16 apart.*move the origin",
    ):
        must_hold(loads(text))
    with pytest.raises(BadInput, match="move the origin"):
        must_hold(loads(text + "dtype: float32\n"))
    mild = ANALYTIC.replace("ENERGY", "{kind: gaussian, mean: [3000, 0], std: 1}").replace("INIT", ORIGIN)
    assert loads(mild).dtype == "float64"
    must_hold(loads(mild + "dtype: float32\n"))  # asked for, and harmless: a spacing of 2.4e-4 of the spread
    with pytest.raises(BadInput, match="float32 cannot hold this"):
        must_hold(loads(mild.replace("3000", "30000") + "dtype: float32\n"))


def test_far_training_data_are_saved_as_finely_as_they_were(rides: Path) -> None:
    """15 different values for a thousand samples were what float32 made of northings; two places far apart
    hide neither's spread.
    """
    rng = np.random.default_rng(1)
    near = rng.normal(size=(200, 2)).round(3)
    for shift in ([500000.0, 4649776.0], [1.7e9, 0.0]):
        both = np.concatenate([near + shift, near + np.array(shift) * [1.01, 1.0]])
        for table in (near + shift, both):
            Path("gps.csv").write_text("fare,tip\n" + "".join(f"{a:.3f},{b:.3f}\n" for a, b in table))
            asked = loads(
                RIDES.replace("rides.csv", "gps.csv").replace("30.1", "9e9").replace("tip < 0", "tip < -9e9")
            )
            assert asked.dtype == "float64" and "spread" in str(asked.why_double)
    done = runner.run(asked, out="out", steps=2)
    assert len(np.unique(done.samples[:, 1])) > 40
