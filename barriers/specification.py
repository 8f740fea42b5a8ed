"""Objects from specifications: a mapping with a `kind`, a table of constructors, and the constructors'
annotations as the schema.

A parameter annotated `Context("columns")` is not written in a file but supplied by the builder. A parameter
whose type is in `nested` (a set within a set, say; also a list of them, or one or None) is itself built from
its specification.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class Context:
    """Marks a constructor parameter that the builder supplies under this name; one with a default, where it
    has it.
    """

    name: str


class SpecificationError(ValueError):
    """A fault at one place of a specification; `path`: its keys and indices from the top."""

    def __init__(self, message: str, path: tuple[str | int, ...] = ()):
        super().__init__(message)
        self.path = path


class UnknownRegion(SpecificationError):
    """A region's name that is not defined before; `name` is that name."""

    def __init__(self, name: str, known: Iterable[str], path: tuple[str | int, ...]):
        names = ", ".join(known) or "none so far"
        super().__init__(f"no region is named '{name}' above this line (named: {names})", path)
        self.name = name


@dataclass(frozen=True)
class Parameter:
    """One constructor parameter: its name, its type with annotations, its default, and the context name or
    None.
    """

    name: str
    hint: Any
    default: Any
    context: str | None

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty


def parameters(constructor: Callable[..., Any]) -> list[Parameter]:
    """The parameters of a constructor, in order."""
    init: Any = (
        vars(constructor).get("__init__", constructor) if isinstance(constructor, type) else constructor
    )
    hints = get_type_hints(init, include_extras=True)
    found = []
    for name, p in inspect.signature(init).parameters.items():
        if name == "self":
            continue
        if name not in hints:
            raise TypeError(f"parameter '{name}' has no annotation, which says what a file may write for it")
        hint = hints[name]
        marks = (
            [m.name for m in get_args(hint)[1:] if isinstance(m, Context)]
            if get_origin(hint) is Annotated
            else []
        )
        found.append(Parameter(name, hint, p.default, marks[0] if marks else None))
    return found


Nested = Mapping[type, Callable[[Any, tuple[str | int, ...]], Any]]


def construct(
    constructor: Callable[..., Any],
    fields: Mapping[str, Any],
    *,
    nested: Nested,
    context: Mapping[str, Any],
    path: tuple[str | int, ...] = (),
) -> Any:
    """The object that `fields` describe; a ValueError, KeyError or IndexError of the constructor is raised as
    a SpecificationError at `path`.
    """
    arguments: dict[str, Any] = {}
    for p in parameters(constructor):
        if p.context is not None:
            if p.required or p.context in context:
                arguments[p.name] = context[p.context]
        elif p.name in fields:
            arguments[p.name] = _resolve(fields[p.name], p.hint, nested, (*path, p.name))
        elif p.required:
            raise SpecificationError(f"missing key '{p.name}'", path)
    unknown = sorted(set(fields) - {p.name for p in parameters(constructor)} - {"kind"})
    if unknown:
        raise SpecificationError(f"unknown key '{unknown[0]}'", (*path, unknown[0]))
    try:
        return constructor(**arguments)
    except SpecificationError:
        raise
    except ValueError as error:
        raise SpecificationError(str(error), path) from error
    except LookupError as error:
        name = getattr(constructor, "__name__", "the constructor")
        raise SpecificationError(
            f"{name}: cannot be made from these values ({type(error).__name__}: {error})", path
        ) from error


def _resolve(value: Any, hint: Any, nested: Nested, path: tuple[str | int, ...]) -> Any:
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if value is None:
        return None
    if isinstance(hint, type) and hint in nested:
        return nested[hint](value, path)
    if get_origin(hint) is list and isinstance(value, list):
        return [_resolve(item, get_args(hint)[0], nested, (*path, i)) for i, item in enumerate(value)]
    if get_origin(hint) in (Union, UnionType):
        arms = [arm for arm in get_args(hint) if arm in nested]
        return _resolve(value, arms[0], nested, path) if arms and isinstance(value, Mapping) else value
    return value
