"""A grammar generated from constructors: annotated parameters become a model, a table becomes a union by
`kind`.

Nothing is declared twice. A set, energy or filter in its table can be written in a file, is checked there,
and appears with its descriptions and examples in the JSON Schema that editors use.
"""

import dataclasses
import types
from collections.abc import Callable
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
from lem_safe.scenario.plain import plain
from lem_safe.scenario.sections import COMMON, STRICT
from lem_safe.scenario.shapes import MARK, shape_among, shape_of_hint
from lem_safe.scenario.tables import Table, Tables

_ANY_OF: Any = Union
_LITERAL: Any = Literal
_LIST: Any = list
_DICT: Any = dict
_ROOT: Any = RootModel
"""Types made at run time, under names that type checkers do not read as annotations X[...]."""


class Grammar:
    """Makes and stores the models of one set of tables; unions refer to each other by name, so sets and
    energies can be nested.
    """

    def __init__(self, tables: Tables):
        self.tables = tables
        self.nested: dict[type, Table] = {UnsafeSet: tables.sets, **tables.nested}
        self.unions: dict[str, type[BaseModel]] = {}
        self.records: dict[type, type[BaseModel]] = {}
        self.models: list[type[BaseModel]] = []

    def finish(self, *others: type[BaseModel]) -> None:
        """Resolves the names of unions, in all models made here and in these others."""
        for model in [*self.models, *others]:
            model.model_rebuild(force=True, _types_namespace=dict(self.unions))

    def union(self, table: Table) -> Any:
        """The name of the union of a table's kinds, made on first use."""
        name = table.noun.title().replace(" ", "")
        known = f"_{name}"  # a name that no class has
        if known in self.unions:
            return ForwardRef(known)
        self.unions[known] = RootModel  # reserved: a member may refer to its own table
        arms = self._algebra(table) if table is self.tables.sets else {}
        for kind, entry in table.members.items():
            arms[kind] = self._constructed(f"{table.noun}_{kind}", entry, (table, kind))
        tagged = [Annotated[arm, Tag(MARK + tag)] for tag, arm in arms.items()]
        told: dict[str, Any] = {"kinds": table.names(), "arms": list(arms), "refused": table.refusals()}
        choose = Discriminator(
            _kind_of(table, frozenset(arms), frozenset(table.members)),
            custom_error_type="kind",
            custom_error_message=table.noun,
            custom_error_context=told,
        )
        made = type(
            name,
            (_ROOT[Annotated[_ANY_OF[tuple(tagged)], choose]],),
            {"model_config": ConfigDict(strict=True, frozen=True)},
        )
        self.unions[known] = made
        self.models.append(made)
        return ForwardRef(known)

    def _algebra(self, table: Table) -> dict[str, Any]:
        """The forms of a region besides a kind: the name of another, any or all of several, the complement of
        one.
        """
        name = Annotated[
            str, MinLen(1), Field(description="The name of a region defined above.", examples=["pillar"])
        ]
        several = {
            key: self._constructed(f"{table.noun}_{key}", Entry(made, made.example), None)
            for key, made in (("any", AnyOf), ("all", AllOf))
        }
        inner = field(self.union(table), "Unsafe where this is not.", "pillar")
        complement = self.model(
            f"{table.noun}_not", {"not": inner}, "The complement: unsafe where the inner region is not."
        )
        return {"name": name, **several, "not": complement}

    def _constructed(self, name: str, entry: Entry, member: tuple[Table, str] | None) -> type[BaseModel]:
        """The model of one constructor; for a table's member, with its `kind`; for a sampler, with the
        parameters of all samplers.
        """
        fields: dict[str, Any] = {}
        if member is not None:
            table, kind = member
            default = kind if kind == table.default else ...
            fields["kind"] = field(_LITERAL[kind], f"Which {table.noun}: {entry.summary}", kind, default)
            if table is self.tables.samplers:
                fields |= {key: (info.annotation, info) for key, info in COMMON.items()}
                fields["init"] = field(
                    self.union(self.tables.inits),
                    "Where the particles start.",
                    {"kind": "standard"},
                    {"kind": "standard"},
                )
            if table is self.tables.filters:
                fields[aim.KEY] = field(self._hint(aim.AIM), aim.DESCRIPTION, "auto", None)
        for p in parameters(entry.constructor):
            if p.context is None and p.name not in fields:
                fields[p.name] = self._parameter(p, entry.example.get(p.name))
        return self.model(name, fields, entry.summary, dict(entry.example))

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
        return field(
            hint,
            " ".join(docs),
            example if example is not None or default not in (None, ...) else self._example_of(p.hint),
            default,
        )

    def _example_of(self, hint: Any) -> Any:
        """An example of a value where a constructor has none."""
        origin, args = get_origin(hint), [a for a in get_args(hint) if a is not type(None)]
        if isinstance(hint, type) and hint in self.nested:
            table = self.nested[hint]
            return dict(table.members[table.default or next(iter(table.members))].example)
        if dataclasses.is_dataclass(hint):
            return dict(getattr(hint, "example", {})) or None
        if origin in (Annotated, Union, types.UnionType):
            return self._example_of(args[0])
        if origin is Literal:
            return args[0]
        if origin in (list, tuple):
            return [self._example_of(args[0])] * 2
        if origin is dict:
            return {"x1": self._example_of(args[1])}
        return {float: 0.5, int: 1, bool: True, str: "x0", Path: "rows.csv"}.get(hint)

    def _hint(self, hint: Any) -> Any:
        """A constructor's annotation as that of the file: tables become unions, paths are resolved,
        alternatives are distinguished by shape.
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
            return self.union(self.nested[hint])
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            if hint not in self.records:
                self.records[hint] = self._constructed(
                    hint.__name__, Entry(hint, dict(getattr(hint, "example", {}))), None
                )
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

    def model(
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


def field(hint: Any, description: str, example: Any, default: Any = ...) -> tuple[Any, Any]:
    shown = example if example is not None else default
    examples = None if shown is ... or shown is None else [shown]
    return hint, Field(
        default, description=description or None, examples=examples, validate_default=default is not ...
    )


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
    """An absolute path; `info` is pydantic's ValidationInfo, a protocol that no run-time check can verify."""
    directory = (info.context or {}).get("directory", Path())
    return Path(directory, value).expanduser().absolute()


FILE = Annotated[str, MinLen(1), AfterValidator(_resolve)]
"""A path in a scenario: relative to the scenario's own folder, absolute once loaded."""
