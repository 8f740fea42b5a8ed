"""A checkpoint is what its metadata promise, or is refused before anything of its size is made; a damaged
cache is trained again.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors
import torch
from safetensors.torch import load_file, save_file

from barriers.coordinates import identity
from lem_safe.checkpoints import Checkpoint, opened
from lem_safe.energies import NETWORKS, Transported
from lem_safe.errors import BadInput
from lem_safe.training.checkpoint import describe, load_energy, network_of, save_energy
from lem_safe.training.trained import Trained

NET: dict[str, Any] = {"kind": "mlp", "hidden": 4, "depth": 2}
OTHERS: dict[str, tuple[dict[str, Any], int]] = {
    "residual": ({"kind": "residual", "hidden": 4, "depth": 2}, 2),
    "fourier": ({"kind": "fourier", "count": 3, "network": NET}, 2),
    "mixture_base": ({"kind": "mixture_base", "components": 2, "hidden": 4, "depth": 2}, 2),
    "convolutional": ({"kind": "convolutional", "image": [1, 4, 4], "channels": [2], "hidden": 4}, 16),
}


def written(path: Path, network: dict[str, Any] = NET, columns: int = 2) -> Path:
    made = network_of(network)
    energy = Transported(made.build(columns, torch.Generator().manual_seed(0)), identity(columns))
    names = [f"x{i}" for i in range(columns)]
    save_energy(energy, path, {"network": describe(made, NETWORKS.kind_of(made)), "columns": names})
    return path


def changed(path: Path, **text: str) -> None:
    with safetensors.safe_open(path, framework="pt") as file:
        before = dict(file.metadata() or {})
    save_file(load_file(path), path, {**before, **text})


@pytest.mark.parametrize("kind", OTHERS)
def test_every_network_that_is_written_is_read(kind: str, tmp_path: Path) -> None:
    network, columns = OTHERS[kind]
    assert len(load_energy(written(tmp_path / "e.safetensors", network, columns)).columns) == columns


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ([], "does not hold what its metadata promise"),
        ("mlp", "does not hold what its metadata promise"),
        (5, "does not hold what its metadata promise"),
        (None, "does not hold what its metadata promise"),
        ({**NET, "depth": 10**9}, "depth is 1,000,000,000, and its tensors have no dimension of that size"),
        ({**NET, "hidden": 10**5}, "hidden is 100,000"),
        ({**NET, "depth": 3}, "must have shape"),
        ({**NET, "hidden": -4}, "must be >= 1"),
        ({**NET, "activation": "nope"}, "activation must be one of"),
        ({"kind": []}, "does not hold what its metadata promise"),
        ({"kind": "mixture_base", "components": 2, "hidden": 3000, "depth": 4}, "ask for 27,006,004 numbers"),
    ],
)
def test_metadata_that_cannot_be_are_refused_at_once(network: Any, words: str, tmp_path: Path) -> None:
    path = written(tmp_path / "e.safetensors")
    changed(path, network=json.dumps(network))
    began = time.process_time()
    with pytest.raises(BadInput, match=words):
        load_energy(path)
    with pytest.raises(BadInput, match="does not hold what its metadata promise"):  # as `validate` asks
        assert Checkpoint(path).columns
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "columns", [[f"x{i}" for i in range(10**5)], ["x0"], ["x0", "x0"], [0, 1], "ab", {"a": 1, "b": 2}, []]
)
def test_columns_that_cannot_be_are_refused(columns: Any, tmp_path: Path) -> None:
    path = written(tmp_path / "e.safetensors")
    changed(path, columns=json.dumps(columns))
    with pytest.raises(BadInput, match="columns"):
        load_energy(path)


def itself() -> Any:
    value: dict[str, Any] = {"w": torch.zeros(1)}
    value["again"] = value
    return value


def doubled() -> Any:
    value: Any = {"w": torch.zeros(1)}
    for _ in range(18):
        value = {"a": value, "b": value}
    return value


@pytest.mark.parametrize("made", [itself, doubled])
def test_dictionaries_without_an_end_are_refused(made: Callable[[], Any], tmp_path: Path) -> None:
    torch.save(made(), tmp_path / "e.pt")
    with pytest.raises(BadInput, match="must hold at most 100,000 values"):
        opened(tmp_path / "e.pt")


def test_a_damaged_cache_is_trained_again_and_said(tmp_path: Path) -> None:
    from lem_safe.data.distributions import EightGaussians
    from lem_safe.energies import MLP
    from lem_safe.training.settings import TrainingSettings

    quick = Trained(EightGaussians(samples=60), MLP(4, 1), None, TrainingSettings(steps=2, batch_size=16))
    said: list[str] = []
    quick.load_or_train(0, tmp_path, say=said.append)
    good = quick.path(0, tmp_path).read_bytes()
    for content in (b"", good[:-40], good.replace(b"mlp", b"nlp")):
        quick.path(0, tmp_path).write_bytes(content)
        assert quick.load_or_train(0, tmp_path, say=said.append)[1] == "trained"
    assert len(said) == 3 and all("so the energy is trained again: " in line for line in said)
    quick.path(0, tmp_path).unlink()
    quick.path(0, tmp_path).mkdir()
    with pytest.raises(BadInput, match="is a directory where the cache keeps a file"):
        quick.load_or_train(0, tmp_path, say=said.append)
