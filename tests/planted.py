"""Faults planted one at a time: what a tooth is, and what a file of teeth asks of them.

A tooth names the check that must find it, what is replaced, and what makes the faulty one from the honest
one.
"""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pytest

from lem_safe.errors import NumericalFailure

Tooth = tuple[Callable[[], None], Any, str, Callable[[Any], Any]]
"""The check, the module or class, its attribute, and faulty(honest)."""


def result(change: Callable[..., Any]) -> Callable[[Any], Any]:
    """What the honest function returns, changed: change(returned, *arguments)."""
    return lambda honest: lambda *arguments, **named: change(honest(*arguments, **named), *arguments)


def checks(teeth: Mapping[str, Tooth]) -> dict[str, Callable[[], None]]:
    """The checks that some tooth needs, by name."""
    return {check.__name__: check for check, *_ in teeth.values()}


def must_be_found(tooth: Tooth, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check fails while the fault is in place: what it asserts is false, or the code itself says that its
    numbers disagree.
    """
    check, owner, attribute, make = tooth
    monkeypatch.setattr(owner, attribute, make(getattr(owner, attribute)))
    with pytest.raises((AssertionError, NumericalFailure)):
        check()


def written_in(*modules: ModuleType) -> set[str]:
    """The public functions and classes of modules of checks, without what they import."""
    return {
        name
        for m in modules
        for name, f in vars(m).items()
        if callable(f) and f.__module__ == m.__name__ and not name.startswith("_")
    }
