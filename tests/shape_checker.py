"""The type checker of every test run: shapes and types of all arguments and results, except a constructor's.

A constructor's annotations are a file's schema (a list of numbers), while Python callers may hand it a
tensor. An int is a float (PEP 484). The command line is typer's to check. A hint that beartype cannot check
at all, such as a plain Protocol, leaves its function unchecked. A function's check is written at its first
call: most processes call a part of the thousands that they import.
"""

import functools
from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintException

_NUMBERS = BeartypeConf(is_pep484_tower=True)


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, its calls checked."""
    if getattr(function, "__name__", "") == "__init__" or function.__module__ == "lem_safe.cli":
        return function
    checking: Callable[..., Any] | None = None

    @functools.wraps(function)
    def at_first_call(*args: Any, **kwargs: Any) -> Any:
        nonlocal checking
        if checking is None:
            checking = _written(function)
        return checking(*args, **kwargs)

    return at_first_call


def _written(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        return beartype(conf=_NUMBERS)(function)
    except BeartypeDecorHintException:
        return function
