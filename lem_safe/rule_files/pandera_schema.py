"""A schema that pandera has written as YAML (`schema.to_yaml()`), as rules about columns.

The checks of a column are a mapping, `greater_than: 0`, or in newer files a list, `{value: 0, options:
{check_name: greater_than}}`. Checks ignore missing cells unless `ignore_na` is false; `nullable: false` is a
rule of its own. Checks that a program defines, patterns and lengths of text, and what is about a whole table
are listed.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from lem_safe.errors import BadInput, Fault
from lem_safe.rule_files import conditions
from lem_safe.rule_files.column_text import column_text
from lem_safe.rule_files.conditions import Unmapped
from lem_safe.rule_files.rule_file import Names, Requirement, RuleFile
from lem_safe.scenario.source import Source

FORM = "pandera"
ALIASES = {
    "gt": "greater_than",
    "ge": "greater_than_or_equal_to",
    "lt": "less_than",
    "le": "less_than_or_equal_to",
    "eq": "equal_to",
    "ne": "not_equal_to",
    "between": "in_range",
}
SIGNS = {
    "greater_than": ">",
    "greater_than_or_equal_to": ">=",
    "less_than": "<",
    "less_than_or_equal_to": "<=",
}
ABOUT = {"schema_type", "version", "title", "description", "name", "metadata", "api", "dataframe_library"}
ABOUT |= {"report_duplicates", "columns"}
READ = {"dtype", "pandas_dtype", "nullable", "checks", "title", "description", "name", "metadata", "default"}
READ |= {"allow_duplicates", "coerce", "required"}
WHOLE = ("int", "uint")
ALONE = "is no rule about the cells of a row"
Path = tuple[str | int, ...]


class Check(NamedTuple):
    """One check of a column. arguments: by name, or one alone under ''. path: its place in the file."""

    name: str
    arguments: dict[str, Any]
    options: dict[str, Any]
    path: Path

    @property
    def only(self) -> Any:
        """The one argument; Unmapped where there are several."""
        if len(self.arguments) != 1:
            raise Unmapped(f"needs one value; got {list(self.arguments) or 'none'}")
        return next(iter(self.arguments.values()))


def pandera_rules(source: Source, tolerance: Decimal) -> RuleFile:
    """The rules of a schema; BadInput where it holds none, or columns that cannot be read."""
    found = _Columns(source, tolerance)
    columns = source.value.get("columns")
    if not isinstance(columns, dict) or not all(isinstance(c, dict) for c in columns.values()):
        raise BadInput(
            source.fault(("columns",), "must be a mapping of columns, each with its dtype and checks")
        )
    for name, column in columns.items():
        found.add(name, column)
    found.list_all((), {k: v for k, v in source.value.items() if k not in ABOUT})
    if not found.rules:
        raise BadInput(Fault("holds no check that is a rule about columns", source.file))
    return RuleFile(FORM, tuple(found.rules), {}, tuple(found.unmapped))


class _Columns:
    """The rules of columns, as they are found."""

    def __init__(self, source: Source, tolerance: Decimal):
        self.source, self.tolerance, self.names = source, tolerance, Names(["any_rule"])
        self.rules: list[Requirement] = []
        self.unmapped: list[Fault] = []

    def add(self, name: str, column: dict[str, Any]) -> None:
        """All that is asked of one column."""
        path: Path = ("columns", name)
        if column.get("regex") is True:
            self.list_(path, "is a pattern of names, and each rule is about one column")
            return
        text, nullable, before = column_text(name), column.get("nullable") is True, len(self.rules)
        dtype = str(column.get("dtype") or column.get("pandas_dtype") or "")
        for check in self._checks(column, path):
            self._check(name, check, dtype, nullable)
        self._dtype(name, dtype, text, nullable)
        if len(self.rules) == before and dtype:
            self.list_((*path, "dtype"), f"'{dtype}' alone is no rule: each rule reads a column as its type")
        if not nullable:
            self.rule(
                f"{name}_nullable", (*path, "nullable"), f"{name}: nullable: false", conditions.present(text)
            )
        self.list_all(path, {k: v for k, v in column.items() if k not in READ})
        if column.get("coerce") is True:
            self.list_((*path, "coerce"), "changes a table, which no rule does")
        if column.get("required") is False:
            self.list_((*path, "required"), "is not known of rules: each needs its columns")

    def _checks(self, column: dict[str, Any], path: Path) -> Iterator[Check]:
        """The checks of a column, in either form; the others are listed."""
        given = column.get("checks") or {}
        inline = {k: v for k, v in column.items() if ALIASES.get(k, k) in KNOWN}
        for name, value in inline.items():
            yield _check(name, value, (*path, name))
        if isinstance(given, dict):
            for name, value in given.items():
                yield _check(name, value, (*path, "checks", name))
            return
        for i, value in enumerate(given if isinstance(given, list) else [given]):
            options = value.get("options") if isinstance(value, dict) else None
            if not isinstance(options, dict) or not isinstance(options.get("check_name"), str):
                self.list_((*path, "checks", i), "is no check with a check_name among its options")
                continue
            yield _check(options["check_name"], value, (*path, "checks", i))

    def _check(self, column: str, check: Check, dtype: str, nullable: bool) -> None:
        """The rule of one check."""
        try:
            if check.options.get("raise_warning") is True:
                raise Unmapped("only warns")
            wanted = _condition(column_text(column), check, self.tolerance, "datetime" in dtype)
        except Unmapped as why:
            self.list_(check.path, f"'{check.name}' {why}")
            return
        if nullable and check.options.get("ignore_na") is not False:
            wanted = conditions.either([conditions.missing(column_text(column)), wanted])
        value = check.arguments.get("", check.arguments)
        self.rule(f"{column}_{check.name}", check.path, f"{column}: {check.name}: {value}", wanted)

    def _dtype(self, column: str, dtype: str, text: str, nullable: bool) -> None:
        """The rule that a column holds whole numbers, or truth values."""
        wanted = None
        if dtype.casefold().startswith(WHOLE):
            wanted = conditions.whole(text, self.tolerance)
        elif dtype.casefold().startswith("bool"):
            wanted = f"{text} == true or {text} == false"
        if wanted is not None:
            whole = conditions.either([conditions.missing(text), wanted]) if nullable else wanted
            self.rule(f"{column}_dtype", ("columns", column, "dtype"), f"{column}: dtype: {dtype}", whole)

    def rule(self, name: str, path: Path, written: str, require: str) -> None:
        """One rule more."""
        line = self.source.fault(path, "").line or 1
        self.rules.append(Requirement(self.names.new(name), line, written, require))

    def list_(self, path: Path, why: str) -> None:
        """One part more that is no rule."""
        self.unmapped.append(self.source.fault(path, why, at_key=True))

    def list_all(self, path: Path, found: dict[str, Any]) -> None:
        """The keys that ask for something and are no rule."""
        for key, value in found.items():
            if value not in (None, False, [], {}) and ALIASES.get(key, key) not in KNOWN:
                self.list_((*path, key), ALONE)


def _check(name: str, value: Any, path: Path) -> Check:
    """One check with its arguments and its options."""
    arguments = dict(value) if isinstance(value, dict) else {"": value}
    options = arguments.pop("options", None) or {}
    return Check(ALIASES.get(name, name), arguments, options if isinstance(options, dict) else {}, path)


def _condition(column: str, check: Check, slack: Decimal, dates: bool) -> str:
    """What a check asks of a cell; Unmapped where no rule says it."""
    match check.name:
        case name if name in SIGNS:
            return _bound(column, SIGNS[name], check.only, slack, dates)
        case "in_range":
            least, most = (check.arguments.get(key) for key in ("min_value", "max_value"))
            low = ">" if check.arguments.get("include_min") is False else ">="
            high = "<" if check.arguments.get("include_max") is False else "<="
            sides = [_bound(column, low, least, slack, dates), _bound(column, high, most, slack, dates)]
            return conditions.every(sides)
        case "isin" | "equal_to":
            values = check.only if check.name == "isin" else [check.only]
            return conditions.among(column, _several(values), slack)
        case "notin" | "not_equal_to":
            values = check.only if check.name == "notin" else [check.only]
            return conditions.none_of(column, _several(values))
    raise Unmapped(ALONE)


def _bound(column: str, sign: str, value: Any, slack: Decimal, dates: bool) -> str:
    """A bound of numbers, or of dates, which have no tolerance."""
    if dates and isinstance(value, str):
        return f"{column} {sign} {conditions.quoted(value.strip().replace(' ', 'T', 1))}"
    return conditions.bound(column, sign, value, slack)


def _several(values: Any) -> list[Any]:
    if not isinstance(values, list):
        raise Unmapped(f"needs a list of values; got {values!r:.60}")
    return values


KNOWN = {*SIGNS, "in_range", "isin", "equal_to", "notin", "not_equal_to"}
