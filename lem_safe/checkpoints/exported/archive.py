"""The members of a .pt2 archive, as bytes: a zip file that is never unpacked to disk.

torch stores members uncompressed. Anything else is refused, so that a file never grows when it is read.
"""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lem_safe.errors import BadInput, Fault
from lem_safe.inputs import must_fit

MOST_MEMBERS, LARGEST_JSON = 100_000, 2**26
"""Members of an archive; bytes of a member that is read as JSON."""
EXPRESSION = re.compile(r"[\w\s'(),*+/=.<>&|-]*")
WORDS = """
Symbol positive integer nonnegative True False Integer Rational Mul Add Pow Max Min Mod FloorDiv PythonMod
CleanDiv CeilDiv ModularIndexing Eq Ne Lt Le Gt Ge And Or Not int_oo
"""
"""The names in an expression of a shape; others must be of a symbol, such as s77."""
SYMBOL = re.compile(r"[a-z]\w{0,63}|\d+")


class Archive:
    """A .pt2 file in memory. Every fault is a ValueError with the reason."""

    def __init__(self, content: bytes):
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError, EOFError) as error:
            raise ValueError(f"is not a complete .pt2 archive: {error}") from None
        members = self._zip.infolist()
        if len(members) > MOST_MEMBERS or sum(m.file_size for m in members) > len(content):
            raise ValueError(f"claims more than its {len(content):,} bytes can hold")
        names = [m.filename for m in members]
        for member in members:
            _must_be_plain(member)
        if len(set(names)) < len(names):
            raise ValueError("holds two members of one name")
        stems = {name.split("/")[0] for name in names}
        if len(stems) != 1 or f"{min(stems)}/archive_format" not in names:
            raise ValueError(
                "is not an archive of torch.export.save (torch 2.8 or later writes one): it has no "
                "archive_format; save the model again with torch.export.save"
            )
        self.stem = stems.pop()
        self.names = frozenset(name.removeprefix(f"{self.stem}/") for name in names)
        if self.read("archive_format").strip() != b"pt2":
            raise ValueError("is not an archive of torch.export.save: its archive_format is not pt2")
        if "byteorder" in self.names and self.read("byteorder").strip() != b"little":
            raise ValueError("must hold numbers in little-endian order")

    def read(self, name: str) -> bytes:
        """The bytes of one member."""
        if name not in self.names:
            raise ValueError(f"has no member {name}")
        try:
            return self._zip.read(f"{self.stem}/{name}")
        except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise ValueError(f"is damaged: {error}") from None

    def json(self, name: str) -> Mapping[str, Any]:
        """The mapping that a member holds as JSON; its expressions of shapes are compared with what torch
        writes, and never evaluated.
        """
        content = self.read(name)
        if len(content) > LARGEST_JSON:
            raise ValueError(f"{name} has {len(content):,} bytes; at most {LARGEST_JSON:,} are read")
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{name} is not JSON: {error}") from None
        if not isinstance(found, dict):
            raise ValueError(f"{name} is not a mapping")
        _must_be_shapes(found, name)
        return found


def content_of(path: Path, sha256: str | None) -> bytes:
    """The bytes of a file, of that SHA-256 where it is given; BadInput."""
    must_fit(path, "a relative path starts at the scenario's own folder")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256.lower():
        raise BadInput(
            Fault(
                f"has the SHA-256 {found}, and {sha256.lower()} is expected; check that it is the file you "
                "mean, and correct sha256: if it is",
                str(path),
            )
        )
    return content


def _must_be_plain(member: zipfile.ZipInfo) -> None:
    parts = member.filename.split("/")
    if member.filename.startswith("/") or ".." in parts or "\\" in member.filename:
        raise ValueError(f"holds a member whose name leaves the archive: {member.filename!r}")
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
        raise ValueError(
            f"holds a compressed or encrypted member, {member.filename!r}, which torch.export.save never "
            "writes"
        )


def _must_be_shapes(found: Mapping[str, Any], name: str) -> None:
    """Refuses expressions of shapes that hold anything but symbols, integers and their arithmetic."""
    left: list[Any] = [found]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            left += value.values()
            if "expr_str" in value and not _is_shape(value["expr_str"]):
                raise ValueError(
                    f"{name} holds an expression of a shape with more than symbols and integers, "
                    f"{str(value['expr_str'])[:80]!r}, which torch would evaluate as code"
                )


def _is_shape(text: Any) -> bool:
    return (
        isinstance(text, str)
        and len(text) < 10_000
        and "__" not in text
        and EXPRESSION.fullmatch(text) is not None
        and all(
            word in WORDS.split() or SYMBOL.fullmatch(word) is not None for word in re.findall(r"\w+", text)
        )
        and not re.search(r"\w\s*\.\s*[A-Za-z_]", text)
    )
