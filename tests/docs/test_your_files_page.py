"""docs/your-files.md: every example is read as the page says, by training and by an audit alike."""

import csv
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML
from scenario_texts import GOOD

from barriers.sets import Rule
from barriers.tables import TableFormat
from lem_safe.auditor.opening import open_samples
from lem_safe.data import FileTable
from lem_safe.errors import BadInput
from lem_safe.registry import loads

PAGE = (Path(__file__).parents[2] / "docs" / "your-files.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Example(NamedTuple):
    """What a scenario says of a file, and what comes of it: rows, or words of a refusal."""

    data: dict[str, object]
    expected: str
    refused: bool


def fences() -> list[tuple[str, str, str]]:
    return FENCE.findall(PAGE)


def examples() -> list[Example]:
    found, said = [], None
    for kind, _, text in fences():
        if kind == "yaml":
            said = YAML(typ="safe").load(text).get("data")
        elif kind in ("rows", "refused"):
            assert said is not None
            found.append(Example(said, text, kind == "refused"))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("files")
    for kind, name, text in fences():
        if kind == "text":
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
    return root


def trained_on(folder: Path, data: dict[str, object]) -> FileTable:
    keys = {key: value for key, value in data.items() if key not in ("kind", "path")}
    return FileTable(folder / str(data["path"]), **keys)


def audited(folder: Path, data: dict[str, object], names: tuple[str, ...] | None) -> np.ndarray:
    """The same columns as an audit reads them; all of them where none are named."""
    keys = {key: data[key] for key in ("header", "separator", "decimal", "missing") if key in data}
    samples = open_samples(folder / str(data["path"]), None, TableFormat(**keys))
    own = samples.rows.columns
    samples.rows.settle(names)
    wanted = names if names is not None else own or range(samples.rows.width)
    order = [i if own is None else own.index(name) for i, name in enumerate(wanted)]
    return np.concatenate([block.x.numpy() for block in samples.blocks(order, None)])


@pytest.mark.parametrize("example", examples(), ids=lambda e: f"{e.data['path']}-{len(e.data)}")
def test_every_example(example: Example, folder: Path) -> None:
    if example.refused:
        readers = (
            lambda: trained_on(folder, example.data).columns,
            lambda: audited(folder, example.data, None),
        )
        for read in readers:
            with pytest.raises(BadInput) as caught:
                read()
            assert all(line in str(caught.value) for line in example.expected.splitlines())
        return
    head, *lines = example.expected.splitlines()
    dropped = [int(line.split()[1]) for line in lines if line.startswith("dropped")]
    rows = [[float(cell) for cell in row] for row in csv.reader(lines) if not row[0].startswith("dropped")]
    source = trained_on(folder, example.data)
    names = tuple(head.split(",")) if head else tuple(f"x{i}" for i in range(len(rows[0])))
    assert source.columns == names
    assert source.load(0).values.tolist() == rows and source.load(0).dropped == sum(dropped)
    assert audited(folder, example.data, names).tolist() == rows


def test_the_rule_means_the_columns_of_the_file(folder: Path) -> None:
    (rule,) = (text for kind, _, text in fences() if kind == "rule")
    source = FileTable(folder / "air.csv", ["class", "PM2.5"])
    assert Rule(rule, source.columns).contains(source.load(0).values).tolist() == [True, False]
    assert Rule(rule, ["PM2.5", "class"]).contains(torch.tensor([[31.0, 1.0], [31.0, 2.0]])).tolist() == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("written", "said"),
    re.findall(r"^\| `((?:beta|samples|step_size): [^`]+)` \| (.*) \|$", PAGE, re.MULTILINE),
)
def test_numbers_in_a_scenario(written: str, said: str) -> None:
    key, _, value = written.partition(": ")
    text = GOOD.replace(
        "sampler: {kind: langevin, samples: 100, steps: 10, step_size: 1e-2}",
        "sampler:\n  kind: langevin\n  samples: 100,\n  steps: 10\n  step_size: 1e-2",
    ).replace("  - {set: both, beta: 0.03}", "  - set: both\n    beta: 0.03")
    old = {"beta": "beta: 0.03", "samples": "samples: 100,", "step_size": "step_size: 1e-2"}[key]
    assert text.count(old) == 1
    text = text.replace(old, written).replace("samples: 100,", "samples: 100")
    with pytest.raises(BadInput) as caught:
        loads(text)
    assert [said in fault.message and value.strip('"') in fault.message for fault in caught.value.faults] == [
        True
    ]


def test_the_folded_rule_is_read() -> None:
    (folded,) = (text for kind, _, text in fences() if kind == "yaml" and "where: >" in text)
    text = GOOD.replace("  both: {any: [near, wall]}", folded.removeprefix("unsafe:\n")).replace(
        "both", "corner"
    )
    assert loads(text).unsafe["corner"]["where"].split() == ["x0", ">", "1", "and", "x1", ">", "1"]
