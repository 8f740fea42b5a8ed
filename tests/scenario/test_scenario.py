"""A good scenario: what it resolves to, that it survives being written and read, and that its fingerprint
sees what matters.
"""

from pathlib import Path

import pytest
from scenario_texts import GOOD, changed

from lem_safe.errors import BadInput
from lem_safe.registry import load, loads
from lem_safe.scenario import bundled_scenarios, expected_verdict, first_comment, first_sentence


def test_what_is_left_out_has_the_contracts_defaults():
    s = loads(GOOD)
    assert (s.seed, s.dtype, s.penalties, s.columns) == (0, "float32", [], ["x0", "x1"])
    assert s.sampler.init == {"kind": "standard"}
    assert (s.audit.confidence, s.audit.after_step, s.audit.require) == (0.95, 0, "passed")
    assert loads(changed("filter: {kind: gate}\n", "")).filter == {"kind": "none"}
    assert loads(changed("kind: gate", "kind: step")).filter == {
        "kind": "step",
        "rate": 5.0,
        "limit": "surrogate",
    }


def test_yaml_1_2_numbers_and_words():
    s = loads(changed("name: two_balls", "name: yes"))
    assert s.name == "yes"
    assert s.sampler.step_size == 1e-2 and isinstance(s.sampler.step_size, float)
    assert s.unsafe["near"] == {"kind": "ball", "center": [2.0, 0.0], "radius": 0.8}


@pytest.mark.parametrize("path", [None, *bundled_scenarios().values()], ids=["good", *bundled_scenarios()])
def test_a_resolved_scenario_is_a_scenario_with_the_same_content(path: Path | None):
    s = loads(GOOD) if path is None else load(path)
    again = loads(s.to_yaml())
    assert again.content() == s.content()
    assert again.fingerprint() == s.fingerprint()
    assert s.to_yaml().startswith("# yaml-language-server: $schema=")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("radius: 0.8", "radius: 0.81"),
        ("beta: 0.03", "beta: 0.031"),
        ("kind: gate", "kind: step"),
        ("1e-2", "2e-2"),
        ("std: 1", "std: [1, 1.5]"),
        ("steps: 10", "steps: 11"),
        ("version: 1", "version: 1\nseed: 1"),
        ("any:", "all:"),
    ],
)
def test_the_fingerprint_changes_with_every_number(old: str, new: str):
    assert loads(changed(old, new)).fingerprint() != loads(GOOD).fingerprint()


def test_the_fingerprint_ignores_layout_and_written_out_defaults():
    spread = changed(
        "energy: {kind: gaussian, mean: [0, 0], std: 1}",
        "energy:\n    std: 1.0\n    kind: gaussian\n    mean: [0.0, 0]",
    )
    assert loads(spread).fingerprint() == loads(GOOD).fingerprint()
    assert loads(GOOD + "seed: 0\naudit: {confidence: 0.95}\n").fingerprint() == loads(GOOD).fingerprint()


def test_a_file_counts_by_its_content_and_is_found_beside_the_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    text = changed("step_size: 1e-2", "step_size: 1e-2, init: {kind: file, path: rows.csv}")
    prints = []
    for folder, rows in (("one", "1,2\n"), ("two", "1,2\n"), ("three", "1,3\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "rows.csv").write_text(rows)
        (tmp_path / folder / "s.yaml").write_text(text)
        loaded = load(tmp_path / folder / "s.yaml")
        assert loaded.sampler.init["path"] == tmp_path / folder / "rows.csv"
        prints.append(loaded.fingerprint())
    assert prints[0] == prints[1] != prints[2]
    monkeypatch.chdir(tmp_path / "one")
    (tmp_path / "resolved.yaml").write_text(load("s.yaml").to_yaml())
    assert load(tmp_path / "resolved.yaml").fingerprint() == prints[0]


def test_overrides_replace_values_before_they_are_checked(tmp_path: Path):
    path = tmp_path / "s.yaml"
    path.write_text(changed("samples: 100", "samples: -1"))
    s = load(path, {"sampler.samples": 7, "seed": 3})
    assert (s.sampler.samples, s.seed) == (7, 3)
    with pytest.raises(BadInput, match="^--steps: sampler.steps: must be > 0; got -2") as caught:
        load(path, {"sampler.samples": 7, "sampler.steps": -2})
    assert len(caught.value.faults) == 1


def test_overridden_is_another_scenario_and_refuses_what_cannot_be():
    s = loads(GOOD)
    other = s.overridden(seed=5, samples=8, steps=9)
    assert (other.seed, other.sampler.samples, other.sampler.steps) == (5, 8, 9)
    assert (s.seed, s.sampler.samples, s.sampler.steps) == (0, 100, 10)
    assert s.overridden().fingerprint() == s.fingerprint()
    with pytest.raises(BadInput) as caught:
        s.overridden(seed=-1, samples=0, steps=0)
    assert [f.key for f in caught.value.faults] == ["seed", "samples", "steps"]


def test_columns_name_the_coordinates():
    s = loads(changed("version: 1", "version: 1\ncolumns: [speed, load]"))
    assert s.columns == ["speed", "load"]


@pytest.mark.parametrize("name", bundled_scenarios())
def test_every_bundled_scenario_loads_by_name_and_says_what_it_shows(name: str):
    path = bundled_scenarios()[name]
    assert load(name).name == name
    assert load(name).source == path
    schema = "../scenario.schema.json" if path.parent.name == "gallery" else "./scenario.schema.json"
    assert path.read_text().startswith(f"# yaml-language-server: $schema={schema}\n# ")
    assert 40 < len(first_sentence(path)) <= len(first_comment(path)) and len(first_sentence(path)) < 99
    assert expected_verdict(path) in ("passed", "failed") and "Expected" not in first_comment(path)


def test_a_file_in_the_folder_wins_over_a_bundled_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("ring_keep_out").write_text(GOOD)
    assert load("ring_keep_out").name == "two_balls"
