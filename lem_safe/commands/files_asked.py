"""Files that a command is asked to write beside what it prints: named, not there yet, and not its input."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lem_safe.errors import BadInput, Fault
from lem_safe.files import real, write_text
from lem_safe.run_directory import FINISHED, must_be_fresh
from lem_safe.scenario.messages import did_you_mean


class Written(NamedTuple):
    """One FORMAT=FILE."""

    form: str
    path: Path

    def put(self, text: str) -> None:
        """Writes the file, and the folder that it is in."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self.path, text)


def written(texts: Sequence[str], formats: Mapping[str, Any]) -> list[Written]:
    """What `--write FORMAT=FILE` asks for; BadInput for every text that does not say it."""
    found, faults = [], []
    for text in texts:
        form, equals, name = text.partition("=")
        if not equals or not form or not name:
            faults.append(Fault(f"must be FORMAT=FILE, as in junit=audit.xml; got '{text}'", key="--write"))
        elif form not in formats:
            known = did_you_mean(form, list(formats))
            faults.append(Fault(f"'{form}' is not an audit format{known}", key="--write"))
        else:
            found.append(Written(form, Path(name)))
    if faults:
        raise BadInput(faults)
    return found


def must_be_free(paths: Iterable[Path], inputs: Iterable[Path], overwrite: bool) -> None:
    """Refuses files that are there already, unless `overwrite`; and ones that are asked for twice, are read
    by the command, or are no files.
    """
    paths, faults = list(paths), list[Fault]()
    read, seen = {real(path) for path in inputs}, set()
    for path in paths:
        place = real(path)
        if "\0" in str(path):
            faults.append(Fault("holds a NUL character, which no name can; choose another name", str(path)))
        elif place in seen:
            faults.append(Fault("is to be written twice; give each file a name of its own", str(path)))
        elif place in read:
            faults.append(Fault("is read by this command; write to another file", str(path)))
        elif path.exists() and not path.is_file():
            faults.append(Fault("is not a file; choose another name", str(path)))
        elif path.exists() and not overwrite:
            faults.append(Fault("exists already; choose another name, or --overwrite", str(path)))
        seen.add(place)
    if faults:
        raise BadInput(faults)


def read_of(samples: str, paths: Iterable[Path | None]) -> list[Path]:
    """The files that samples are read from, among which these paths, which are to be written, may be."""
    from lem_safe.auditor.dataset import on_this_machine
    from lem_safe.data.parts import in_parts
    from lem_safe.data.remote import is_address

    if not is_address(samples) and not in_parts(Path(samples)):
        return [Path(samples)]
    return on_this_machine(samples) if any(path is not None and path.exists() for path in paths) else []


def must_not_be_read(path: Path, inputs: Iterable[Path]) -> None:
    """Refuses to write a file that the command reads."""
    if real(path) in {real(read) for read in inputs}:
        raise BadInput(Fault("is read by this command; write to another file", str(path)))


def replaceable(out: Path, overwrite: bool) -> None:
    """Refuses a directory that holds something already; with `overwrite`, one that holds something else than
    an earlier audit: a run, or an audit that grows.
    """
    if not overwrite or not out.is_dir() or not any(out.iterdir()):
        must_be_fresh(out, "choose another --out, or --overwrite to replace an audit in it")
        return
    audit = all((out / name).is_file() for name in ("audit.json", "shown.npz"))
    if not audit or any((out / name).exists() for name in (FINISHED, "growth.json")):
        raise BadInput(
            Fault("--overwrite replaces an audit, and this holds something else; choose another", str(out))
        )
