"""Hostile and damaged .pt2 files: exit 2 with the file and the reason, nothing executed, and quickly."""

import contextlib
import os
import pickle
import random
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from exported_models import changed, in_json, made, save

from lem_safe import cli
from lem_safe.checkpoints import Exported
from lem_safe.checkpoints.exported.operators import ALLOWED, PREFIX
from lem_safe.errors import BadInput

MODEL, WEIGHTS = "models/model.json", "data/weights/model_weights_config.json"
TRAP = "__import__('os').mkdir('{}')"
SCENARIO = """
version: 1
name: hostile
energy: {{kind: exported, path: {path}}}
unsafe: {{far: {{kind: half_space, normal: [1, 0], offset: 3}}}}
constraints: [{{set: far, beta: 0.1}}]
sampler: {{kind: langevin, samples: 20, steps: 5, step_size: 0.01}}
"""


class Trap:
    """Makes a directory when it is unpickled."""

    def __init__(self, path: Path):
        self.path = str(path)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(made("silu"), tmp_path_factory.mktemp("good") / "model.pt2")


def first(nodes: list[Any], target: str) -> Any:
    return next(node for node in nodes if target in node["target"])


def graph(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, bytes]], None]:
    return in_json(MODEL, lambda held: change(held["graph_module"]["graph"]))


def weight(change: Callable[[dict[str, Any]], Any], of: str = "net.0.weight") -> Callable[..., None]:
    return in_json(WEIGHTS, lambda held: change(held["config"][of]))


def sizes(*numbers: int) -> list[dict[str, int]]:
    return [{"as_int": n} for n in numbers]


def node(target: str, **arguments: Any) -> dict[str, Any]:
    inputs = [{"name": name, "arg": value, "kind": 1} for name, value in arguments.items()]
    return {"target": target, "inputs": inputs, "outputs": [{"as_tensor": {"name": "new"}}], "metadata": {}}


X = {"as_tensor": {"name": "x"}}
CHANGES: dict[str, tuple[Callable[..., Any], str]] = {
    "an unknown operator": (
        graph(lambda g: first(g["nodes"], "silu").update(target="torch.ops.mine.evil.default")),
        "torch.ops.mine.evil.default, which is not in the list",
    ),
    "a function of os": (
        graph(lambda g: first(g["nodes"], "silu").update(target="torch.os.system")),
        "torch.os.system, which is not in the list",
    ),
    "an attribute of an operator": (
        graph(lambda g: first(g["nodes"], "silu").update(target="torch.ops.aten.silu.__class__")),
        "not in the list",
    ),
    "a cycle": (
        graph(lambda g: g["nodes"].reverse()),
        "which no earlier operator defines",
    ),
    "a name defined twice": (graph(lambda g: g["nodes"].append(g["nodes"][0])), "twice"),
    "a value that does not exist": (
        graph(lambda g: first(g["nodes"], "silu")["inputs"][0]["arg"]["as_tensor"].update(name="y")),
        "'y', which no earlier operator defines",
    ),
    "an argument the operator does not have": (
        graph(lambda g: first(g["nodes"], "silu")["inputs"][0].update(name="out")),
        "the operator silu.default fails",
    ),
    "a subgraph": (
        graph(lambda g: first(g["nodes"], "silu")["inputs"][0].update(arg={"as_graph": {}})),
        "as_graph",
    ),
    "a huge value": (
        graph(
            lambda g: g["nodes"].append(
                node("torch.ops.aten.repeat.default", self=X, repeats={"as_ints": [1, 10**9]})
            )
        ),
        "numbers of 3 rows; at most",
    ),
    "a huge factory": (
        graph(
            lambda g: g["nodes"].append(
                node("torch.ops.aten.zeros.default", size={"as_ints": [10**6, 10**6]})
            )
        ),
        "at most",
    ),
    "an integer beyond 64 bits": (
        graph(lambda g: first(g["nodes"], "sum")["inputs"][1]["arg"].update(as_ints=[10**30])),
        "64 bits",
    ),
    "NaN as an argument": (
        graph(
            lambda g: g["nodes"].append(node("torch.ops.aten.mul.Scalar", self=X, other={"as_float": "NaN"}))
        ),
        "not a number",
    ),
    "two models": (lambda m: m.update({"models/other.json": m[MODEL]}), "must hold one model"),
    "JSON that is none": (lambda m: m.update({MODEL: m[MODEL][:500]}), "is not JSON"),
    "JSON nested without end": (lambda m: m.update({MODEL: b"[" * 10**6}), "is not JSON"),
    "a list for a mapping": (lambda m: m.update({MODEL: b"[]"}), "is not a mapping"),
    "no graph": (in_json(MODEL, lambda held: held["graph_module"].pop("graph")), "'graph' is missing"),
    "another result": (
        in_json(
            MODEL,
            lambda held: held["graph_module"]["signature"]["output_specs"][0]["user_output"]["arg"].update(
                as_tensor={"name": "linear"}
            ),
        ),
        "one number per row",
    ),
    "NaN weights": (
        lambda m: m.update({"data/weights/weight_0": struct.pack("<f", float("nan")) * 32}),
        "net.0.weight must hold finite numbers",
    ),
    "a weight that is too short": (
        lambda m: m.update({"data/weights/weight_0": m["data/weights/weight_0"][:-4]}),
        "net.0.weight claims 32 numbers",
    ),
    "a weight of bytes that are no numbers": (
        lambda m: m.update({"data/weights/weight_0": b"abc"}),
        "damaged|buffer size",
    ),
    "a billion numbers from four bytes": (
        weight(lambda p: p["tensor_meta"].update(sizes=sizes(10**9, 2), strides=sizes(0, 0))),
        "claims 2,000,000,000 numbers",
    ),
    "a shape beyond the bytes": (
        weight(lambda p: p["tensor_meta"].update(strides=sizes(1000, 1))),
        "its bytes hold 32",
    ),
    "a negative offset": (
        weight(lambda p: p["tensor_meta"].update(storage_offset={"as_int": -8})),
        "no valid shape",
    ),
    "half precision": (weight(lambda p: p["tensor_meta"].update(dtype=6)), "float16"),
    "a dtype that does not exist": (weight(lambda p: p["tensor_meta"].update(dtype=99)), "number 99"),
    "another dtype than it has": (weight(lambda p: p["tensor_meta"].update(dtype=8)), "claims 32 numbers"),
    "a sparse weight": (weight(lambda p: p["tensor_meta"].update(layout=1)), "sparse"),
    "a weight of another file": (
        weight(lambda p: p.update(path_name="../../models/model.json")),
        "no member",
    ),
    "a missing weight": (
        in_json(WEIGHTS, lambda held: held["config"].pop("net.0.weight")),
        "holds no tensor 'net.0.weight'",
    ),
    "a name that leaves the archive": (lambda m: m.update({"!../evil": b""}), "leaves the archive"),
    "an absolute name": (lambda m: m.update({"!/tmp/evil": b""}), "leaves the archive"),
    "two archives in one": (lambda m: m.update({"!other/archive_format": b"pt2"}), "not an archive of torch"),
    "another format": (lambda m: m.update({"archive_format": b"pt1"}), "not pt2"),
    "big-endian": (lambda m: m.update({"byteorder": b"big"}), "little-endian"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_archive_is_refused_by_name(name: str, good: Path, tmp_path: Path) -> None:
    change, message = CHANGES[name]
    path = changed(good, tmp_path / "model.pt2", change)
    began = time.process_time()
    with pytest.raises(BadInput, match=message) as refused:
        Exported(path).load()
    assert refused.value.faults[0].file == str(path)
    assert time.process_time() - began < 2


def pickled(trap: Path) -> bytes:
    return pickle.dumps(Trap(trap))


EXECUTED: dict[str, tuple[Callable[[Path], Callable[..., Any]], str]] = {
    "an expression of a shape": (
        lambda trap: graph(
            lambda g: g["tensor_values"]["x"]["sizes"][0]["as_expr"].update(expr_str=TRAP.format(trap))
        ),
        "which torch would evaluate as code",
    ),
    "an expression somewhere else": (
        lambda trap: in_json(
            MODEL, lambda held: held.update(range_constraints={"s": {"expr_str": f"().{TRAP.format(trap)}"}})
        ),
        "which torch would evaluate as code",
    ),
    "an attribute in an expression": (
        lambda trap: graph(
            lambda g: g["tensor_values"]["x"]["sizes"][0]["as_expr"].update(expr_str="s77.func.mro")
        ),
        "which torch would evaluate as code",
    ),
    "a pickled weight": (
        lambda trap: (
            lambda m: (
                weight(lambda p: p.update(use_pickle=True))(m),
                m.update({"data/weights/weight_0": pickled(trap)}),
            )
        ),
        "net.0.weight is pickled",
    ),
    "a custom object": (
        lambda trap: (
            lambda m: (
                in_json(
                    "data/constants/model_constants_config.json",
                    lambda held: held["config"].update(
                        evil={"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True}
                    ),
                )(m),
                m.update({"data/constants/opaque_obj_0": pickled(trap)}),
            )
        ),
        "evil is pickled",
    ),
}


@pytest.mark.parametrize("name", EXECUTED)
def test_what_torch_would_execute_is_refused_and_not_executed(name: str, good: Path, tmp_path: Path) -> None:
    change, message = EXECUTED[name]
    trap = tmp_path / "executed"
    path = changed(good, tmp_path / "model.pt2", change(trap))
    with pytest.raises(BadInput, match=message):
        Exported(path).load()
    assert not trap.exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_the_traps_are_real(tmp_path: Path, good: Path) -> None:
    """torch's own reader runs them: pickled sample inputs, of every file, and shapes."""
    trap = tmp_path / "executed"
    inputs = "data/sample_inputs/model.pt"
    path = changed(good, tmp_path / "model.pt2", lambda m: m.update({inputs: pickled(trap)}))
    x = torch.randn(3, 2)
    assert torch.equal(Exported(path).load()(x), Exported(good).load()(x)) and not trap.exists()
    with contextlib.suppress(Exception):
        torch.export.load(path)
    assert trap.exists()


def test_a_hostile_file_ends_with_2(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trap, out, scenario = tmp_path / "executed", tmp_path / "out", tmp_path / "s.yaml"
    path = changed(good, tmp_path / "model.pt2", EXECUTED["a pickled weight"][0](trap))
    scenario.write_text(SCENARIO.format(path=path))
    for command in (["validate", str(scenario)], ["run", str(scenario), "--out", str(out)]):
        assert cli.main(command) == 2
        told = capsys.readouterr()
        assert str(path) in told.err and "pickled" in told.err and "Traceback" not in told.err
    assert not trap.exists() and not out.exists()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_refused(share: float, good: Path, tmp_path: Path) -> None:
    path, content = tmp_path / "model.pt2", good.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(BadInput, match="not a complete .pt2 archive|not an archive"):
        Exported(path).load()


def test_every_damaged_byte_is_refused_or_harmless(good: Path, tmp_path: Path) -> None:
    path, content = tmp_path / "model.pt2", good.read_bytes()
    for at in range(7, len(content), len(content) // 60):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        try:
            Exported(path).load()
        except BadInput as refused:
            assert refused.faults[0].file == str(path)


EXTREMES = [0, -1, 3, 10**6, 2**31, 2**62, 2**63 - 1, -(2**63) + 1]


def scrambled(chance: random.Random) -> Callable[[dict[str, bytes]], None]:
    """One operator replaced by another, or its integers by extreme ones, or an argument removed."""

    def change(held: dict[str, Any]) -> None:
        chosen = chance.choice(held["graph_module"]["graph"]["nodes"])
        arguments = [argument["arg"] for argument in chosen["inputs"]]
        for argument in arguments:
            if "as_int" in argument:
                argument["as_int"] = chance.choice(EXTREMES)
            if "as_ints" in argument:
                argument["as_ints"] = [chance.choice(EXTREMES) for _ in range(chance.randrange(4))]
        if chance.random() < 0.5:
            chosen["target"] = PREFIX + chance.choice(sorted(ALLOWED))
        elif chance.random() < 0.3:
            chosen["inputs"].pop()

    return in_json(MODEL, change)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["residual", "convolution of 8 columns", "batch normalisation"])
def test_scrambled_operators_are_refused_or_harmless(name: str, tmp_path: Path) -> None:
    path = save(made(name), tmp_path / "model.pt2", 8 if "8" in name else 2)
    chance = random.Random(0)
    for _ in range(60):
        with contextlib.suppress(BadInput):
            Exported(changed(path, tmp_path / "scrambled.pt2", scrambled(chance))).load()


def test_a_zip_bomb_is_refused(good: Path, tmp_path: Path) -> None:
    path = changed(
        good,
        tmp_path / "model.pt2",
        lambda m: m.update({MODEL: b" " * 10**7}),
        compression=zipfile.ZIP_DEFLATED,
    )
    with pytest.raises(BadInput, match="compressed|bytes can hold"):
        Exported(path).load()


@pytest.mark.parametrize("what", ["missing", "a directory", "of torch.save", "text"])
def test_other_files_are_refused(what: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    if what == "a directory":
        path.mkdir()
    elif what == "of torch.save":
        torch.save({"w": torch.zeros(3)}, path)
    elif what == "text":
        path.write_text("hello")
    with pytest.raises(BadInput) as refused:
        Exported(path).load()
    assert refused.value.faults[0].file == str(path)
