"""The question of a certificate: regions and tolerances with the files they are read from, copied beside it,
so that it can be checked on another machine.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from barriers.sets.grid_map import companions
from lem_safe import files
from lem_safe.certificates.certificate import Certificate, GeometryFile
from lem_safe.data.parts import in_parts
from lem_safe.errors import BadInput, Fault
from lem_safe.inputs import must_be_readable
from lem_safe.registry import tables
from lem_safe.scenario import Scenario
from lem_safe.scenario import loads as scenario_of

FOLDER = "geometry"
"""Where the copies are, beside the certificate."""
ASKED = ("version", "name", "columns", "derived", "unsafe", "constraints", "audit")
"""The keys of a scenario that a certificate is about."""


def packed(scenario: Scenario, directory: Path) -> tuple[dict[str, Any], tuple[GeometryFile, ...]]:
    """The question as plain values, and the copies of its files in `directory`.

    A file that refers to another one outside its own folder, and one that stands for several, is named where
    it is and not copied.
    """
    content = {key: value for key, value in scenario.content().items() if key in ASKED}
    content["audit"] = {
        key: value
        for key, value in content["audit"].items()
        if key in ("confidence", "correction", "between")
    }
    names = {path: _copied(path, i, directory) for i, path in enumerate(dict.fromkeys(paths(content)))}
    files = [name for found in names.values() for name in found if not Path(name).is_absolute()]
    plain: dict[str, Any] = _named(content, {path: found[0] for path, found in names.items()})
    return plain, tuple(GeometryFile(name, sha256_of(directory / name)) for name in files)


def asked(certificate: Certificate, path: Path) -> Scenario:
    """The question of a certificate that is in the file `path`; BadInput where a file that it needs is
    missing or its regions cannot be built.
    """
    text = json.dumps(certificate.question)
    return scenario_of(text, tables(), file=path.name, directory=path.absolute().parent, to_audit=True)


def changed(certificate: Certificate, path: Path) -> list[str]:
    """The names of files beside the certificate whose content is not what was certified. BadInput where one
    is missing, or is not beside it.
    """
    for file in certificate.geometry:
        name = Path(file.path)
        if name.is_absolute() or ".." in name.parts:
            raise BadInput(
                Fault(f"must be in the folder of the certificate; got {file.path}", str(path), key="geometry")
            )
        must_be_readable(path.parent / name, "restore it beside the certificate")
    return [file.path for file in certificate.geometry if sha256_of(path.parent / file.path) != file.sha256]


def paths(value: Any) -> Iterator[Path]:
    """Every path among nested values."""
    if isinstance(value, Path):
        yield value
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for part in parts:
        yield from paths(part)


def sha256_of(path: Path) -> str:
    """The hash of a file's content."""
    try:
        return files.sha256_of(path)
    except OSError as error:
        why = f"cannot be read ({error.strerror}); restore it"
        raise BadInput(Fault(why, str(path))) from error


def _copied(path: Path, index: int, directory: Path) -> list[str]:
    """The names of the copies of a file and those it refers to, its own first; its path where it stays."""
    beside = companions(path)
    if in_parts(path) or not all(other.is_relative_to(path.parent) for other in beside):
        return [str(path)]
    place = Path(FOLDER, str(index))
    names = [place / file.relative_to(path.parent) for file in (path, *beside)]
    for file, name in zip((path, *beside), names, strict=True):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, directory / name)
    return [str(name) for name in names]


def _named(value: Any, names: Mapping[Path, str]) -> Any:
    if isinstance(value, Path):
        return names[value]
    if isinstance(value, Mapping):
        return {key: _named(part, names) for key, part in value.items()}
    return [_named(part, names) for part in value] if isinstance(value, list | tuple) else value
