"""Kinds: everything that a specification can name by `kind`, one frozen entry each, in tables that check a
row when it is added.

A row is an `Entry`, or the constructor alone where it has the entry's fields as attributes, as a class may:
`"ball": Ball`. Every property of a kind is a field of its entry, and is never guessed. A kind of another
package is added on first use; if that fails, only that kind is refused.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Generic, NamedTuple, TypeVar

from barriers.plain.needs import Choice, needing
from barriers.specification import SpecificationError, parameters

REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "REQUIRED"})()
"""The default of fields that must be given."""
NAME = re.compile(r"[a-z][a-z0-9_]*")
"""The pattern of a kind's name."""


class KindError(SpecificationError):
    """A row that cannot be added to its table, or a kind that is known by name and cannot be used."""


def asked(line: str, holds: Callable[[Any], bool]) -> Any:
    """A field that every row must have. line: the line of code that gives it, with KIND for the kind. holds:
    whether a value is valid.
    """
    return field(default=REQUIRED, metadata={"line": line, "holds": holds})


@dataclass(frozen=True)
class Entry:
    """One kind. example: a complete specification of it, with its `kind`, for tests, `lem-safe new` and
    editors.

    origin: the distribution that provides it and its version; empty for built-in kinds.
    """

    constructor: Callable[..., Any]
    example: Mapping[str, Any] = asked('example = {"kind": "KIND", ...}', lambda v: isinstance(v, Mapping))
    origin: str = ""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """The result of the constructor."""
        return self.constructor(*arguments, **named)

    @property
    def summary(self) -> str:
        """The first paragraph of the constructor's docstring, on one line."""
        return summary(self.constructor)


def summary(documented: Any) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(documented) or "").split("\n\n")[0].split())


E = TypeVar("E", bound=Entry)


class Offer(NamedTuple):
    """A kind that an installed distribution offers; `load` imports its row."""

    origin: str
    load: Callable[[], Any]


class Kinds(MutableMapping[str, E], Generic[E]):
    """A table of entries by kind, in order. Iteration is over the usable kinds; `names` includes those that
    are only offered.

    noun: the name of a kind in messages. entry: the type of its rows. base: a required base class of
    constructors.
    refusing: why a constructor cannot be added, or None. default: the kind of a mapping without one.
    reserved: names with another meaning in specifications. Raises KindError, which names the kind and the
    field, for an incomplete row.
    """

    def __init__(
        self,
        noun: str,
        entry: type[E],
        rows: Mapping[str, Any],
        *,
        base: type | None = None,
        refusing: Callable[[Any], str | None] = lambda made: None,
        default: str | None = None,
        reserved: tuple[str, ...] = (),
    ):
        self.noun, self.entry, self.base, self.refusing = noun, entry, base, refusing
        self.default, self.reserved = default, reserved
        self.revision = 0
        self._rows: dict[str, E] = {}
        self._offers: dict[str, list[Offer]] = {}
        self._refused: dict[str, str] = {}
        self._unused: list[tuple[str, str]] = []
        self.update(rows)

    def __getitem__(self, kind: str) -> E:
        if kind in self._offers:
            self.settle(kind)
        return self._rows[kind]

    def __setitem__(self, kind: str, row: Any) -> None:
        self._rows[kind] = self._checked(kind, row)
        self.revision += 1

    def __delitem__(self, kind: str) -> None:
        del self._rows[kind]
        self.revision += 1

    def __iter__(self) -> Iterator[str]:
        return (kind for kind in self._rows if kind not in self._offers)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, kind: object) -> bool:
        return kind in self._rows or kind in self._offers

    def names(self) -> list[str]:
        """Every kind that is known by name, whether or not it can be used."""
        return list(dict.fromkeys([*self._rows, *self._offers]))

    def offered(self) -> list[str]:
        """The kinds that other distributions offer and that have not been added."""
        return list(self._offers)

    def kind_of(self, member: object) -> str:
        """The kind whose constructor made `member`, a class; raises KeyError for something else."""
        for kind, entry in self.items():
            if entry.constructor is type(member):
                return kind
        raise KeyError(f"{type(member).__name__} is no {self.noun} of this table")

    def offer(self, kind: str, offer: Offer) -> None:
        """Makes a kind of another distribution known; it is loaded only on use. A name that is taken is never
        used: built-in kinds cannot be replaced.
        """
        taken = kind in self.reserved or (kind in self._rows and not self._rows[kind].origin)
        if taken:
            self._unused.append((kind, offer.origin))
        else:
            self._offers.setdefault(kind, []).append(offer)
        self.revision += 1

    def settle(self, kind: str) -> None:
        """Loads an offered kind and adds it to the table; raises KindError where it cannot be used, without
        trying a second time.
        """
        if kind in self._offers and kind not in self._refused:
            try:
                self._rows[kind] = self._accepted(kind)
            except KindError as error:
                self.refuse(kind, str(error))
            else:
                del self._offers[kind]
                self.revision += 1
        if kind in self._refused:
            raise KindError(f"{self.noun} kind '{kind}' cannot be used: {self._refused[kind]}")

    def refuse(self, kind: str, why: str) -> None:
        """Removes a kind of another distribution."""
        entry = self._rows.get(kind)
        if entry is not None and entry.origin:
            self._offers[kind] = [Offer(self._rows.pop(kind).origin, lambda: entry)]
        self._refused[kind] = why
        self.revision += 1

    def refusals(self) -> dict[str, str]:
        """Kinds that were tried and cannot be used, and why."""
        return dict(self._refused)

    def unused(self) -> list[tuple[str, str]]:
        """Kinds offered under a built-in name, and by which distribution: they are never used."""
        return list(self._unused)

    def _accepted(self, kind: str) -> E:
        """The row of the only offer of a kind; raises KindError, which names the distribution."""
        offers = self._offers[kind]
        origins = " and ".join(offer.origin for offer in offers)
        if len(offers) > 1:
            raise KindError(f"{origins} both offer a kind of this name; uninstall one of them")
        if not NAME.fullmatch(kind):
            raise KindError(
                f"{origins} offers a kind whose name is not lower-case letters, digits and '_'; rename it in "
                "its entry points"
            )
        if Choice.plain:
            raise needing(f"a kind of {origins}")
        try:
            row = offers[0].load()
        except (Exception, SystemExit) as error:
            raise KindError(
                f"importing it from {origins} raised {type(error).__name__}: {error}; repair or uninstall "
                "that distribution"
            ) from error
        try:
            return replace(self._checked(kind, row), origin=origins)
        except KindError as error:
            raise KindError(f"what {origins} offers is not such an entry: {error}") from error

    def _checked(self, kind: str, row: Any) -> E:
        """The entry of a row; raises KindError, which names the kind, the field and the missing line."""
        entry = row if isinstance(row, self.entry) else self._read(kind, row)
        made, place = entry.constructor, _place(entry.constructor)
        base = self.base
        if base is not None and not (isinstance(made, type) and issubclass(made, base)):
            raise KindError(
                f"{self.noun} '{kind}': must be a subclass of {base.__module__}.{base.__name__}; got {made!r}"
            )
        if (why := self.refusing(made)) is not None:
            raise KindError(f"{self.noun} '{kind}': {why}; see {place}")
        for f in fields(entry):
            if "line" not in f.metadata:
                continue
            value, line = getattr(entry, f.name), f.metadata["line"].replace("KIND", kind)
            if value is REQUIRED:
                raise KindError(f"{self.noun} '{kind}': has no `{f.name}`; {place} wants the line  {line}")
            if not f.metadata["holds"](value):
                raise KindError(
                    f"{self.noun} '{kind}': `{f.name}` cannot be {value!r}; {place} wants the line  {line}"
                )
        if entry.example.get("kind") != kind:
            raise KindError(
                f"{self.noun} '{kind}': its `example` must be a specification of this kind; {place} wants "
                f'the line  example = {{"kind": "{kind}", ...}}'
            )
        if not entry.summary:
            raise KindError(f"{self.noun} '{kind}': has no docstring; {place} wants one that says what it is")
        try:
            parameters(made)
        except Exception as error:
            raise KindError(f"{self.noun} '{kind}': its constructor cannot be read: {error}") from error
        return entry

    def _read(self, kind: str, row: Any) -> E:
        """The entry of a constructor that has the fields as attributes."""
        if not callable(row):
            raise KindError(
                f"{self.noun} '{kind}': must be a constructor or a {self.entry.__name__}; got {row!r}"
            )
        own = {f.name for f in fields(self.entry)} - {"constructor", "origin"}
        given = {name: getattr(row, name, REQUIRED) for name in own}
        return self.entry(row, **{name: value for name, value in given.items() if value is not REQUIRED})


def _place(constructor: Callable[..., Any]) -> str:
    """The file and name of a constructor."""
    module = getattr(constructor, "__module__", None) or "its module"
    return f"{getattr(constructor, '__qualname__', repr(constructor))} in {module.replace('.', '/')}.py"
