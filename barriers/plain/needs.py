"""Whether this process does without torch, and what is raised where numpy alone does not do."""

import os
from typing import Any, NoReturn

VARIABLE = "LEM_SAFE_ARRAYS"
"""numpy or torch: what this process computes with, whatever it does."""


class Choice:
    """What is chosen, once, before anything is computed. plain: whether it is numpy. again: whether this is a
    command that begins again, with torch, where it needs that.
    """

    plain = os.environ.get(VARIABLE) == "numpy"
    again = False


class NeedsTorch(BaseException):
    """A command asked for something that only torch can do; no `except Exception` may hide it."""


class WithoutTorch(RuntimeError):
    """The same where nothing begins again: in a program of one's own."""

    def __str__(self) -> str:
        return f"{super().__str__()} is only possible with torch; leave {VARIABLE} unset, or set it to torch"


def needing(what: str) -> BaseException:
    """What is raised where numpy does not do."""
    return NeedsTorch(what) if Choice.again else WithoutTorch(what)


class Absent:
    """A name of torch's that is not here: it may be mentioned, and not used."""

    def __init__(self, name: str):
        self._name = name

    def __call__(self, *given: Any, **named: Any) -> NoReturn:
        raise needing(self._name)

    def __getattr__(self, name: str) -> "Absent":
        return absent(name, f"{self._name}.")

    def __bool__(self) -> NoReturn:
        raise needing(self._name)


def absent(name: str, within: str = "torch.") -> Absent:
    """For the `__getattr__` of a module that stands for one of torch's."""
    if name.startswith("__"):
        raise AttributeError(name)
    return Absent(within + name)
