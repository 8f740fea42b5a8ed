"""docs/tables.md: its scenario runs as it stands, with its variants."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

import lem_safe
from lem_safe.authoring.explain import explain
from lem_safe.registry import load

PAGE = (Path(__file__).parents[2] / "docs" / "tables.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```(\w*) ?([^\n]*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    (head,) = (text.splitlines()[0] for kind, _, text in FENCES if kind == "csv")
    rng, lines = np.random.default_rng(0), [head]
    for i in range(300):
        sent, rating = f"2021-03-{1 + i % 20 + rng.integers(0, 9):02d}", ["", "3", "5"][rng.integers(0, 3)]
        kind, price = ("new", 10 + rng.gamma(2, 9)) if i % 3 else ("used", 1 + rng.gamma(2, 5))
        lines.append(f"{kind},{price:.2f},{1 + rng.integers(0, 9)},2021-03-{1 + i % 20:02d},{sent},{rating}")
    (tmp_path / "orders.csv").write_text("\n".join(lines) + "\n")
    (text,) = (text for _, name, text in FENCES if name == "orders.yaml")
    path = tmp_path / "orders.yaml"
    path.write_text(text)
    return path


@pytest.mark.simulation
def test_the_scenario_of_the_page_passes_in_the_file(scenario: Path) -> None:
    run = lem_safe.run(scenario, out=scenario.parent / "run", steps=15, with_report=False)
    assert run.report.passed
    with (run.directory / "samples.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 500
    assert not any(row["sent"] < row["ordered"] for row in rows)
    assert not any(row["kind"] == "new" and float(row["price"]) < 10 for row in rows)


def test_its_columns_and_given_values_load_and_are_explained(scenario: Path) -> None:
    yaml, whole = YAML(typ="safe"), scenario.read_text()
    (columns,) = (text for _, _, text in FENCES if text.startswith("data:"))
    (given,) = (text for _, _, text in FENCES if text.startswith("given:"))
    content = yaml.load(whole)
    content["energy"]["data"] = yaml.load(columns)["data"]
    with scenario.open("w") as file:
        yaml.dump(content | yaml.load(given), file)
    said = explain(load(scenario))
    said = " ".join(said.split())
    assert "`items`: a whole number: 1, 2, 3," in said
    assert "a number with at most 2 decimals" in said
    assert "All samples have kind new, price 12.5, rating missing." in said
    assert "one of new, used" in said


def test_its_computed_columns_are_computed(scenario: Path) -> None:
    """Of the same table with the columns of its example."""
    (derived,) = (text for _, _, text in FENCES if text.startswith("derived: {"))
    data = scenario.parent / "orders.csv"
    head, *lines = data.read_text().splitlines()
    rows = [line.split(",") for line in lines]
    more = [
        f"{float(price) * int(items):.2f},{int(sent[-2:]) - int(ordered[-2:])},"
        f"{'yes' if int(items) >= 5 else 'no'}"
        for _, price, items, ordered, sent, _ in rows
    ]
    text = "\n".join(f"{line},{new}" for line, new in zip(lines, more, strict=True))
    data.write_text(f"{head},total,wait,large\n{text}\n")
    whole = re.sub(r"^derived: .*\n", derived, scenario.read_text(), flags=re.MULTILINE)
    scenario.write_text(whole)
    said = " ".join(explain(load(scenario)).split())
    assert "Computed: total = price * items, true in all 300 rows" in said
    assert "Computed: wait = sent - ordered, true in all 300 rows" in said
    assert "Computed: large = items >= 5, true in all 300 rows" in said
