"""A scenario whose rules truncate the rows of its table (E.31): what it says, refuses and keeps."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lem_safe
from lem_safe.authoring.explain import explain
from lem_safe.errors import BadInput
from lem_safe.registry import make
from lem_safe.scenario import Scenario
from lem_safe.training import Trained

TEXT = """
version: 1
name: orders
{columns}
energy:
  kind: trained
  data: {{kind: file, path: orders.csv, missing: keep}}
  network: {{kind: {network}, {most}hidden: 8, depth: 1}}
  training: {{steps: 3, batch_size: 64}}
  truncated: {{by: [{by}]}}
derived: {{gain: {cost}}}
unsafe:
  cheap: {{kind: rule, require: "if kind == 'new' then {gain} >= {least}"}}
  early: {{kind: rule, where: "end < start"}}
  either: {{any: [cheap, early]}}
  other: {{kind: rule, where: "size > {size}"}}
constraints: [{{set: either, beta: {beta}}}, {{set: other, beta: 0.9}}]
sampler: {{kind: mixed, samples: 300, steps: 20, step_size: 0.05}}
filter: {{kind: gate}}
monitors: {{samples: 0}}
"""

GIVEN = {
    "columns": "",
    "network": "mixture_base",
    "most": "components: 2, ",
    "by": "either",
    "cost": "price - cost",
    "gain": "gain",
    "least": 1,
    "size": 9,
    "beta": 0,
}


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """Rows with gain >= 1 where kind is new, and no end before its start."""
    rng, lines = np.random.default_rng(0), ["kind,price,cost,start,end,size"]
    while len(lines) < 400:
        kind, cost, gain = rng.choice(["new", "old"]), rng.normal(5, 1), rng.normal(1, 1)
        start, days = date(2024, 1, 1) + timedelta(int(rng.integers(0, 30))), int(rng.normal(2, 4))
        if (kind == "old" or round(cost + gain, 2) - round(cost, 2) >= 1) and days >= 0:
            size = "" if rng.random() < 0.2 else f"{rng.normal():.1f}"
            lines.append(f"{kind},{cost + gain:.2f},{cost:.2f},{start},{start + timedelta(days)},{size}")
    (tmp_path / "orders.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def loaded(directory: Path, **own: Any) -> Scenario:
    path = directory / "orders.yaml"
    path.write_text(TEXT.format(**GIVEN | own))
    return lem_safe.load(path)


def trained(scenario: Scenario) -> Trained:
    made: Trained = make("energies", scenario.energy)
    return made


def test_it_runs_and_says_what_the_rules_leave(orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEM_SAFE_CACHE", str(orders / "cache"))
    scenario = loaded(orders)
    run = lem_safe.run(scenario, out=orders / "run", with_report=False)
    facts: Mapping[str, Any] = json.loads((run.directory / "run.json").read_text())
    assert run.report.passed and facts["truncated"]["by"] == ["either"]
    assert 0.2 < facts["truncated"]["share"] < 0.9
    again = lem_safe.load(run.directory / "scenario.yaml")
    assert trained(again).fingerprint(0) == trained(scenario).fingerprint(0)
    assert "fitted to rows that are truncated by either" in explain(scenario)
    text = (orders / "orders.yaml").read_text()
    whole = text[text.index("energy:") : text.index("derived:")]
    text = text.replace(whole, "energy: {kind: checkpoint, path: run/energy.safetensors}\n")
    (orders / "again.yaml").write_text(text)
    assert lem_safe.load(orders / "again.yaml").energy["kind"] == "checkpoint"
    (orders / "again.yaml").write_text(text.replace("either, beta: 0", "either, beta: 0.1"))
    with pytest.raises(BadInput, match="was fitted to rows that 'either' truncated: 'either' has to be"):
        lem_safe.load(orders / "again.yaml")


def test_energies_are_told_apart_by_the_rules_that_truncate(orders: Path) -> None:
    own = trained(loaded(orders)).fingerprint(0)
    assert trained(loaded(orders, size=8)).fingerprint(0) == own
    assert trained(loaded(orders, least=0.5)).fingerprint(0) != own
    assert trained(loaded(orders, gain="(price - cost)")).fingerprint(0) != own
    plain = Trained(trained(loaded(orders)).data, trained(loaded(orders)).network)
    assert Trained(plain.data, plain.network, truncated=None).fingerprint(0) == plain.fingerprint(0)


def test_columns_have_the_names_of_the_scenario(orders: Path) -> None:
    named = loaded(orders, columns="columns: [kind, p, c, start, end, size]", cost="p - c")
    own, cut = trained(loaded(orders)), trained(named)
    assert cut.truncated is not None and own.truncated is not None
    z = torch.randn(500, 8, generator=torch.Generator().manual_seed(0)).double()
    codec = cut.data.load(0).codec
    assert codec is not None
    here, there = (made.truncated.holds(codec)(z[:, : codec.dimension]) for made in (own, cut))
    assert torch.equal(here, there) and 50 < int(here.sum()) < 450


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"beta": 0.1}, r"truncated.*'either' has to be constrained with beta: 0"),
        ({"by": "early"}, r"'early' has to be constrained with beta: 0"),
        ({"by": "eithr"}, r"no region is named 'eithr' under unsafe - did you mean 'either'"),
        ({"by": ""}, "by"),
        ({"least": 1.5}, r"\d+ of 399 rows are inside 'either', which then does not truncate them"),
        ({"network": "mlp", "most": ""}, "use network: {kind: mixture_base}"),
    ],
)
def test_what_cannot_be_is_refused(orders: Path, own: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        loaded(orders, **own)


def test_plain_numbers_are_told_what_to_say(orders: Path) -> None:
    (orders / "numbers.csv").write_text("a,b\n" + "".join(f"{k},{k * k % 7}.5\n" for k in range(50)))
    text = TEXT.format(**GIVEN | {"by": "other"})
    text = text.replace("orders.csv, missing: keep", "numbers.csv").replace("kind == 'new'", "a > 1")
    (orders / "n.yaml").write_text(text)
    with pytest.raises(BadInput, match=r"say of one column what it is, as in columns: \{NAME"):
        lem_safe.load(orders / "n.yaml")


def test_a_region_of_an_energy_is_refused_and_a_faulty_one_is_said_once(orders: Path) -> None:
    loaded(orders)
    text = (orders / "orders.yaml").read_text()
    start, end = text.index("  cheap:"), text.index("  other:")
    path = orders / "again.yaml"
    sublevel = (
        "  either: {kind: sublevel, energy: {kind: gaussian, mean: [9, 9, 9, 9, 9, 9], std: 1}, level: 3}\n"
    )
    path.write_text(text[:start] + sublevel + text[end:])
    with pytest.raises(BadInput, match="'either' is a region of an energy, which cannot truncate rows"):
        lem_safe.load(path)
    path.write_text(text[:start] + '  either: {kind: rule, requires: "size < 9"}\n' + text[end:])
    with pytest.raises(BadInput) as found:
        lem_safe.load(path)
    assert [fault.key.split(".")[0] for fault in found.value.faults if fault.key] == ["unsafe"]
