"""Modules saved by torch.export: the same values and gradients as the module itself."""

import copy
import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from exported_models import ARCHITECTURES, Confined, made, mlp, save
from torch import Tensor, nn

import lem_safe
from lem_safe import cli
from lem_safe.checkpoints import Exported
from lem_safe.errors import BadInput
from lem_safe.registry import make

SCENARIO = """
version: 1
name: from_a_module
energy: {{kind: exported, path: model.pt2{more}}}
columns: [speed, gap]
unsafe: {{fast: {{kind: rule, where: "speed > 1.5"}}}}
constraints: [{{set: fast, beta: 0.1}}]
sampler: {{kind: langevin, samples: 100, steps: 20, step_size: 0.05}}
filter: {{kind: gate}}
"""


def columns_of(name: str) -> int:
    return 8 if "8 columns" in name else 2


@pytest.fixture(scope="module", params=ARCHITECTURES)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    path = tmp_path_factory.mktemp("models") / "model.pt2"
    return request.param, save(made(request.param), path, columns_of(request.param))


def _own(module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    z = x.clone().requires_grad_()
    U = module(z).reshape(len(x))
    return U.detach(), torch.autograd.grad(U.sum(), z)[0]


def test_values_and_gradients_are_the_modules_for_any_number_of_rows(saved: tuple[str, Path]) -> None:
    name, path = saved
    energy, module = Exported(path).load(), made(name)
    for n in (1, 2, 37):
        x = 1.5 * torch.randn(n, columns_of(name), generator=torch.Generator().manual_seed(n))
        expected, slope = _own(module, x)
        value, gradient = energy.value_and_gradient(x)
        torch.testing.assert_close(value, expected, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(gradient, slope, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(energy(x), expected, rtol=1e-6, atol=1e-6)


def test_no_rows_have_no_values(saved: tuple[str, Path]) -> None:
    name, path = saved
    d = columns_of(name)
    value, gradient = Exported(path).load().value_and_gradient(torch.empty(0, d))
    assert value.shape == (0,) and gradient.shape == (0, d)


@pytest.mark.parametrize("name", ["silu", "residual", "batch normalisation"])
def test_a_float64_module_is_read_in_float64(name: str, tmp_path: Path) -> None:
    module = made(name, torch.float64)
    module.k = module.k.double()
    energy = Exported(save(module, tmp_path / "model.pt2")).load()
    x = torch.randn(9, 2, dtype=torch.float64)
    for found, expected in zip(energy.value_and_gradient(x), _own(module, x), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert energy(x.float()).dtype == torch.float32


def test_what_works_in_place_is_read_after_decomposition(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(inplace=True), nn.BatchNorm1d(8), nn.Linear(8, 1))
    module = Confined(net).eval()
    path = save(module, tmp_path / "model.pt2")
    with pytest.raises(BadInput, match=r"relu_\.default.*run_decompositions"):
        Exported(path).load()
    energy = Exported(save(module, path, plainly=True)).load()
    x = torch.randn(9, 2)
    torch.testing.assert_close(energy(x), module(x), rtol=1e-6, atol=1e-6)


def test_a_copy_and_a_laplacian(tmp_path: Path) -> None:
    path = save(made("silu"), tmp_path / "model.pt2")
    energy, x = Exported(path).load(), torch.randn(5, 2, dtype=torch.float64)
    module = made("silu", torch.float64)
    module.k = module.k.double()
    hessian = torch.stack([torch.autograd.functional.hessian(lambda y: module(y[None])[0], r) for r in x])
    torch.testing.assert_close(energy.laplacian(x), hessian.diagonal(dim1=1, dim2=2).sum(1))
    torch.testing.assert_close(copy.deepcopy(energy).double()(x), energy(x), rtol=0, atol=0)


@pytest.mark.simulation
def test_a_scenario_runs_a_saved_module_with_columns_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(made("silu"), tmp_path / "model.pt2")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    scenario = tmp_path / "s.yaml"
    scenario.write_text(SCENARIO.format(more=f", sha256: {digest}"))
    run = lem_safe.run(scenario, out=tmp_path / "run", with_report=False)
    again = lem_safe.sample(
        made("silu"),
        {"fast": {"kind": "rule", "where": "speed > 1.5"}},
        beta=0.1,
        samples=100,
        steps=20,
        step_size=0.05,
        columns=["speed", "gap"],
    )
    assert torch.allclose(torch.as_tensor(run.samples), torch.as_tensor(again.samples), atol=1e-4)
    scenario.write_text(SCENARIO.format(more=", sha256: " + "f" * 64))
    assert cli.main(["run", str(scenario), "--out", str(tmp_path / "no")]) == 2
    told = capsys.readouterr().err
    assert digest in told and "f" * 64 in told and str(path) in told and not (tmp_path / "no").exists()


def test_a_short_hash_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        Exported(tmp_path / "model.pt2", sha256="abc")


def training(layer: nn.Module) -> nn.Module:
    return Confined(nn.Sequential(nn.Linear(2, 8), layer, nn.Linear(8, 1))).train()


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Linear(2, 1), "U does not grow far out: along .* or write confined: false"),
        (
            Confined(nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 1))).train(),
            r"call \.eval\(\)",
        ),
        (training(nn.BatchNorm1d(8)), r"call \.eval\(\)"),
        (nn.Linear(2, 3), r"returns \[3, 3\] .* one number per row"),
        (nn.Bilinear(2, 2, 1), "not in the list"),
    ],
)
def test_modules_that_are_no_energies_are_refused(module: Any, message: str, tmp_path: Path) -> None:
    if isinstance(module, nn.Bilinear):
        bilinear, module = module, Confined(nn.Identity())
        module.net.forward = lambda x: bilinear(x, x)
    path = save(module, tmp_path / "model.pt2")
    with pytest.raises(BadInput, match=message) as refused:
        Exported(path).load()
    assert refused.value.faults[0].file == str(path)


def test_an_export_for_one_batch_size_is_refused(tmp_path: Path) -> None:
    path = save(made("silu"), tmp_path / "model.pt2", rows=None)
    with pytest.raises(BadInput, match="any number"):
        Exported(path).load()


def test_a_center_of_another_dimension_is_refused_before_a_run(tmp_path: Path) -> None:
    path = save(made("silu"), tmp_path / "model.pt2")
    with pytest.raises(BadInput, match="takes 2 columns; center has 3 numbers"):
        assert Exported(path, center=[0.0, 1.0, 2.0]).columns
    far = Exported(path, center=[30.0, 40.0]).load()
    torch.testing.assert_close(
        far.typical_points().mean(0), torch.tensor([30.0, 40.0]).double(), atol=1, rtol=0
    )


@pytest.mark.simulation
def test_a_region_is_a_level_of_a_saved_module(tmp_path: Path) -> None:
    """The audit makes its regions again from what the run wrote."""
    module = made("silu")
    save(module, tmp_path / "model.pt2")
    scenario = tmp_path / "s.yaml"
    region = "{kind: sublevel, energy: {kind: exported, path: model.pt2}, level: 0.2}"
    scenario.write_text(SCENARIO.format(more="").replace('{kind: rule, where: "speed > 1.5"}', region))
    run = lem_safe.run(scenario, out=tmp_path / "run", with_report=False)
    inside = module(torch.as_tensor(run.samples).float()) <= 0.2
    (found,) = run.report.constraints
    assert 0 < int(inside.sum()) == found.violations


def test_a_part_of_a_composition_need_not_be_confined(tmp_path: Path) -> None:
    path = save(mlp(), tmp_path / "model.pt2")
    part = {"kind": "exported", "path": path, "confined": False}
    spec = {"kind": "composed", "energies": [part, {"kind": "gaussian", "mean": [0.0, 0.0], "std": 1.0}]}
    made_ = make("energies", spec, learned=lambda found, _: found.load())
    assert not made_.surely_integrable() and made_.dimension == 2  # a run examines the sum
