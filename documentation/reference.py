"""The pages of the reference: every public name, each documented in one place.

The names of `lem_safe` itself are on the first page. The page of a package lists all of its names, and
documents those that the first page has not.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from inspect import isclass, ismodule, isroutine
from pathlib import Path
from typing import Any

from documentation.prose import sentence

TOP = "lem_safe"
BARE = "members: false, show_root_heading: false, show_root_toc_entry: false"
KINDS = ("Classes", "Functions", "Modules", "Exceptions", "Values")


@dataclass(frozen=True)
class Package:
    """A page: a package and what it documents beyond its `__all__`."""

    page: str
    module: str
    title: str
    more: tuple[str, ...] = ()


PACKAGES = (
    Package("programming", "lem_safe.programming", "Programming", ("guard.Guard", "counting.Counts")),
    Package("sets", "barriers.sets", "Sets"),
    Package("filters", "barriers.filters", "Filters"),
    Package("energies", "lem_safe.energies", "Energies"),
    Package("samplers", "lem_safe.samplers", "Samplers"),
    Package("runs", "lem_safe.runs", "Runs", ("result.Run", "runner.run", "sweep.Sweep", "sweep.sweep")),
    Package("auditing", "lem_safe.auditor", "Auditing"),
    Package("certificates", "lem_safe.certificates", "Certificates", ("certify.certify",)),
    Package("thinning", "lem_safe.thinning", "Thinning"),
    Package("judging", "lem_safe.judging", "Judging"),
)


def public(module: str) -> list[str]:
    """The names in a module's `__all__`, with its path before them; none where it has no such list."""
    return [f"{module}.{name}" for name in getattr(import_module(module), "__all__", ())]


def value(path: str) -> Any:
    """What a dotted path names."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


@cache
def places() -> dict[str, tuple[str, str]]:
    """For every public name, as users write it, the page that documents it and the name there."""
    first = {_identity(path): path for path in public(TOP)}
    found = {path: (TOP, path) for path in public(TOP)}
    for package in PACKAGES:
        for path in [*public(package.module), *(f"{package.module}.{name}" for name in package.more)]:
            shown = first.get(_identity(path))
            found[path] = (package.page, _unlike_a_module(path)) if shown is None else (TOP, shown)
    by_identity = {_identity(path): place for path, place in found.items()}
    return found | {path: by_identity[_identity(path)] for path in public("lem_safe.sets")}


def _unlike_a_module(path: str) -> str:
    """The path under which griffe finds a function that has the name of its module: the one within it."""
    namesake = not ismodule(value(path)) and path in sys.modules
    return f"{path}.{path.rpartition('.')[2]}" if namesake else path


def _identity(path: str) -> Any:
    """The same for the same class or function; a value is where it stands."""
    found = value(path)
    at = (getattr(found, "__module__", None), getattr(found, "__qualname__", None))
    return at if all(isinstance(part, str) for part in at) else path


def linked() -> Callable[[str], str | None]:
    """The identifier of a public name in full, `lem_safe.sample`; that of the class, of what a class has."""
    known = {path: shown for path, (_, shown) in places().items()}

    def target(code: str) -> str | None:
        path = code.removesuffix("()")
        owner = path.rpartition(".")[0]
        of_class = (
            owner in known
            and kind_of(value(owner)) == "Classes"
            and hasattr(value(owner), path[len(owner) + 1 :])
        )
        return known[owner] if of_class else known.get(path)

    return target


def pages() -> dict[str, str]:
    """The Markdown of every page, by the name of its file."""
    found = {f"{TOP}.md": _page(TOP, "lem_safe", public(TOP))}
    for package in PACKAGES:
        names = [path for path in places() if path.startswith(package.module + ".")]
        found[f"{package.page}.md"] = _page(package.page, package.title, names, package.module)
    return found


def _page(page: str, title: str, names: list[str], module: str = TOP) -> str:
    """The package's docstring, its names with a sentence each, and the documentation of those shown here."""
    known = places()
    shown = f"# {title}\n\n::: {module}\n    options: {{{BARE}}}\n"
    ordered = sorted(KINDS, key=lambda kind: kind != "Functions") if module == TOP else list(KINDS)
    by_kind = {kind: [path for path in names if kind_of(value(path)) == kind] for kind in ordered}
    for kind, paths in by_kind.items():
        lines = [_line(path, known[path][1]) for path in paths]
        shown += "\n".join(["", f"**{kind}**", "", *lines, ""]) if lines else ""
    own = [known[path][1] for paths in by_kind.values() for path in paths if known[path][0] == page]
    return shown + "\n" + "\n".join(map(_documented, own))


def kind_of(found: Any) -> str:
    """One of KINDS."""
    if isclass(found):
        return "Exceptions" if issubclass(found, BaseException) else "Classes"
    if ismodule(found):
        return "Modules"
    return "Functions" if isroutine(found) else "Values"


def _line(path: str, shown: str) -> str:
    found = value(path)
    said = "" if kind_of(found) == "Values" or not found.__doc__ else f": {sentence(found.__doc__)}"
    return f"- [`{path.rpartition('.')[2]}`][{shown}]{said}"


def _documented(path: str) -> str:
    found = value(path)
    if ismodule(found):
        return f"::: {path}\n    options: {{members: false}}\n"
    return f"::: {path}\n"


def write(into: Path) -> None:
    """Writes every page."""
    into.mkdir(parents=True)
    for name, text in pages().items():
        (into / name).write_text(text, encoding="utf-8")
