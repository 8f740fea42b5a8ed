"""A scenario's grammar, made from constructors: annotated parameters become a model, a table becomes a union
by `kind`.

Nothing is declared twice. A set, energy or filter that joins its table can be written in a file, is checked
there, and appears with its descriptions and examples in the JSON Schema that editors use.
"""

import dataclasses
import types
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ForwardRef, Literal, Union, get_args, get_origin

from annotated_types import Len, MinLen
from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, RootModel, Tag, create_model
from pydantic.fields import FieldInfo
from typing_extensions import Doc

from barriers.kinds import Entry
from barriers.sets import AllOf, AnyOf, UnsafeSet
from barriers.specification import Context, Parameter, parameters
from lem_safe.scenario import aim
from lem_safe.scenario.model import COMMON, STRICT, Constraint, Scenario
from lem_safe.scenario.shapes import MARK, shape_among, shape_of_hint
from lem_safe.scenario.tables import Table, Tables

_ANY_OF: Any = Union
_LITERAL: Any = Literal
_LIST: Any = list
_DICT: Any = dict
_ROOT: Any = RootModel
"""Types that are made while running: under these names a type checker does not read X[...] as an annotation.
"""

ENERGY = {"kind": "gaussian", "mean": [0, 0], "std": 1}
UNSAFE = {"pillar": {"kind": "ball", "center": [2, 0], "radius": 0.8}}
SAMPLER = {"kind": "langevin", "samples": 5000, "steps": 4000, "step_size": 0.002}
"""Examples for the keys whose values come from tables."""


@lru_cache(maxsize=8)
def document(tables: Tables) -> type[BaseModel]:
    """The model of a whole scenario file over these tables."""
    return _Maker(tables).document()


def json_schema(tables: Tables) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a scenario file, with a description and an example for every key."""
    schema = _untitled(document(tables).model_json_schema(by_alias=True))
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "lem-safe scenario"}
    return {**head, **{k: v for k, v in schema.items() if k not in head}}


def _untitled(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without the titles pydantic gives to every key, which only repeat the key."""
    for model in [schema, *schema["$defs"].values()]:
        for key in model.get("properties", {}).values():
            key.pop("title", None)
    return schema


def plain(value: Any) -> Any:
    """A validated value as dicts, lists, numbers, strings and Paths; what was not given and has no default is
    left out.
    """
    if isinstance(value, RootModel):
        return plain(value.root)
    if isinstance(value, BaseModel):
        fields = {
            info.alias or name: plain(getattr(value, name)) for name, info in type(value).model_fields.items()
        }
        return {key: item for key, item in fields.items() if item is not None}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: plain(getattr(value, f.name))
            for f in dataclasses.fields(value)
            if getattr(value, f.name) is not None
        }
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


class _Maker:
    """Makes and keeps the models of one set of tables; unions refer to each other by name, so sets and
    energies nest.
    """

    def __init__(self, tables: Tables):
        self.tables = tables
        self.nested: dict[type, Table] = {UnsafeSet: tables.sets, **tables.nested}
        self.unions: dict[str, type[BaseModel]] = {}
        self.records: dict[type, type[BaseModel]] = {}
        self.models: list[type[BaseModel]] = []

    def document(self) -> type[BaseModel]:
        static = Scenario.model_fields
        penalty = self._model(
            "Penalty",
            {
                "weight": _field(
                    float, "λ in U₊ − λU₋: how strongly samples are pushed from this energy's modes.", 0.35
                ),
                "energy": _field(self._union(self.tables.energies), "The energy to keep away from.", ENERGY),
            },
            "An energy subtracted from the sampled one.",
        )
        default_filter = {"kind": "none"} if "none" in self.tables.filters.members else ...
        fields: dict[str, Any] = {
            name: (static[name].annotation, static[name])
            for name in ("version", "name", "seed", "dtype", "columns", "audit", "monitors", "sweep")
        }
        fields |= {
            "energy": _field(self._union(self.tables.energies), _described(static["energy"]), ENERGY),
            "penalties": _field(
                _LIST[penalty], _described(static["penalties"]), [{"weight": 0.35, "energy": ENERGY}], []
            ),
            "unsafe": _field(
                Annotated[_DICT[str, self._union(self.tables.sets)], MinLen(1)],
                _described(static["unsafe"]),
                UNSAFE,
            ),
            "constraints": (Annotated[list[Constraint], MinLen(1)], static["constraints"]),
            "sampler": _field(self._union(self.tables.samplers), _described(static["sampler"]), SAMPLER),
            "filter": _field(
                self._union(self.tables.filters),
                _described(static["filter"]),
                {"kind": "gate"},
                default_filter,
            ),
        }
        if self.tables.stops is None:
            fields["stop"] = (static["stop"].annotation, static["stop"])
        else:
            fields["stop"] = _field(
                self._union(self.tables.stops),
                _described(static["stop"]),
                {"kind": "stein", "below": 0.1},
                {"kind": "steps"},
            )
        made = self._model(
            "Scenario",
            {name: fields[name] for name in static},
            "One experiment: an energy, regions, tolerances, a sampler.",
        )
        for model in [*self.models, made]:
            model.model_rebuild(force=True, _types_namespace=dict(self.unions))
        return made

    def _union(self, table: Table) -> Any:
        """The name of the union of a table's kinds, made on first use."""
        name = table.noun.title().replace(" ", "")
        if name in self.unions:
            return ForwardRef(name)
        self.unions[name] = RootModel  # taken: a member may refer to its own table
        arms: dict[str, Any] = {}
        if table is self.tables.sets:
            arms["name"] = Annotated[
                str, MinLen(1), Field(description="The name of a region defined above.", examples=["pillar"])
            ]
            for key, several in (("any", AnyOf), ("all", AllOf)):
                arms[key] = self._constructed(f"{table.noun}_{key}", Entry(several, several.example), None)
            inner = _field(self._union(table), "Unsafe where this is not.", "pillar")
            arms["not"] = self._model(
                f"{table.noun}_not", {"not": inner}, "The complement: unsafe where the inner region is not."
            )
        for kind, entry in table.members.items():
            arms[kind] = self._constructed(f"{table.noun}_{kind}", entry, (table, kind))
        tagged = [Annotated[arm, Tag(MARK + tag)] for tag, arm in arms.items()]
        known: dict[str, Any] = {
            "kinds": table.names(),
            "arms": list(arms),
            "refused": table.refusals(),
        }
        choose = Discriminator(
            _kind_of(table, frozenset(arms), frozenset(table.members)),
            custom_error_type="kind",
            custom_error_message=table.noun,
            custom_error_context=known,
        )
        made = type(
            name,
            (_ROOT[Annotated[_ANY_OF[tuple(tagged)], choose]],),
            {"model_config": ConfigDict(strict=True, frozen=True)},
        )
        self.unions[name] = made
        self.models.append(made)
        return ForwardRef(name)

    def _constructed(self, name: str, entry: Entry, member: tuple[Table, str] | None) -> type[BaseModel]:
        """The model of one constructor; of a table's member, with its `kind`; of a sampler, with what all
        samplers take.
        """
        fields: dict[str, Any] = {}
        if member is not None:
            table, kind = member
            default = kind if kind == table.default else ...
            fields["kind"] = _field(_LITERAL[kind], f"Which {table.noun}: {entry.summary}", kind, default)
            if table is self.tables.samplers:
                fields |= {key: (info.annotation, info) for key, info in COMMON.items()}
                fields["init"] = _field(
                    self._union(self.tables.inits),
                    "Where the particles start.",
                    {"kind": "standard"},
                    {"kind": "standard"},
                )
            if table is self.tables.filters:
                fields[aim.KEY] = _field(self._hint(aim.AIM), aim.DESCRIPTION, "auto", None)
        for p in parameters(entry.constructor):
            if p.context is None and p.name not in fields:
                fields[p.name] = self._parameter(p, entry.example.get(p.name))
        return self._model(name, fields, entry.summary, dict(entry.example))

    def _parameter(self, p: Parameter, example: Any) -> Any:
        docs = (
            [m.documentation for m in get_args(p.hint)[1:] if isinstance(m, Doc)]
            if get_origin(p.hint) is Annotated
            else []
        )
        default = ... if p.required else plain(p.default)
        hint = self._hint(p.hint)
        if default is None:
            hint = _ANY_OF[hint, None]
        return _field(
            hint,
            " ".join(docs),
            example if example is not None or default not in (None, ...) else self._some(p.hint),
            default,
        )

    def _some(self, hint: Any) -> Any:
        """An example of a value where a constructor gives none."""
        origin, args = get_origin(hint), [a for a in get_args(hint) if a is not type(None)]
        if isinstance(hint, type) and hint in self.nested:
            table = self.nested[hint]
            return dict(table.members[table.default or next(iter(table.members))].example)
        if origin in (Annotated, Union, types.UnionType):
            return self._some(args[0])
        if origin is Literal:
            return args[0]
        if origin in (list, tuple):
            return [self._some(args[0])] * 2
        return {float: 0.5, int: 1, bool: True, str: "x0", Path: "rows.csv"}.get(hint)

    def _hint(self, hint: Any) -> Any:
        """A constructor's annotation as the file's: tables become unions, paths resolve, alternatives are
        told apart by shape.
        """
        origin, args = get_origin(hint), get_args(hint)
        if origin is Annotated:
            kept = tuple(m for m in args[1:] if not isinstance(m, Doc | Context))
            return Annotated[self._hint(args[0]), *kept] if kept else self._hint(args[0])
        if origin in (Union, types.UnionType):
            return self._alternatives(args)
        if origin is dict:
            return _DICT[str, self._hint(args[1])]
        if origin is tuple and len(args) > 1 and args[1] is not ...:
            return Annotated[_LIST[self._hint(args[0])], Len(len(args), len(args))]
        if origin is not None and origin is not Literal and isinstance(origin, type):
            return _LIST[self._hint(args[0])]
        if hint is Path:
            return FILE
        if isinstance(hint, type) and hint in self.nested:
            return self._union(self.nested[hint])
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            if hint not in self.records:
                self.records[hint] = self._constructed(hint.__name__, Entry(hint, {}), None)
            return self.records[hint]
        return hint

    def _alternatives(self, hints: tuple[Any, ...]) -> Any:
        arms = {shape_of_hint(h, self.nested): self._hint(h) for h in hints if h is not type(None)}
        if len(arms) == 1:
            made: Any = next(iter(arms.values()))
        else:
            choose = Discriminator(
                shape_among(frozenset(arms)),
                custom_error_type="shape",
                custom_error_message=" or ".join(f"a {shape}" for shape in arms),
            )
            tagged = tuple(Annotated[arm, Tag(MARK + shape)] for shape, arm in arms.items())
            made = Annotated[_ANY_OF[tagged], choose]
        return _ANY_OF[made, None] if type(None) in hints else made

    def _model(
        self, name: str, fields: dict[str, Any], doc: str, example: dict[str, Any] | None = None
    ) -> type[BaseModel]:
        config = STRICT | ConfigDict(
            title=name.replace("_", " "), json_schema_extra={"examples": [example]} if example else None
        )
        renamed = {f"{key}_" if hasattr(BaseModel, key) else key: value for key, value in fields.items()}
        for key in set(fields) - set(renamed):
            hint, info = renamed[f"{key}_"]
            renamed[f"{key}_"] = (hint, FieldInfo.merge_field_infos(info, alias=key))
        made: type[BaseModel] = create_model(name, __config__=config, __doc__=doc, **renamed)
        self.models.append(made)
        return made


def _field(hint: Any, description: str, example: Any, default: Any = ...) -> tuple[Any, Any]:
    shown = example if example is not None else default
    examples = None if shown is ... or shown is None else [shown]
    return hint, Field(
        default, description=description or None, examples=examples, validate_default=default is not ...
    )


def _described(info: FieldInfo) -> str:
    return info.description or ""


def _kind_of(table: Table, arms: frozenset[str], kinds: frozenset[str]) -> Callable[[Any], str | None]:
    def tag(value: Any) -> str | None:
        if isinstance(value, str):
            return MARK + "name" if "name" in arms else None
        if not isinstance(value, dict):
            return None
        for key in ("any", "all", "not"):
            if key in arms and key in value and "kind" not in value:
                return MARK + key
        kind = value.get("kind", table.default)
        return MARK + kind if isinstance(kind, str) and kind in kinds else None

    return tag


def _resolve(value: str, info: Any) -> Path:
    """An absolute path; `info` is pydantic's ValidationInfo, a protocol that no runtime check can see
    through.
    """
    directory = (info.context or {}).get("directory", Path())
    return Path(directory, value).expanduser().absolute()


FILE = Annotated[str, MinLen(1), AfterValidator(_resolve)]
"""A path in a scenario: relative to the scenario's own folder, absolute once loaded."""
