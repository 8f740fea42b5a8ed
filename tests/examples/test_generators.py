"""The examples of guards in generators, with short training: the counts hold whatever the network is."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name: str) -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


@pytest.mark.simulation
@pytest.mark.parametrize(("name", "region"), [("ddpm", "PILLAR"), ("flow_matching", "WALL")])
def test_a_guarded_generator_keeps_its_budget(
    name: str, region: str, capsys: pytest.CaptureFixture[str]
) -> None:
    held = example(name)
    result = held["main"](steps=100, particles=400)
    told = capsys.readouterr().out
    assert int(held[region].contains(result.x).sum()) <= int(held["BETA"] * 400) < 0.02 * 400
    assert result.unguarded > 2 * held["BETA"] and "PASSED" in told


@pytest.mark.simulation
def test_every_kind_keeps_its_count_down_a_noise_schedule(capsys: pytest.CaptureFixture[str]) -> None:
    result = example("edm")["main"](steps=100, particles=400)
    assert all(result.passed.values()) and set(result.passed) == {"gate", "step", "reject"}
    assert result.fractions["no guard"] > 0.04 and result.fractions["reject"] == 0
    assert max(result.fractions["gate"], result.fractions["step"]) <= 0.02


@pytest.mark.simulation
def test_a_functional_loop_samples_the_projection(capsys: pytest.CaptureFixture[str]) -> None:
    held = example("functional_loop")
    result = held["main"](steps=150, particles=2000)
    outside = result.x[~held["unsafe"](result.x), 0] ** 2
    assert isinstance(result.x, np.ndarray) and len(outside) >= 1800
    assert abs(result.found - result.exact) < 4 * outside.std() / len(outside) ** 0.5
    assert "PASSED" in capsys.readouterr().out


def test_a_step_of_another_library_is_guarded(capsys: pytest.CaptureFixture[str]) -> None:
    held = example("other_libraries")
    noise = 2**0.5 * held["STEP"] ** 0.5

    def step(x: torch.Tensor) -> torch.Tensor:  # as theirs: detached, with noise of its own
        y = x.detach().requires_grad_()
        (g,) = torch.autograd.grad(held["energy"](y).sum(), y)
        return x.detach() - held["STEP"] * g + noise * torch.randn_like(x)

    kept = held["chain"](step, 60, 300)
    assert kept.guarded == 6 < kept.unguarded  # the whole of its budget
    found = held["main"](steps=20, particles=200)
    told = capsys.readouterr().out
    for name in held["LIBRARIES"]:  # each is guarded where it is installed, and named where it is not
        assert found[name].guarded <= 4 if name in found else f"pip install --no-deps {name}" in told


@pytest.mark.parametrize("name", ["ddpm", "edm", "flow_matching", "functional_loop", "other_libraries"])
def test_the_command_is_in_the_docstring(name: str) -> None:
    assert f"python examples/{name}.py [--steps N]" in (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
