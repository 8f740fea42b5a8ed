"""Files of torch.save that are no weights: without an end, with code, or not whole."""

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


class Code:
    """What would run a command if it were unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("code in a file was run",))


def _itself() -> Any:
    value: dict[str, Any] = {"w": torch.zeros(2)}
    value["again"] = value
    return value


def _mutual() -> Any:
    a: dict[str, Any] = {}
    a["b"] = {"a": a, "list": [a]}
    return a


def _deep(depth: int) -> Any:
    value: Any = torch.zeros(1)
    for _ in range(depth):
        value = {"x": value}
    return value


def _bomb() -> Any:
    value: Any = {"w": torch.zeros(1)}
    for _ in range(40):
        value = {"a": value, "b": value}
    return value


def _save(value: Callable[[], Any], **options: Any) -> Callable[[Path], None]:
    return lambda path: torch.save(value(), path, **options)


def _whole() -> bytes:
    held = io.BytesIO()
    torch.save({"ema_model": {"w": torch.arange(64.0)}}, held)
    return held.getvalue()


def _cut(share: float) -> Callable[[Path], None]:
    return lambda path: void(path.write_bytes(_whole()[: int(share * len(_whole()))]))


def _zip(**members: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name.replace("__", "/"), content)

    return write


def void(_: object) -> None:
    """Drops a value."""


PICKLES: dict[str, Callable[[Path], None]] = {
    "a dictionary that holds itself": _save(_itself),
    "two that hold each other": _save(_mutual),
    "15 dictionaries deep": _save(lambda: _deep(15)),
    "400 dictionaries deep": _save(lambda: _deep(400)),
    "2^40 dictionaries": _save(_bomb),
    "code": _save(Code),
    "code among weights": _save(lambda: {"w": torch.zeros(2), "c": Code()}),
    "a list": _save(lambda: [torch.zeros(2)]),
    "a tensor": _save(lambda: torch.zeros(2)),
    "a number": _save(lambda: 5),
    "nothing": _save(lambda: None),
    "an empty dictionary": _save(dict),
    "keys that are no text": _save(lambda: {1: torch.zeros(1), (2, 3): torch.zeros(1), None: 3}),
    "keys with dots": _save(lambda: {"a.b": {"c": torch.zeros(1)}, "a": {"b.c": torch.ones(1)}}),
    "10^12 numbers of one": _save(lambda: {"ema_model": torch.zeros(1).expand(10**6, 10**6)}),
    "the format before torch 1.6": _save(lambda: {"w": torch.zeros(2)}, _use_new_zipfile_serialization=False),
    "a pickle": lambda path: void(path.write_bytes(pickle.dumps({"a": 1}))),
    "a pickle with code": lambda path: void(path.write_bytes(pickle.dumps(Code()))),
    "a pickle without an end": lambda path: void(path.write_bytes(pickle.dumps(list(range(999)))[:-9])),
    "a pickle of marks": lambda path: void(path.write_bytes(b"\x80\x02" + b"(" * 100_000)),
    "an empty zip": _zip(),
    "a zip of something else": _zip(hello=b"world"),
    "a zip with another pickle": _zip(archive__data__pkl=b"\x80\x02.", archive__version=b"3"),
    "a zip with an odd pickle": _zip(**{"archive__data.pkl": b"\x80\x02.", "archive__version": b"3"}),
    "a zip with a pickle of marks": _zip(
        **{"archive__data.pkl": b"\x80\x02" + b"(" * 10_000 + b".", "archive__version": b"3"}
    ),
    **{f"{round(100 * share)} % of a file": _cut(share) for share in (0.01, 0.2, 0.4, 0.6, 0.8, 0.99)},
    "text": lambda path: void(path.write_text("weights")),
    "PK": lambda path: void(path.write_bytes(b"PK")),
}
"""Each written to a path."""
