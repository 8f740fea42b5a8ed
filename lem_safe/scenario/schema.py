"""The model of a whole scenario file, and its JSON Schema: the scenario's own fields, with those that tables
describe narrowed to the tables' kinds.

It is the only model that a scenario is checked by. Checked values are plain already, so a Scenario is built
from its fields as they are.
"""

from functools import lru_cache
from typing import Annotated, Any

from annotated_types import MinLen
from pydantic import AfterValidator, Field, create_model

from lem_safe.scenario.grammar import Grammar, field
from lem_safe.scenario.model import RUN_ONLY, Scenario
from lem_safe.scenario.plain import plain
from lem_safe.scenario.sections import Penalty, Sampler
from lem_safe.scenario.tables import Tables

_LIST: Any = list
_DICT: Any = dict
"""Types with arguments made at run time, under names that type checkers do not read as annotations X[...]."""

ENERGY = {"kind": "gaussian", "mean": [0, 0], "std": 1}
UNSAFE = {"pillar": {"kind": "ball", "center": [2, 0], "radius": 0.8}}
SAMPLER = {"kind": "langevin", "samples": 5000, "steps": 4000, "step_size": 0.002}
"""Examples for the keys whose values come from tables."""


@lru_cache(maxsize=8)
def document(tables: Tables) -> type[Scenario]:
    """The scenario's model over these tables."""
    grammar = Grammar(tables)
    made = create_model(
        "Scenario",
        __base__=Scenario,
        __doc__="One experiment: an energy, regions, tolerances, a sampler.",
        **_sampled(grammar),
        **_constrained(grammar),
    )
    grammar.finish(made)
    return made


def _sampled(grammar: Grammar) -> dict[str, Any]:
    """The keys on sampling: the energy, the sampler, and when a run ends."""
    tables, energies = grammar.tables, grammar.union(grammar.tables.energies)
    penalty = grammar.model(
        "Penalty",
        {
            "weight": field(
                float, "λ in U₊ − λU₋: how strongly samples are pushed from this energy's modes.", 0.35
            ),
            "energy": field(energies, "The energy to keep away from.", ENERGY),
        },
        "An energy subtracted from the sampled one.",
    )
    fields = {
        "energy": _optional(_plain(energies), _described("energy"), ENERGY),
        "penalties": field(
            Annotated[_LIST[penalty], AfterValidator(_penalties)],
            _described("penalties"),
            [{"weight": 0.35, "energy": ENERGY}],
            [],
        ),
        "sampler": _optional(
            Annotated[grammar.union(tables.samplers), AfterValidator(_sampler)],
            _described("sampler"),
            SAMPLER,
        ),
    }
    if tables.stops is None:
        return fields
    stop = field(
        _plain(grammar.union(tables.stops)),
        _described("stop"),
        {"kind": "stein", "below": 0.1},
        {"kind": "steps"},
    )
    return {**fields, "stop": stop}


def _constrained(grammar: Grammar) -> dict[str, Any]:
    """The keys on constraints: unsafe regions, tolerances, and the filter."""
    tables = grammar.tables
    regions: Any = Annotated[_DICT[str, grammar.union(tables.sets)], MinLen(1), AfterValidator(plain)]
    default = {"kind": "none"} if "none" in tables.filters.members else ...
    return {
        "unsafe": field(regions, _described("unsafe"), UNSAFE),
        "filter": field(
            _plain(grammar.union(tables.filters)), _described("filter"), {"kind": "gate"}, default
        ),
    }


def _optional(hint: Any, description: str, example: Any) -> tuple[Any, Any]:
    """A key that may be left out: then it is None."""
    return hint, Field(None, description=description, examples=[example])


def _plain(hint: Any) -> Any:
    return Annotated[hint, AfterValidator(plain)]


def _penalties(checked: list[Any]) -> list[Penalty]:
    return [Penalty.model_construct(**plain(penalty)) for penalty in checked]


def _sampler(checked: Any) -> Sampler:
    return Sampler.model_construct(**plain(checked))


def _described(name: str) -> str:
    return Scenario.model_fields[name].description or ""


def json_schema(tables: Tables) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a scenario file, with a description and an example for every key."""
    schema = _untitled(document(tables).model_json_schema(by_alias=True))
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "lem-safe scenario"}
    return {**head, **{k: v for k, v in schema.items() if k not in head}}


def _untitled(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without pydantic's titles, which only repeat the keys."""
    for model in [schema, *schema["$defs"].values()]:
        for key in model.get("properties", {}).values():
            key.pop("title", None)
    for name in RUN_ONLY:
        schema["properties"][name].pop("default", None)
    return schema
