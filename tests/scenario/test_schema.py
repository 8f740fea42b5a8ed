"""The JSON Schema of a scenario: committed, current, and helpful at every key."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from scenario_texts import GOOD

from lem_safe.errors import BadInput
from lem_safe.registry import TABLES, json_schema, loads, tables
from lem_safe.scenario import bundled_directory
from lem_safe.scenario.schema import document


def keys(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, model in [("scenario", schema), *schema["$defs"].items()]:
        for key, value in model.get("properties", {}).items():
            yield name, key, value


def test_the_committed_schema_is_current():
    committed = json.loads((bundled_directory() / "scenario.schema.json").read_text())
    assert committed == json_schema(), "run: lem-safe schema > scenarios/scenario.schema.json"


def test_it_is_draft_2020_12_and_closed():
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert all(
        m.get("additionalProperties") is False
        for m in [schema, *schema["$defs"].values()]
        if m.get("type") == "object"
    )
    assert set(schema["required"]) == {"version", "name", "unsafe", "constraints"}
    assert all("default" not in schema["properties"][name] for name in ("energy", "sampler"))


def test_every_key_has_a_description_and_an_example():
    bare = [
        (model, key)
        for model, key, value in keys(json_schema())
        if not value.get("description") or not value.get("examples")
    ]
    assert bare == []


def test_every_member_of_every_table_is_in_the_schema():
    defs = json_schema()["$defs"]
    for table in TABLES.values():
        for kind in table.members:
            assert defs[f"{table.noun}_{kind}"]["properties"]["kind"]["const"] == kind


def test_examples_are_valid(tmp_path: Path):
    """Each example of each key is taken by that key's own type; a path's example need not exist."""
    wrong = []
    for model in _models(document(tables())):
        for name, info in model.model_fields.items():
            for example in info.examples or []:
                try:
                    TypeAdapter(info.rebuild_annotation(), config=None).validate_python(example, strict=True)
                except ValidationError as error:
                    wrong.append((model.__name__, name, example, str(error)))
    assert wrong == []


def test_whole_examples_of_members_are_valid_specifications():
    for table in TABLES.values():
        for kind, member in table.members.items():
            example = getattr(member, "example", None)
            assert example is None or example["kind"] == kind


def test_a_member_without_kind_means_the_tables_default():
    text = GOOD.replace(
        "energy: {kind: gaussian, mean: [0, 0], std: 1}",
        "energy: {kind: trained, data: {kind: two_moons}, network: {depth: 1}}",
    )
    energy = loads(text).energy
    assert (
        energy["network"]["kind"] == "mlp"
        and energy["network"]["depth"] == 1
        and energy["network"]["hidden"] > 0
    )
    assert "loss" not in energy and energy["training"]["steps"] > 0  # chosen from the rows when it is trained
    given = loads(text.replace("network: {depth: 1}", "network: {depth: 1}, loss: {sigma: 0.2}")).energy
    assert given["loss"] == {"kind": "denoising", "sigma": 0.2}
    with pytest.raises(BadInput, match="data.kind|missing key 'kind'"):
        loads(text.replace("kind: two_moons", "std: 0.1"))


def test_the_schema_file_is_what_the_modelines_name():
    for path in bundled_directory().glob("*.yaml"):
        assert "$schema=./scenario.schema.json" in path.read_text().splitlines()[0]
        assert YAML(typ="safe", pure=True).load(path.read_text())["version"] == 1


def _models(root: type[BaseModel]) -> list[type[BaseModel]]:
    """Every model reachable from the document's own schema, by class."""
    found: dict[int, type[BaseModel]] = {}
    todo: list[Any] = [root]
    while todo:
        item = todo.pop()
        if isinstance(item, type) and issubclass(item, BaseModel):
            if id(item) in found:
                continue
            found[id(item)] = item
            todo += [info.annotation for info in item.model_fields.values()]
        else:
            todo += list(getattr(item, "__args__", ()))
    return [m for m in found.values() if "root" not in m.model_fields]
