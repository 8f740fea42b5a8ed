"""The page on orders: every command of its tutorial runs, in order; and the promises in plain Python find
what the scenario's rules find.
"""

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

pytest.importorskip("benchmarks")
import lem_safe
from benchmarks.gallery import order_table as table
from benchmarks.gallery import page
from benchmarks.gallery.likeness import told_apart
from lem_safe import cli
from lem_safe.scenario import bundled_scenarios

pytestmark = pytest.mark.simulation

PAGE = (page.DOCS / "rows_that_obey.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.partition("## From CSV")[2], re.DOTALL | re.MULTILINE)
LESS = {"training": {"steps": 5}, "sampler": {"samples": 400, "steps": 10}, "beta": 0.02}
"""What the test changes of the scenario, to be quick."""


def edited(path: Path) -> None:
    """What the page says to write, written into the scenario that `new` began."""
    yaml = YAML()
    whole = yaml.load(path.read_text())
    for kind, text in FENCES:
        if kind == "yaml":
            said: dict[str, Any] = yaml.load(text)
            whole["energy"] |= {"data": said.pop("data")} if "data" in said else {}
            whole |= said
    whole["energy"]["training"] |= LESS["training"]
    whole["sampler"] |= LESS["sampler"]
    whole["constraints"][0]["beta"] = LESS["beta"]
    with path.open("w") as file:
        yaml.dump(whole, file)


def test_every_command_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("lem_safe.runs.runner.render", lambda directory: directory / "report.html")
    monkeypatch.setattr("lem_safe.report.render", lambda directory: directory / "report.html")
    said: dict[str, str] = {}
    for kind, text in FENCES:
        for line in text.splitlines() if kind == "shell" else ():
            _, verb, *rest = shlex.split(line)
            if verb == "explain":
                edited(tmp_path / "orders.yaml")
            assert cli.main([verb, *rest]) == 0, line
            said[verb] = " ".join(capsys.readouterr().out.split())
        for line in text.splitlines() if kind == "text" else ():
            assert line.replace("0.1 %", "2 %") in said["explain"]
    assert list(said) == ["new", "explain", "run", "audit", "certify", "verify"]
    assert "PASSED orders" in said["run"] and "PASSED orders" in said["audit"]
    assert "CERTIFIED orders" in said["certify"] and said["verify"].startswith("VERIFIED")
    for where in ("made", "certified"):
        rows = table.read(tmp_path / where / "samples.csv")
        bad = [row for row in rows if table.PROMISES["too_early"](row) or table.PROMISES["stranger"](row)]
        assert len(rows) >= 400 and not bad and all(map(table.adds_up, rows))


def test_the_promises_in_plain_python_are_the_rules(tmp_path: Path) -> None:
    """On orders with cells of other orders in their place."""
    names, rng, path = list(table.PROMISES), np.random.default_rng(0), tmp_path / "mixed.csv"
    rows = table.read(bundled_scenarios()["rows_that_obey"].parent / "data" / "orders.csv")
    mixed = [{name: rows[rng.integers(len(rows))][name] for name in table.COLUMNS} for _ in range(600)]
    lines = [",".join(table.COLUMNS), *(",".join(row.values()) for row in mixed)]
    path.write_text("\n".join(lines) + "\n")
    bundled = YAML(typ="safe").load(bundled_scenarios()["rows_that_obey"].read_text())
    rules = {"version": 1, "name": "rules", "unsafe": bundled["unsafe"], "derived": bundled["derived"]}
    assert list(rules["unsafe"]) == [*names, "any_promise"]
    with (tmp_path / "rules.yaml").open("w") as file:
        YAML().dump({**rules, "constraints": [{"set": name, "beta": 0} for name in names]}, file)
    found = lem_safe.audit(path, tmp_path / "rules.yaml", missing="keep")
    counts = {c.set: c.violations for c in found.constraints}
    assert counts == {name: sum(map(breaks, mixed)) for name, breaks in table.PROMISES.items()}
    assert all(counts.values()) and not any(map(table.broken, rows)) and all(map(table.adds_up, rows))


def test_rows_of_one_distribution_cannot_be_told_apart_and_others_can() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 800, 3))
    assert abs(told_apart(a, b) - 0.5) < 4 * (1 / 6 / 800) ** 0.5  # σ of an AUC without information
    assert told_apart(a, b + 3) > 0.98
