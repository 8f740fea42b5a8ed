"""Regions that an energy or a trained classifier draws, from a scenario: validated, run, audited from foreign
files, fingerprinted.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import lem_safe
from barriers.coordinates import identity
from barriers.filters import FILTERS
from barriers.sets import (
    ClassRegion,
    Field,
    NotSmooth,
    SpecificationError,
    Sublevel,
    build_sets,
    complement,
    load_classifier,
    pull,
    save_classifier,
    soften,
)
from lem_safe import cli
from lem_safe.auditor import audit as judge
from lem_safe.energies import MLP, GaussianMixture, Transported
from lem_safe.errors import BadInput
from lem_safe.registry import MAKERS, load, loads, regions
from lem_safe.runs.runner import run
from lem_safe.training.checkpoint import describe, save_energy

TEXT = """\
version: 1
name: learned
energy: {kind: gaussian, mean: [0, 0], std: 1}
unsafe:
  likely: {kind: sublevel, energy: {kind: gaussian_mixture, means: [[1.5, 0], [0, 2]], std: 0.5}, level: 2.0}
  spill: {kind: classifier, path: net.safetensors, label: spill}
  either: {any: [likely, spill]}
constraints: [{set: likely, beta: 0.05}, {set: spill, beta: 0.1}]
sampler: {kind: langevin, samples: 300, steps: 40, step_size: 0.01,
  init: {kind: gaussian, mean: [-2, -1], std: 0.3}}
filter: {kind: gate}
"""
COLUMNS = ("x0", "x1")


def network(activation: type[nn.Module] = nn.Tanh, outputs: int = 2, seed: int = 0) -> nn.Sequential:
    """A network whose classes share the plane."""
    torch.manual_seed(seed)
    made = nn.Sequential(nn.Linear(2, 8), activation(), nn.Linear(8, 8), activation(), nn.Linear(8, outputs))
    with torch.no_grad():
        made[0].weight.mul_(3)
        made[4].bias.sub_(made(cloud().float()).mean(0))
    return made


def cloud(n: int = 400) -> torch.Tensor:
    return 1.5 * torch.randn(n, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A scenario beside its classifier."""
    save_classifier(network(), tmp_path / "net.safetensors", ["spill", "calm"], COLUMNS)
    (tmp_path / "it.yaml").write_text(TEXT)
    return tmp_path


@pytest.fixture(autouse=True)
def _no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "report" not in request.node.name:
        monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")


def truth(x: np.ndarray) -> np.ndarray:
    """Both regions by hand, [n, 2]: a mixture's density by its formula, a network by torch, in float64."""
    energy = -np.log(
        0.5
        * sum(
            np.exp(-((x - m) ** 2).sum(1) / (2 * 0.25)) / (2 * np.pi * 0.25)
            for m in (np.array([1.5, 0]), np.array([0, 2]))
        )
    )
    with torch.no_grad():
        logits = network().double()(torch.from_numpy(x)).numpy()
    return np.stack([energy <= 2.0, logits[:, 0] >= logits[:, 1]], 1)


def test_regions_of_a_scenario_are_what_their_formulas_say(folder: Path) -> None:
    x, built = cloud(), regions(load(folder / "it.yaml").unsafe, COLUMNS)
    held = torch.stack([built["likely"].contains(x), built["spill"].contains(x)], 1).numpy()
    assert (held == truth(x.numpy())).all() and 0.02 < held.mean() < 0.98
    assert (built["either"].contains(x).numpy() == held.any(1)).all()
    for name in ("likely", "spill"):
        assert torch.equal(built[name](x) < 0, built[name].contains(x)) and not built[name].exact


@pytest.mark.simulation
@pytest.mark.parametrize("kind", [k for k in FILTERS if k != "chain"])
def test_every_filter_runs_and_the_audit_recounts(folder: Path, kind: str) -> None:
    """Both regions are smooth here, so the drift filters take them too; counts are those of the formulas."""
    weight = ", weight: 1.0" if kind == "penalty" else ""
    (folder / "it.yaml").write_text(TEXT.replace("kind: gate", f"kind: {kind}{weight}"))
    done = run(load(folder / "it.yaml"), out=folder / "out")
    x = np.asarray(done.samples, dtype=np.float64)
    assert [c.violations for c in done.report.constraints] == truth(x).sum(0).tolist()
    if kind in ("step", "gate", "reject"):
        assert done.report.passed


def test_a_foreign_file_is_judged_without_training_or_sampling(folder: Path) -> None:
    x = cloud(1000).numpy()
    np.savetxt(folder / "theirs.csv", x[:, ::-1], delimiter=",", header="x1,x0", comments="", fmt="%.17g")
    found = lem_safe.audit(folder / "theirs.csv", folder / "it.yaml")
    assert [c.violations for c in found.constraints] == truth(x).sum(0).tolist()
    assert found.union is not None and found.union.violations == int(truth(x).any(1).sum())
    assert [c.clearance_min for c in found.constraints] == [None, None]  # a level is no distance


def test_the_command_line_judges_it_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(folder / "theirs.npy", cloud(200).numpy())
    assert cli.main(["audit", str(folder / "theirs.npy"), str(folder / "it.yaml"), "--json"]) == 1
    counted = [c["violations"] for c in json.loads(capsys.readouterr().out)["constraints"]]
    assert counted == truth(cloud(200).numpy()).sum(0).tolist()


def test_the_judge_alone_knows_no_energy(folder: Path) -> None:
    """Without the makers that a caller hands it, a sublevel region is refused, not guessed."""
    with pytest.raises(BadInput, match="this region needs an energy"):
        judge(cloud(), load(folder / "it.yaml"))
    with pytest.raises(SpecificationError):
        build_sets({"a": dict(Sublevel.example)}, COLUMNS)
    assert "a" in build_sets({"a": dict(Sublevel.example)}, COLUMNS, MAKERS)


def test_a_scenario_comes_back_and_counts_the_networks_bytes(folder: Path) -> None:
    first = load(folder / "it.yaml")
    before = first.fingerprint()
    assert loads(first.to_yaml()).fingerprint() == before
    assert str(folder / "net.safetensors") in first.to_yaml()
    save_classifier(network(seed=1), folder / "net.safetensors", ["spill", "calm"], COLUMNS)
    assert load(folder / "it.yaml").fingerprint() != before


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("net.safetensors", "none.safetensors", 6, "no such file"),
        ("label: spill", "label: spil", 6, "label must be one of its classes .spill, calm.; got 'spil'"),
        ("label: spill", "label: 2", 6, "label must be from 0 to 1 .spill, calm.; got 2"),
        (
            "label: spill",
            "label: spill, probability: 0.5, score: 1.0",
            6,
            "probability and score exclude each other",
        ),
        ("label: spill", "label: spill, probability: 1.5", 6, "must be < 1"),
        ("label: spill", "label: spill, activation: relu", 6, "the file says its own"),
        ("path: net.safetensors, label: spill", "label: 1", 6, "needs either path, a file, or layers"),
        (
            "path: net.safetensors, label: spill",
            "label: 0, layers: [[[1, 2], [1]]]",
            6,
            "layer 0 must be rows of equally many numbers",
        ),
        (
            "path: net.safetensors, label: spill",
            "label: 0, layers: [[[1, 0, 2]]]",
            6,
            "one output .* give a score",
        ),
        (
            "path: net.safetensors, label: spill",
            "label: 0, score: 1, layers: [[[1, 2, 3, 4]]]",
            6,
            "3 dimensions where the energy has 2",
        ),
        ("std: 0.5", "std: -0.5", 5, "std must be > 0"),
        ("level: 2.0", "level: .nan", 5, "must be finite"),
        ("[[1.5, 0], [0, 2]]", "[[1.5, 0, 0], [0, 2, 0]]", 5, "3 dimensions where the energy has 2"),
        (
            "{kind: gaussian_mixture, means: [[1.5, 0], [0, 2]], std: 0.5}",
            "{kind: trained, data: {kind: two_moons}}",
            5,
            "not trained.*checkpoint",
        ),
        (
            "{kind: gaussian_mixture, means: [[1.5, 0], [0, 2]], std: 0.5}",
            "{kind: composed, energies: [{kind: trained, data: {kind: two_moons}}], weights: [1]}",
            5,
            "not trained.*checkpoint",
        ),
    ],
)
def test_what_such_a_region_cannot_be_is_told_with_its_line(
    folder: Path, old: str, new: str, line: int, message: str
) -> None:
    assert TEXT.count(old) == 1
    (folder / "it.yaml").write_text(TEXT.replace(old, new))
    with pytest.raises(BadInput, match=f"(?s){message}") as caught:
        load(folder / "it.yaml")
    assert {fault.line for fault in caught.value.faults} == {line}


def test_where_a_checkpoint_finds_rows_likely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trained energy as a region, by its file: the audit reads it, trains nothing, and counts U ≤ level in
    float64.
    """
    generator = torch.Generator().manual_seed(0)
    energy = Transported(MLP(hidden=8, depth=1).build(2, generator), identity(2))
    save_energy(
        energy,
        tmp_path / "energy.safetensors",
        {"network": describe(MLP(hidden=8, depth=1), "mlp"), "columns": list(COLUMNS)},
    )
    known = "{kind: gaussian_mixture, means: [[1.5, 0], [0, 2]], std: 0.5}, level: 2.0"
    text = TEXT.replace(known, "{kind: checkpoint, path: energy.safetensors}, level: 0.2").replace(
        "{set: spill, beta: 0.1}", ""
    )
    (tmp_path / "it.yaml").write_text("\n".join(line for line in text.split("\n") if "spill" not in line))
    it, x = load(tmp_path / "it.yaml"), cloud()
    with torch.no_grad():
        held = energy.double()(x) <= 0.2
    monkeypatch.setattr(
        "lem_safe.training.trained.Trained.train", lambda *_: pytest.fail("an audit must not train")
    )
    assert lem_safe.audit(x, it).constraints[0].violations == int(held.sum()) and 0 < held.sum() < len(x)
    before = it.fingerprint()
    (tmp_path / "energy.safetensors").write_bytes(b"other")
    assert it.fingerprint() != before
    with pytest.raises(BadInput, match="energy.safetensors"):
        load(tmp_path / "it.yaml")


def test_the_report_draws_it(folder: Path) -> None:
    done = run(load(folder / "it.yaml"), out=folder / "out", steps=5)
    assert "likely" in (done.directory / "report.html").read_text()


# ------------------------------------------------------------------ the classifier and its file


@pytest.mark.parametrize("activation", [nn.Tanh, nn.SiLU, nn.Softplus, nn.ReLU])
def test_a_saved_network_answers_as_it_did(activation: type[nn.Module], tmp_path: Path) -> None:
    mine, x = network(activation, 3), cloud(50).float()
    save_classifier(mine, tmp_path / "net.safetensors", ["a", "b", "c"], ["left", "right"])
    saved = load_classifier(tmp_path / "net.safetensors")
    with torch.no_grad():
        assert torch.allclose(saved.network(x), mine(x), atol=1e-6)
    assert (
        saved.classes == ("a", "b", "c")
        and saved.columns == ("left", "right")
        and saved.network.smooth == (activation is not nn.ReLU)
    )


def test_likeliest_likely_enough_and_scoring_enough(tmp_path: Path) -> None:
    mine, x = network(outputs=3), cloud()
    save_classifier(mine, tmp_path / "net.safetensors", ["a", "b", "c"])
    with torch.no_grad():
        logits = mine.double()(x)
    path = tmp_path / "net.safetensors"
    assert torch.equal(ClassRegion("b", COLUMNS, path).contains(x), logits.argmax(1) == 1)
    assert torch.equal(
        ClassRegion(1, COLUMNS, path, probability=0.4).contains(x), logits.softmax(1)[:, 1] >= 0.4
    )
    t = float(logits[:, 1].median())
    assert torch.equal(ClassRegion("b", COLUMNS, path, score=t).contains(x), logits[:, 1] >= t)


def test_columns_are_handed_over_by_name(tmp_path: Path) -> None:
    save_classifier(network(), tmp_path / "net.safetensors", ["spill", "calm"], ["speed", "load"])
    path, x = tmp_path / "net.safetensors", torch.cat([cloud(), cloud()[:, :1]], 1)
    plain = ClassRegion("spill", ("speed", "load"), path)
    wide = ClassRegion("spill", ("load", "heat", "speed"), path)
    assert torch.equal(wide.contains(x), plain.contains(x[:, [2, 0]])) and wide.dimension == 3
    with pytest.raises(
        ValueError, match="trained on the columns speed, load; 'load' is not among speed, heat"
    ):
        ClassRegion("spill", ("speed", "heat"), path)


def test_kinks_are_for_the_step_and_the_gate(tmp_path: Path) -> None:
    """A ReLU network, and the likeliest of three, hide Itô mass; a probability or a score of a smooth network
    does not (B.5).
    """
    save_classifier(network(nn.ReLU), tmp_path / "relu.safetensors", ["a", "b"])
    save_classifier(network(outputs=3), tmp_path / "tanh.safetensors", ["a", "b", "c"])
    for region in (
        ClassRegion("a", COLUMNS, tmp_path / "relu.safetensors"),
        ClassRegion("a", COLUMNS, tmp_path / "tanh.safetensors"),
    ):
        for unsafe in (region, complement(region), pull(region, identity(2))):
            with pytest.raises(NotSmooth):
                soften(unsafe, 0.1)
    assert soften(ClassRegion("a", COLUMNS, tmp_path / "tanh.safetensors", probability=0.3), 0.1).smooth


@pytest.mark.parametrize(
    "bad",
    [
        nn.Sequential(nn.Linear(2, 3), nn.Dropout(), nn.Linear(3, 2)),
        nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2)),
        nn.Sequential(nn.Linear(2, 2), nn.Tanh()),
        nn.Sequential(nn.Linear(2, 2, bias=False)),
        nn.Sequential(nn.Linear(2, 3), nn.Softplus(beta=2), nn.Linear(3, 2)),
    ],
)
def test_other_networks_are_refused(bad: nn.Sequential, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be nn.Linear layers"):
        save_classifier(bad, tmp_path / "net.safetensors", ["a", "b"])
    assert not list(tmp_path.iterdir())


def test_names_must_fit(tmp_path: Path) -> None:
    for classes, columns in (
        (["a"], None),
        (["a", "a"], None),
        (["a", "b"], ["x"]),
        (["a", "b"], ["x", "x"]),
    ):
        with pytest.raises(ValueError, match="different names"):
            save_classifier(network(), tmp_path / "net.safetensors", classes, columns)


def damaged(path: Path) -> dict[str, Any]:
    from safetensors.torch import save

    tensors = {"layers.0.weight": torch.ones(2, 2), "layers.0.bias": torch.ones(2)}
    text = {"format": "lem-safe classifier 1", "activation": "tanh", "classes": '["a", "b"]'}
    nan = {**tensors, "layers.0.bias": torch.tensor([1.0, float("nan")])}
    return {
        "cut": path.read_bytes()[:-7],
        "empty": b"",
        "pickle": b"cos\nsystem\n(S'true'\ntR.",
        "foreign": save(tensors, metadata={"format": "pt"}),
        "no layers": save({"other": torch.ones(2)}, metadata=text),
        "unfit": save({**tensors, "layers.0.weight": torch.ones(3, 2)}, metadata=text),
        "nan": save(nan, metadata=text),
        "activation": save(tensors, metadata={**text, "activation": "os.system"}),
        "classes": save(tensors, metadata={**text, "classes": '["a"]'}),
        "json": save(tensors, metadata={**text, "classes": "[a"}),
    }


@pytest.mark.parametrize(
    "name",
    ["cut", "empty", "pickle", "foreign", "no layers", "unfit", "nan", "activation", "classes", "json"],
)
def test_a_damaged_or_foreign_file_is_a_fault_of_the_scenario(folder: Path, name: str) -> None:
    (folder / "net.safetensors").write_bytes(damaged(folder / "net.safetensors")[name])
    with pytest.raises(BadInput, match="Classifier: ") as caught:
        load(folder / "it.yaml")
    assert [fault.line for fault in caught.value.faults] == [6]


def test_a_field_is_as_it_was_given() -> None:
    """What happens to the original afterwards does not show, and in float64 level and membership are one."""
    mine, x = network(outputs=1), cloud()
    unsafe = Sublevel(Field(nn.Sequential(mine, nn.Flatten(0)), dimension=2), 0.05)
    before = unsafe.contains(x)
    with torch.no_grad():
        mine[4].bias.add_(100.0)
    assert (
        torch.equal(unsafe.contains(x), before)
        and torch.equal(unsafe(x) <= 0, before)
        and 0 < before.sum() < len(x)
    )
    assert unsafe(x.float()).dtype == torch.float32


def test_where_an_energy_is_no_number_the_row_is_inside() -> None:
    unsafe = Sublevel(Field(lambda x: (x[:, 0] - 1).sqrt(), dimension=2), -1.0)
    x = torch.tensor([[0.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
    assert unsafe.contains(x).tolist() == [True, False] and unsafe(x)[0] < 0
    far = Sublevel(Field(GaussianMixture([[0.0, 0.0]], std=1.0), 2), 3.0)
    assert far.contains(torch.tensor([[1e308, -1e308]], dtype=torch.float64)).tolist() == [False]
    assert torch.isfinite(far(torch.tensor([[1e308, -1e308]], dtype=torch.float64))).all()
