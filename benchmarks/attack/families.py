"""The families, by name: each a generator of cases, given a folder for the files that its cases share."""

from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.attack import damaged_files, interruptions, machine, names, odd_paths, two_at_once
from benchmarks.attack.case import Case

Family = Callable[[Path], Iterator[Case]]

FAMILIES: dict[str, Family] = {
    "hostile names": names.family,
    "files that are no files": odd_paths.cases,
    "damaged checkpoints and caches": damaged_files.cases,
    "limits, outputs and encodings": machine.cases,
    "signals": interruptions.cases,
    "two processes in one directory": two_at_once.cases,
}
"""A new family is a module with such a generator, and a line here."""
