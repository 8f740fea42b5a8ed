"""What is raised where numpy alone does not do."""

from typing import Any, NoReturn


class NeedsTorch(BaseException):
    """Something was asked of the numpy arrays that only torch can do; no `except Exception` may hide it."""


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
