"""Files that are not on this machine's disks: s3://, gs://, abfs:// and the like, as pyarrow's own file
systems read them; file:// is one of them, on this machine.

An address names a file, a directory, or a pattern. What can go wrong (a missing credential, no network, no
such file) is BadInput with the address, and nothing that could be a secret is repeated of it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from lem_safe.errors import BadInput, Fault

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+://")
_OPTIONS = re.compile(r"\?([A-Za-z_]+=[^/]*)$")
_SECRET = re.compile(r"^([A-Za-z][A-Za-z0-9+.\-]+://)[^/@]*:[^@]*@")
SIGNS = "*?["

WAYS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile in ~/.aws, or ?region= and "
    "?endpoint_override= in the address",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or gs://anonymous@BUCKET/ for public data",
    "abfs": "AZURE_STORAGE_ACCOUNT, az login, or abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/",
}
"""Where each kind of file system looks for credentials."""
SAME = {"gcs": "gs", "abfss": "abfs"}
AHEAD = 1 << 22
"""Bytes of a stream that are asked for at once."""
PATIENCE = "retry_limit_seconds=20"
"""How long a store that does not answer is asked again, where by default that is a quarter of an hour."""


def is_address(source: Any) -> bool:
    """Whether a text is an address and no path.

    >>> is_address("s3://bucket/rows.csv"), is_address("rows.csv"), is_address("c:/rows.csv")
    (True, False, False)
    """
    return isinstance(source, str) and _ADDRESS.match(source) is not None


def shown(address: str) -> str:
    """An address without passwords and options.

    >>> shown("s3://key:secret@bucket/a/part-?.csv?region=x"), shown("abfs://box@account/a")
    ('s3://bucket/a/part-?.csv', 'abfs://box@account/a')
    """
    return _SECRET.sub(r"\1", _apart(address)[0])


@dataclass(frozen=True)
class Remote:
    """One file of a file system of pyarrow. path: its path there; address: its whole address, as shown."""

    system: Any
    path: str
    address: str
    size: int

    def __str__(self) -> str:
        return self.address

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(self.path).name

    @property
    def suffix(self) -> str:
        """The ending of its name."""
        return PurePosixPath(self.path).suffix

    @property
    def stem(self) -> str:
        """Its name without the ending."""
        return PurePosixPath(self.path).stem

    def beside(self, ending: str) -> "Remote":
        """The file beside it whose name has this ending behind it."""
        return Remote(self.system, self.path + ending, self.address + ending, 0)

    def stream(self) -> Any:
        """Its bytes, from the beginning."""
        with reached(self.address):
            return self.system.open_input_stream(self.path, compression=None, buffer_size=AHEAD)

    def opened(self) -> Any:
        """The file, to be read at any place."""
        with reached(self.address):
            return self.system.open_input_file(self.path)


def found_at(address: str) -> tuple[list[tuple[Remote, str]], bool]:
    """Every file that an address may stand for, in the order of their paths, each with its path below the
    folder that they are in; and whether the address is that of one file. BadInput where there is nothing.
    """
    system, path = _system(address)
    plain, base = shown(address), _base(path)
    with reached(plain):
        from pyarrow.fs import FileSelector, FileType

        info = system.get_file_info(base)
        if info.type == FileType.NotFound:
            raise BadInput(Fault("no such file or directory; check the address", plain))
        single = info.type == FileType.File
        every = [info] if single else system.get_file_info(FileSelector(base, recursive=True))
    files = [each for each in every if each.type == FileType.File]
    if base != path:
        pattern = _pattern(path)
        files = [each for each in files if pattern.fullmatch(each.path)]
    if single:
        return [(Remote(system, info.path, plain, int(info.size)), info.base_name)], True
    found = []
    names = {str(each.path)[len(base) :].lstrip("/"): each for each in files}
    for below, each in sorted(names.items(), key=lambda one: one[0].split("/")):  # as those of paths
        found.append((Remote(system, each.path, f"{_base(plain)}/{below}", int(each.size)), below))
    return found, False


@contextmanager
def reached(address: str) -> Iterator[None]:
    """Turns what pyarrow raises of a file system into BadInput."""
    try:
        import pyarrow as pa
    except ImportError:
        message = "reading addresses needs pyarrow: pip install 'lem-safe[data]'"
        raise BadInput(Fault(message, address)) from None
    try:
        yield
    except BadInput:
        raise
    except (OSError, pa.ArrowException, ValueError) as error:
        scheme = address.partition("://")[0].lower()
        way = WAYS.get(SAME.get(scheme, scheme))
        hint = f"; check the address, the network, and the credentials ({way})" if way else ""
        raise BadInput(Fault(f"cannot be read: {_first(error)}{hint}", address)) from None


def _first(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:240]


def _system(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    plain, options = _apart(address)
    if plain.partition("://")[0].lower() in ("gs", "gcs") and "retry_limit_seconds" not in options:
        options = f"{options}&{PATIENCE}".lstrip("&")
    for sign in SIGNS + " ]":
        plain = plain.replace(sign, f"%{ord(sign):02X}")
    with reached(shown(address)):
        from pyarrow.fs import FileSystem

        system, path = FileSystem.from_uri(f"{plain}?{options}" if options else plain)
    return system, str(path).rstrip("/")


def _apart(address: str) -> tuple[str, str]:
    """The address and its options: a question mark begins them where `name=value` follows, with no folder
    behind it; else it is a sign of a pattern.
    """
    found = _OPTIONS.search(address)
    return (address[: found.start()], found[1]) if found else (address, "")


def _base(path: str) -> str:
    """The folder above the first part of a pattern that has a sign of one; the path where none has."""
    parts = path.rstrip("/").split("/")
    first = next((i for i, part in enumerate(parts) if any(sign in part for sign in SIGNS)), len(parts))
    return "/".join(parts[:first])


def _pattern(path: str) -> re.Pattern[str]:
    """A pattern of paths as an expression: ** stands for any folders, the other signs for parts of a name."""
    found = [
        "(?:[^/]+/)*" if part == "**" else _part(part) + "/" * (i < path.count("/"))
        for i, part in enumerate(path.split("/"))
    ]
    return re.compile("".join(found), re.DOTALL)


def _part(text: str) -> str:
    """A part of a pattern of paths."""
    made = re.sub(
        r"\*+|\?|\[!?[^\]]+\]|[^*?\[]+|\[",
        lambda found: _SIGN.get(found[0][0], re.escape)(found[0]),
        text,
    )
    return f"(?![._]){made}"


_SIGN = {
    "*": lambda sign: "[^/]*",
    "?": lambda sign: "[^/]",
    "[": lambda sign: sign.replace("[!", "[^") if len(sign) > 1 else re.escape(sign),
}
