"""Values given to columns of numbers, and paths, from a scenario to its files."""

import numpy as np
import pytest
import torch

import lem_safe
from lem_safe import cli
from lem_safe.errors import BadInput

GAUSSIAN = """
version: 1
name: pinned
energy: {kind: gaussian, mean: [1, -1, 0.5], covariance: [[1, 0.6, 0], [0.6, 0.8, 0.2], [0, 0.2, 0.5]]}
given: {x1: 0.3}
unsafe: {high: {kind: rule, where: x0 > 100}}
constraints: [{set: high, beta: 0}]
sampler: {kind: mala, samples: 4000, steps: 60, step_size: 0.4}
filter: {kind: gate}
"""

WALKS = """
version: 1
name: walks
energy:
  kind: trained
  data: {kind: paths, path: walks.npy, waypoints: 6}
  network: {kind: kernel_base, hidden: 8, depth: 1}
  training: {steps: 5, batch_size: 16}
unsafe: {middle: {kind: anywhere, set: {kind: ball, center: [0, 0.4], radius: 0.15}}}
constraints: [{set: middle, beta: 0}]
sampler: {kind: mixed, samples: 200, steps: 20, step_size: 0.05}
filter: {kind: gate}
"""


def walks(directory):
    """Paths from (0, 0) to height 1, left or right of the middle."""
    g = np.random.default_rng(0)
    t = np.linspace(0, 1, 9)
    side = g.choice([-1.0, 1.0], 40)[:, None] * g.uniform(0.2, 0.6, (40, 1))
    x = side * np.sin(np.pi * t) + 0.02 * g.normal(size=(40, 9)).cumsum(1)
    np.save(directory / "walks.npy", np.stack([x, np.tile(t, (40, 1))], 2))
    path = directory / "walks.yaml"
    path.write_text(WALKS, encoding="utf-8")
    return path


def test_samples_have_the_value_and_the_conditional_distribution(tmp_path):
    run = lem_safe.run(lem_safe.loads(GAUSSIAN), out=tmp_path / "run", with_report=False)
    x = np.asarray(run.samples).astype(np.float64)
    assert (x[:, 1] == np.float32(0.3)).all()
    Σ = np.array([[1, 0.6, 0], [0.6, 0.8, 0.2], [0, 0.2, 0.5]])
    mean = np.array([1, 0.5]) + Σ[[0, 2], 1] / 0.8 * (0.3 + 1)
    variance = np.diag(Σ)[[0, 2]] - Σ[[0, 2], 1] ** 2 / 0.8
    free = x[:, [0, 2]]
    assert (np.abs(free.mean(0) - mean) < 4 * np.sqrt(variance / len(x))).all()
    assert (np.abs(free.var(0) / variance - 1) < 4 * np.sqrt(2 / len(x))).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{x7: 1}", "no column is named 'x7'"),
        ("{x1: here}", "must be a finite number; got 'here'"),
        ("{x1: .inf}", "must be a finite number; got inf"),
        ("{x0: 1, x1: 1, x2: 1}", "leaves none of the 3 columns to sample"),
        ("{start: [0, 1]}", "start and goal need shape"),
    ],
)
def test_what_cannot_be_given_is_named_before_a_run(given, message):
    with pytest.raises(BadInput, match=message):
        lem_safe.loads(GAUSSIAN.replace("{x1: 0.3}", given))


def test_shapes_that_do_not_fit():
    with pytest.raises(BadInput, match=r"\[2, 2\] is 4 columns, and the energy has 3"):
        lem_safe.loads(GAUSSIAN.replace("given: {x1: 0.3}", "shape: [2, 2]"))
    named = GAUSSIAN.replace("x0 > 100", "x1 > 100").replace("{x1: 0.3}", "{goal: [0.5]}")
    chosen = lem_safe.loads(named + "shape: [3, 1]\n")
    assert chosen.columns == ["x1", "x2", "x3"]
    with pytest.raises(BadInput, match="must be one number"):
        lem_safe.loads(named.replace("[0.5]", "[0.5, 1]") + "shape: [3, 1]\n")
    with pytest.raises(BadInput, match="gives column 'x3' two values"):
        lem_safe.loads(named.replace("{goal: [0.5]}", "{goal: [0.5], x3: 1}") + "shape: [3, 1]\n")


def test_regions_that_read_paths_otherwise_are_named():
    text = """
version: 1
name: two
shape: [3, 2, 1]
energy: {kind: gaussian, mean: [0, 0, 0, 0, 0, 0], std: 1}
unsafe:
  wall: {kind: anywhere, set: {kind: slab, normal: [1.0], lower: 2, upper: 3}}
  both: {any: [{kind: speed, above: 2, agents: 2}, {kind: separation, below: 0.1, agents: 2, size: 1}]}
constraints: [{set: wall, beta: 0.1}, {set: both, beta: 0.5}]
sampler: {kind: langevin, samples: 20, steps: 2, step_size: 0.01}
"""
    with pytest.raises(BadInput) as refused:
        lem_safe.loads(text)
    said = str(refused.value)
    assert "anywhere: agents is 1, and shape says 2" in said
    assert "speed: size is 2, and shape says 1" in said
    mended = text.replace("upper: 3}}", "upper: 3}, agents: 2}").replace("above: 2, ", "above: 2, size: 1, ")
    assert lem_safe.loads(mended).columns == ["x1_1", "x1_2", "x2_1", "x2_2", "x3_1", "x3_2"]


def test_paths_are_learned_pinned_filtered_and_drawn(tmp_path):
    path = walks(tmp_path)
    path.write_text(WALKS + "given: {start: [0, 0], goal: [0.1, 1]}\n", encoding="utf-8")
    run = lem_safe.run(str(path), out=tmp_path / "run")
    assert run.report.passed
    paths = run.paths.astype(np.float64)
    assert paths.shape == (200, 6, 2)
    assert (paths[:, 0] == 0).all()
    assert np.array_equal(paths[:, -1], np.tile(np.float32([0.1, 1]), (200, 1)))
    t = np.linspace(0, 1, 400)[:, None]
    ends = zip(paths[:, :-1].transpose(1, 0, 2), paths[:, 1:].transpose(1, 0, 2), strict=True)
    nearest = min(np.linalg.norm(a[:, None] + t * (b - a)[:, None] - [0, 0.4], axis=2).min() for a, b in ends)
    assert 0.15 < nearest < 0.3
    assert (run.directory / "figures" / "paths.png").is_file()
    page = (run.directory / "report.html").read_text(encoding="utf-8")
    assert "The paths" in page


@pytest.mark.parametrize("loss", ["energy_matching", "denoising"])
def test_energies_of_paths_are_learned_by_every_loss(tmp_path, loss):
    path = walks(tmp_path)
    text = WALKS.replace("kernel_base", "mlp").replace("kind: mixed", "kind: langevin")
    text = text.replace("  training:", f"  loss: {{kind: {loss}}}\n  training:")
    text = text.replace("step_size: 0.05", "step_size: 0.01, init: {kind: data, outside: true}")
    path.write_text(text, encoding="utf-8")
    run = lem_safe.run(str(path), out=tmp_path / "run", with_report=False)
    assert run.report.passed
    spread = np.ptp(run.paths, axis=0)
    assert (spread[1:-1, 0] > 0.2).all()
    assert (spread[:, 1] == 0).all()  # all recorded heights are the same


def test_an_energy_of_paths_is_the_same_from_its_file(tmp_path):
    path = walks(tmp_path)
    first = lem_safe.run(str(path), out=tmp_path / "run", with_report=False)
    said = (
        WALKS.split("energy:")[0]
        + "shape: [6, 2]\nenergy: {kind: checkpoint, path: run/energy.safetensors}\n"
    )
    (tmp_path / "again.yaml").write_text(said + "unsafe:" + WALKS.split("unsafe:")[1], encoding="utf-8")
    second = lem_safe.run(str(tmp_path / "again.yaml"), out=tmp_path / "again", with_report=False)
    assert np.array_equal(np.asarray(first.samples), np.asarray(second.samples))


def test_paths_of_another_file_are_scored(tmp_path, capsys):
    path = walks(tmp_path)
    path.write_text(WALKS + "given: {start: [0, 0]}\n", encoding="utf-8")
    far = np.load(tmp_path / "walks.npy")
    np.save(tmp_path / "far.npy", far + 5 * far[:, ::-1])
    spec = f"far={{kind: paths, path: {tmp_path / 'far.npy'}, waypoints: 6}}"
    assert cli.main(["ood", str(path), "--against", spec, "--out", str(tmp_path / "ood")]) == 0
    assert "far" in capsys.readouterr().out


def test_a_damaged_file_of_such_an_energy_is_refused(tmp_path):
    from safetensors import safe_open
    from safetensors.torch import save_file

    first = lem_safe.run(str(walks(tmp_path)), out=tmp_path / "run", with_report=False)
    file = first.directory / "energy.safetensors"
    with safe_open(file, framework="pt") as opened:
        text, tensors = opened.metadata(), {name: opened.get_tensor(name) for name in list(opened.keys())}
    tensors["matrix"] = tensors["matrix"][:, :-1].contiguous()
    save_file(tensors, tmp_path / "bad.safetensors", metadata=text)
    said = WALKS.split("energy:")[0] + "energy: {kind: checkpoint, path: bad.safetensors}\n"
    (tmp_path / "bad.yaml").write_text(said + "unsafe:" + WALKS.split("unsafe:")[1], encoding="utf-8")
    with pytest.raises(BadInput, match="its matrix must be 12 x"):
        lem_safe.load(str(tmp_path / "bad.yaml"))


def test_paths_do_not_compose(tmp_path):
    walks(tmp_path)
    one = "{kind: trained, data: {kind: paths, path: walks.npy, waypoints: 6}}"
    text = f"""
version: 1
name: both
energy: {{kind: conjunction, energies: [{one}, {one}]}}
unsafe: {{middle: {{kind: anywhere, set: {{kind: ball, center: [0, 0.4], radius: 0.1}}}}}}
constraints: [{{set: middle, beta: 0}}]
sampler: {{kind: langevin, samples: 20, steps: 2, step_size: 0.01}}
"""
    (tmp_path / "both.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match="cannot be part of a composition"):
        lem_safe.load(str(tmp_path / "both.yaml"))


def test_a_call_takes_functions_of_paths(tmp_path):
    def energy(path: torch.Tensor) -> torch.Tensor:
        assert path.shape[1:] == (4, 2)
        return 20 * (path[:, 1:] - path[:, :-1]).square().sum((1, 2)) + 0.05 * path.square().sum((1, 2))

    def long(path: torch.Tensor) -> torch.Tensor:
        assert path.shape[1:] == (4, 2)
        return 2.5 - (path[:, 1:] - path[:, :-1]).norm(dim=2).sum(1)

    run = lem_safe.sample(
        energy,
        {"long": long},
        beta=0.1,
        shape=(4, 2),
        given={"start": torch.tensor([-1.0, 0.0]), "goal": [1.0, 0.0]},
        init=torch.linspace(-1, 1, 4)[:, None].expand(100, 4, 2) * torch.tensor([1.0, 0.0]),
        steps=20,
        step_size=0.005,
    )
    assert run.report.passed
    assert run.paths.shape == (100, 4, 2)
    assert (run.paths[:, 0] == [-1, 0]).all()
    assert (run.paths[:, -1] == [1, 0]).all()
    assert run.paths[:, 1].std() > 0.05
    rows = lem_safe.sample(
        lambda x: x.square().sum(1),
        {"far": lambda x: 9 - x[:, 0]},
        beta=0,
        samples=8,
        steps=1,
        step_size=0.1,
        columns=["a", "b"],
    )
    with pytest.raises(BadInput, match="no paths"):
        print(rows.paths)
    with pytest.raises(BadInput, match="must be \\(waypoints, coordinates\\)"):
        lem_safe.sample(energy, {"long": long}, beta=0, shape=(8,), samples=8, steps=1, step_size=0.1)
