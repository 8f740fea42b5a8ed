"""A bundled scenario copied as a starting point, with the files that it reads."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from barriers.sets.grid_map import companions
from lem_safe.authoring.starter import name_of
from lem_safe.errors import BadInput, Fault
from lem_safe.registry import load
from lem_safe.scenario import bundled_programs, bundled_scenarios
from lem_safe.scenario.messages import did_you_mean
from lem_safe.scenario.model import MODELINE


class Copy(NamedTuple):
    """The text of the file to write, and what is to be copied beside it: the source of each path."""

    path: Path
    text: str
    beside: dict[Path, Path]

    @property
    def program(self) -> bool:
        """Whether it is a program in Python rather than a scenario."""
        return self.path.suffix == ".py"


def copied(name: str, path: Path | None) -> Copy:
    """The copy of a bundled scenario or program at `path`, by default its own name in the current directory;
    named like the new file. BadInput for a name that is not bundled.
    """
    known = bundled_scenarios() | bundled_programs()
    if name not in known:
        raise BadInput(Fault(f"no bundled scenario has this name{did_you_mean(name, list(known))}", "--from"))
    source = known[name]
    to = Path(source.name) if path is None else path
    if (to.suffix == ".py") != (source.suffix == ".py"):
        kind = "a program in Python" if source.suffix == ".py" else "a scenario"
        raise BadInput(Fault(f"{name} is {kind}: choose a name that ends in {source.suffix}", str(to)))
    text = source.read_text(encoding="utf-8")
    if source.suffix == ".py":
        return Copy(to, text, {})
    text = MODELINE + re.sub(r"\A# yaml-language-server:.*\n", "", text)
    text = re.sub(rf"^name: {name}$", f"name: {name_of(to)}", text, count=1, flags=re.M)
    here = source.resolve().parent
    read = {file.resolve() for file in _files(load(source).content())}
    return Copy(to, text, {to.parent / file.relative_to(here): file for file in sorted(read)})


def _files(value: Any) -> Iterator[Path]:
    """Every file that plain values name, and those that these name."""
    if isinstance(value, Path):
        yield from (value, *companions(value))
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for part in parts:
        yield from _files(part)
