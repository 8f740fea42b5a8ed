"""Compositions in a scenario: of trained energies too, at any nesting, trained once, refused or warned of
before anything is sampled.
"""

import json
from pathlib import Path

import pytest
import torch

from benchmarks import composition, composition_page
from benchmarks.composition_scenarios import SAMPLES
from lem_safe.energies import Confined, Disjunction, Pulled, WeightedSum
from lem_safe.errors import BadInput
from lem_safe.files import read_npz
from lem_safe.progress import Silent
from lem_safe.registry import loads
from lem_safe.runs.learned_parts import train
from lem_safe.runs.problem import Problem, build
from lem_safe.runs.runner import run
from lem_safe.training.checkpoint import load_energy

pytestmark = pytest.mark.simulation

SMALL = "network: {kind: mlp, hidden: 8, depth: 1, confinement: 1.0}, training: {steps: 30, batch_size: 64}"
MOONS = f"{{kind: trained, data: {{kind: two_moons, samples: 300}}, {SMALL}}}"
RINGS = f"{{kind: trained, data: {{kind: rings, samples: 300}}, {SMALL}}}"
ROUND = "{kind: gaussian, mean: [0, 0], std: 2}"
A = f"{{kind: gaussian_mixture, means: {composition.A}, std: 0.3}}"
B = f"{{kind: gaussian_mixture, means: {composition.B}, std: 0.3}}"


def text(energy: str, penalties: str = "[]", init: str = "{kind: standard}") -> str:
    return f"""
version: 1
name: composed
energy: {energy}
penalties: {penalties}
unsafe: {{east: {{kind: half_space, normal: [1, 0], offset: 9}}}}
constraints: [{{set: east, beta: 0.5}}]
sampler: {{kind: langevin, samples: 64, steps: 5, step_size: 0.001, init: {init}}}
"""


class Heard(Silent):
    """Remembers what was said and begun."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.begun: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def start(self, title: str, total: int) -> None:
        self.begun.append(title)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEM_SAFE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def built(energy: str, **named: str) -> Problem:
    return build(loads(text(energy, **named)), progress=Silent())


@pytest.mark.parametrize(
    "energy",
    [
        f"{{kind: composed, energies: [{MOONS}, {RINGS}, {ROUND}], weights: [1, 0.5, -0.1]}}",
        f"{{kind: conjunction, energies: [{ROUND}, {RINGS}]}}",
        f"{{kind: negation, energy: {MOONS}, away_from: {RINGS}, weight: 0.2}}",
        pytest.param(f"{{kind: disjunction, energies: [{MOONS}, {RINGS}]}}", marks=pytest.mark.long),
        f"{{kind: tilted, tilt: [0.3, 0], energy: {{kind: shifted, shift: [1, 0], energy: {{kind: "
        f"tempered, temperature: 2, energy: {MOONS}}}}}}}",
        f"{{kind: disjunction, weights: [1, 3], energies: [{ROUND}, {{kind: conjunction, energies: [{MOONS}, "
        f"{{kind: negation, energy: {RINGS}, away_from: {ROUND}, weight: 0.01}}]}}]}}",
    ],
)
def test_trained_terms_are_terms_like_any_other(energy: str, cache: Path) -> None:
    """Built, the potential over sampler coordinates is the energy over data units there, gradients carried by
    the chain rule.
    """
    problem = built(energy)
    z = torch.randn(16, 2, generator=torch.Generator().manual_seed(0))
    x = problem.coordinates(z)
    value, gradient = problem.potential.value_and_gradient(z)
    expected, slope = problem.energy.value_and_gradient(x)
    torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(gradient, slope @ problem.coordinates.matrix.float(), rtol=1e-3, atol=1e-3)


def test_the_sampler_moves_in_the_coordinates_of_the_first_trained_term(cache: Path) -> None:
    problem = built(f"{{kind: conjunction, energies: [{ROUND}, {MOONS}, {RINGS}]}}")
    rows = problem.parts[0].made.data.load(0).values
    z = problem.coordinates.inverse(rows)
    assert float(z.mean(0).abs().max()) < 1e-9 and float((z.std(0) - 1).abs().max()) < 0.06
    potential = problem.potential
    assert isinstance(potential, WeightedSum)
    assert [type(term) for term in potential.members()] == [Pulled, Confined, Pulled]
    assert problem.data is not None and torch.equal(problem.data.values, rows)


def test_composing_trains_nothing_again(cache: Path) -> None:
    """The parts of one composition are those of another, of the energy alone, and of a penalty: same
    fingerprint, same file.
    """
    first, second, third = Heard(), Heard(), Heard()
    one = build(
        loads(text(f"{{kind: negation, energy: {MOONS}, away_from: {RINGS}, weight: 0.2}}")), progress=first
    )
    files = {part.file: part.file.stat().st_mtime_ns for part in one.parts}
    two = build(loads(text(f"{{kind: conjunction, energies: [{RINGS}, {MOONS}, {RINGS}]}}")), progress=second)
    three = build(loads(text(MOONS, penalties=f"[{{weight: 0.1, energy: {RINGS}}}]")), progress=third)
    assert (one.origin, two.origin, three.origin) == ("trained", "cached", "cached")
    assert [part.key for part in one.parts] == ["energy.energy", "energy.away_from"]
    assert [part.origin for part in two.parts + three.parts] == ["cached"] * 5
    assert {part.file: part.file.stat().st_mtime_ns for part in two.parts + three.parts} == files
    assert first.begun == ["training energy.energy", "training energy.away_from"]


def test_every_trained_part_is_saved_under_its_key(cache: Path, tmp_path: Path) -> None:
    energy = f"{{kind: composed, energies: [{MOONS}, {RINGS}], weights: [1, 0.5]}}"
    scenario = loads(text(energy, penalties=f"[{{weight: 0.05, energy: {RINGS}}}]"))
    run(scenario, out=tmp_path / "out", with_report=False)
    names = {
        "energy.energies.0.safetensors",
        "energy.energies.1.safetensors",
        "penalties.0.energy.safetensors",
    }
    assert {path.name for path in (tmp_path / "out").glob("*.safetensors")} == names
    saved = load_energy(tmp_path / "out" / "energy.energies.1.safetensors")
    assert saved.metadata["scenario_fingerprint"] == scenario.fingerprint()
    again = train(loads(text(energy)), tmp_path / "kept", Silent())
    assert {path.name for path in again.iterdir()} == {
        "energy.energies.0.safetensors",
        "energy.energies.1.safetensors",
    }
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    kept = load_energy(again / "energy.energies.1.safetensors").energy
    torch.testing.assert_close(saved.energy(x), kept(x), rtol=0, atol=0)


def test_terms_must_share_their_columns() -> None:
    iris = "{kind: trained, data: {kind: sklearn, table: iris, columns: [petal_length_cm, sepal_width_cm]}}"
    with pytest.raises(
        BadInput, match="must share their columns; got x0, x1 and petal_length_cm, sepal_width_cm"
    ):
        loads(text(f"{{kind: conjunction, energies: [{MOONS}, {iris}]}}"))
    wide = f"{{kind: conjunction, energies: [{MOONS}, {{kind: gaussian, mean: [0, 0, 0], std: 1}}]}}"
    with pytest.raises(BadInput, match=r"energies must share one dimension; got \[2, 3\]"):
        loads(text(wide))


def test_a_disjunction_is_aligned_when_it_is_built(cache: Path) -> None:
    """Each half of the mixture holds the weight it was given, whatever the constants of the two networks."""
    problem = built(f"{{kind: disjunction, weights: [1, 3], energies: [{MOONS}, {RINGS}]}}")
    joined = problem.energy
    assert isinstance(joined, Disjunction)
    x = composition.grid(601)
    with torch.no_grad():
        mass = [
            float((-term(x)).logsumexp(0)) - float(joined.shares[i] + joined.offsets[i])
            for i, term in enumerate(joined.members())
        ]
    assert abs(mass[0] - mass[1]) < 0.05


@pytest.mark.parametrize(
    ("energy", "penalties", "key", "ratio"),
    [
        (f"{{kind: negation, energy: {B}, away_from: {A}, weight: 1.25}}", "[]", "energy", 0.8),
        (f"{{kind: composed, energies: [{B}, {A}], weights: [1, -1]}}", "[]", "energy", 1.0),
        (
            f"{{kind: disjunction, energies: [{B}, {{kind: composed, energies: [{B}, {A}], weights: [1, "
            f"-2]}}]}}",
            "[]",
            "energy",
            0.5,
        ),
        (B, f"[{{weight: 1.25, energy: {A}}}]", "penalties", 0.8),
        (
            f"{{kind: negation, energy: {B}, away_from: {A}, weight: 0.75}}",
            f"[{{weight: 0.5, energy: {A}}}]",
            "penalties",
            0.8,
        ),
    ],
)
def test_what_leaves_nothing_to_sample_is_refused(
    energy: str, penalties: str, key: str, ratio: float, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=rf"^{key}: .*along \(.*cannot be normalised.*less than {ratio:g}$"):
        run(loads(text(energy, penalties)), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("weight", "warned"), [(0.35, False), (0.8, True)])
def test_what_leaves_both_parents_runs_with_a_warning(weight: float, warned: bool, tmp_path: Path) -> None:
    for name, energy, penalties in (
        ("composed", f"{{kind: negation, energy: {B}, away_from: {A}, weight: {weight}}}", "[]"),
        ("penalty", B, f"[{{weight: {weight}, energy: {A}}}]"),
    ):
        heard = Heard()
        run(loads(text(energy, penalties)), out=tmp_path / name, progress=heard)
        facts = json.loads((tmp_path / name / "run.json").read_text())
        assert len(facts["warnings"]) == warned
        assert facts["warnings"] == [line for line in heard.said if "leaves both parents" in line]
        assert ("leaves both parents" in (tmp_path / name / "report.html").read_text()) == warned


def test_init_data_takes_the_rows_of_the_first_trained_term(cache: Path, tmp_path: Path) -> None:
    energy = f"{{kind: conjunction, energies: [{ROUND}, {RINGS}]}}"
    done = run(loads(text(energy, init="{kind: data}")), out=tmp_path / "out", steps=1, with_report=False)
    assert read_npz(done.directory / "samples.npz")["x"].shape == (64, 2)
    with pytest.raises(BadInput, match="'data' starts at the rows an energy was trained on"):
        loads(text(f"{{kind: conjunction, energies: [{ROUND}, {ROUND}]}}", init="{kind: data}"))


def test_the_paper_with_exact_energies() -> None:
    """U_B − .35U_A: .99495 within 1.5 of B's centres, 6e-15 near A's; U_A + U_B has mean radius 3.814. By
    quadrature, 1/200 fine.
    """
    g = torch.linspace(-6.0, 6.0, 2401, dtype=torch.float64)
    energies = composition.exact()
    total = near_b = near_a = radius = mass = 0.0
    for rows in g.split(300):
        x = torch.cartesian_prod(rows, g)
        p, q = (-energies["negation"](x)).exp(), (-energies["conjunction"](x) - 100).exp()
        total, near_b, near_a = (
            total + float(p.sum()),
            near_b + sum(composition.near(x, p, composition.B)),
            near_a + sum(composition.near(x, p, composition.A)),
        )
        radius, mass = radius + float((q * x.norm(dim=1)).sum()), mass + float(q.sum())
    assert near_b / total == pytest.approx(0.99495, abs=1e-4)
    assert near_a / total == pytest.approx(6e-15, rel=0.1)
    assert radius / mass == pytest.approx(3.814, abs=1e-3)


@pytest.mark.long
def test_the_paper_with_trained_energies_in_small(tmp_path: Path) -> None:
    """One seed, a quarter of the training: 4,900 of 5,000 near B and none near A, radius within .1, eight
    modes of 8 to 17 % each.
    """
    x = composition.grid(401)
    found = {}
    for kind, spec in composition.compositions(steps=500).items():
        problem = composition.problem(spec, 0, tmp_path, samples=1000, steps=400)
        y = composition.sampled(problem)
        found[kind] = composition.facts(kind, y, torch.full((1000,), 1e-3, dtype=y.dtype))
        found[f"{kind} law"] = composition.facts(kind, x, composition.law(problem.energy, x))
    assert found["negation"]["near B"] >= 0.98 and found["negation"]["near A"] == 0
    assert abs(found["conjunction"]["mean radius"] - 3.814) < 0.1 and found["conjunction law"]["midway"] > 0.9
    assert found["disjunction law"]["least share"] > 0.08 and found["disjunction law"]["largest share"] < 0.17


def test_the_table_says_what_was_measured_and_what_held(tmp_path: Path) -> None:
    """Two seeds, one sample near A in the second: that seed does not count; text around the markers stays."""
    rows = [
        {
            "recipe": "" if seed is None else recipe,
            "composition": kind,
            "seed": seed,
            "how": how,
            "what": what,
            "value": value,
        }
        for recipe in composition.RECIPES
        for kind, what, value in (
            ("negation", "near B", 0.99),
            ("negation", "near A", 0.0),
            ("conjunction", "mean radius", 3.8),
            ("conjunction", "midway", 0.5),
            ("disjunction", "least share", 0.11),
            ("disjunction", "largest share", 0.14),
        )
        for seed, how in ((None, "exact"), (0, "law"), (0, "samples"), (1, "law"), (1, "samples"))
    ]
    assert composition_page.table(rows).count("hold for the samples of 2 of 2 seeds") == 2
    rows[9]["value"] = 1 / SAMPLES
    page = tmp_path / "page.md"
    page.write_text(
        "before\n<!-- made by: python -m benchmarks.composition -->\nstale\n<!-- end -->\nafter\n"
    )
    composition_page.write_page(rows, page)
    text = page.read_text()
    assert "| 1 | samples | 4,950 | 1 | 3.800 | 0.500 | 0.110 | 0.140 |" in text
    plain = text.index("### Perceptron alone")
    assert (
        text.index("hold for the samples of 1 of 2 seeds")
        < plain
        < text.index("hold for the samples of 2 of 2 seeds")
    )
    assert text.startswith("before\n<!--") and text.endswith("<!-- end -->\nafter\n") and "stale" not in text


@pytest.mark.parametrize(
    ("what", "inside", "outside"),
    [
        ("near B", 0.98, 0.9798),
        ("near A", 0.0, 0.0002),
        ("mean radius", 3.9, 3.92),
        ("mean radius", 3.72, 3.71),
        ("least share", 0.081, 0.079),
        ("largest share", 0.169, 0.171),
    ],
)
def test_what_is_claimed(what: str, inside: float, outside: float) -> None:
    assert composition_page.held_by(what, inside) and not composition_page.held_by(what, outside)
