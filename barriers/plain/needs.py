"""Whether this process does without torch, and what is raised where numpy alone does not do."""

import os
from typing import Any, NoReturn

VARIABLE = "LEM_SAFE_ARRAYS"
"""numpy or torch: what this process computes with, whatever it does."""


class Choice:
    """What is chosen, once, before anything is computed. plain: whether it is numpy."""

    plain = os.environ.get(VARIABLE) == "numpy"


class NeedsTorch(BaseException):
    """Something was asked of the numpy arrays that only torch can do; no `except Exception` may hide it."""

    def __str__(self) -> str:
        return f"{super().__str__()} is only possible with torch; leave {VARIABLE} unset, or set it to torch"


class Absent:
    """A name of torch's that is not here: it may be mentioned, and not used."""

    def __init__(self, name: str):
        self._name = name

    def __call__(self, *given: Any, **named: Any) -> NoReturn:
        raise NeedsTorch(self._name)

    def __getattr__(self, name: str) -> "Absent":
        return absent(name, f"{self._name}.")

    def __bool__(self) -> NoReturn:
        raise NeedsTorch(self._name)


def absent(name: str, within: str = "torch.") -> Absent:
    """For the `__getattr__` of a module that stands for one of torch's."""
    if name.startswith("__"):
        raise AttributeError(name)
    return Absent(within + name)
