"""The type checker of every test run: shapes and types of all arguments and results, except a constructor's.

A constructor's annotations are a file's schema (a list of numbers), while Python callers may hand it a
tensor. An int is a float (PEP 484). The command line is typer's to check. A hint that beartype cannot check
at all, such as a plain Protocol, leaves its function unchecked, and one that names what only mypy imports
leaves its argument.

jaxtyping's hook would bind every call's arguments three times, for its messages. Here a call has one pass:
beartype checks the arguments, the result after them, in one of jaxtyping's contexts, which keeps their sizes.
A function's check is written at its first call: most processes call a part of the thousands that they import.
"""

import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

import jaxtyping
from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintException


class TypeCheckError(TypeError):
    """What a call was given, or returned, is not what its annotations say."""


_NUMBERS = BeartypeConf(is_pep484_tower=True, violation_type=TypeCheckError)
_jaxtyped = jaxtyping.jaxtyped


def install() -> None:
    """From here on jaxtyping's hook decorates what is imported with `checked`."""
    jaxtyping.jaxtyped = _decorator  # type: ignore[assignment]


def _decorator(made: Any = None, *, typechecker: Any = None) -> Any:
    """In the place of `jaxtyping.jaxtyped`."""
    if made == "context":
        return _jaxtyped("context")
    return checked if made is None else checked(made)


def checked(made: Any) -> Any:
    """The function, its calls checked; a class as it is, since its methods are decorated themselves."""
    if not isinstance(made, types.FunctionType):
        return made
    if made.__name__ == "__init__" or made.__module__ == "lem_safe.cli":
        return made
    checking: Callable[..., Any] | None = None

    @functools.wraps(made)
    def in_one_pass(*args: Any, **kwargs: Any) -> Any:
        nonlocal checking
        if checking is None:
            checking = _written(made)
        with _jaxtyped("context"):
            return checking(*args, **kwargs)

    return in_one_pass


def _written(made: types.FunctionType) -> Callable[..., Any]:
    """The function that checks what it is given and what it returns."""
    twin = types.FunctionType(
        made.__code__, made.__globals__, made.__name__, made.__defaults__, made.__closure__
    )
    twin.__kwdefaults__, twin.__module__, twin.__qualname__ = (
        made.__kwdefaults__,
        made.__module__,
        made.__qualname__,
    )
    twin.__annotations__ = {name: _known(hint, made) for name, hint in made.__annotations__.items()}
    if inspect.isgeneratorfunction(made):
        twin.__annotations__.pop("return", None)  # what it yields is beyond its context
    try:
        return beartype(conf=_NUMBERS)(twin)
    except BeartypeDecorHintException:
        return made


def _known(hint: Any, made: types.FunctionType) -> Any:
    """The hint with its names resolved; Any where one is not imported when the program runs."""

    def holder() -> None: ...

    holder.__annotations__ = {"hint": hint}
    try:
        return typing.get_type_hints(holder, made.__globals__, include_extras=True)["hint"]
    except Exception:
        return Any
