"""Rules as a scenario to audit with: each is a region of the rows that break it, and `any_rule` one of the
rows that break any.
"""

import json
import re
import textwrap
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from lem_safe.escaping import on_one_line
from lem_safe.rule_files.rule_file import RuleFile, numeral

ANY = "any_rule"
WIDTH, SHOWN = 110, 90


class Converted(NamedTuple):
    """A file of rules under a tolerance, and what is asked of them. file: its name. tolerance: by how much an
    inequality may be missed. beta: the fraction of rows that may break each.
    """

    rules: RuleFile
    file: str
    tolerance: Decimal
    beta: float

    @property
    def name(self) -> str:
        """The scenario's name: the file's, without its ending."""
        stem = re.sub(r"[^\w.+-]+", "_", self.file.rsplit(".", 1)[0])[:90]
        return stem if re.match(r"\w", stem) else f"rules_{stem}"

    def unsafe(self) -> dict[str, Any]:
        """The regions, as a scenario writes them."""
        regions: dict[str, Any] = {
            rule.name: {"kind": "rule", "require": rule.require} for rule in self.rules.rules
        }
        return regions | {ANY: {"any": list(regions)}}

    def content(self) -> dict[str, Any]:
        """The scenario as plain values."""
        regions = self.unsafe()
        derived = {"derived": dict(self.rules.derived)} if self.rules.derived else {}
        constraints = [{"set": name, "beta": self.beta} for name in regions]
        return {"version": 1, "name": self.name, **derived, "unsafe": regions, "constraints": constraints}

    def to_yaml(self) -> str:
        """The scenario as a file; comments hold what each rule is in the file of rules, and what is none."""
        return "\n".join(
            [
                *self._head(),
                "version: 1",
                f"name: {_scalar(self.name)}",
                *(["derived:"] if self.rules.derived else []),
                *(f"  {name}: {_scalar(text)}" for name, text in self.rules.derived.items()),
                "unsafe:",
                *self._regions(),
                "constraints:",
                *(f"  - {{set: {name}, beta: {_plain(self.beta)}}}" for name in self.unsafe()),
                "",
            ]
        )

    def _head(self) -> list[str]:
        """What the file is, in comments."""
        held = (
            "exactly as written"
            if not self.tolerance
            else f"up to {numeral(self.tolerance)}, which is written into the rules"
        )
        text = (
            f"The rules of {self.file} ({self.rules.form}), by lem-safe rules convert. Inequalities hold "
            f"{held}. A region holds the rows that break a rule, {ANY} those that break any; beta is the "
            "fraction of rows that may."
        )
        lines = _comment(text)
        if self.rules.unmapped:
            lines += _comment("What the file also says, and no rule does:")
            lines += [f"#   {_cut(f'{fault.key}: {fault.message}')}" for fault in self.rules.unmapped]
        return lines

    def _regions(self) -> Iterable[str]:
        for rule in self.rules.rules:
            yield f"  # line {rule.line}: {_cut(rule.written)}"
            yield f"  {rule.name}: {{kind: rule, require: {_scalar(rule.require)}}}"
        names = ", ".join(rule.name for rule in self.rules.rules)
        yield from textwrap.wrap(
            f"{ANY}: {{any: [{names}]}}", WIDTH, initial_indent="  ", subsequent_indent="    "
        )


def _plain(beta: float) -> str:
    return "0" if not beta else repr(beta)


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        on_one_line(text), WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False
    )


def _cut(text: str) -> str:
    line = on_one_line(text)
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 3]}..."


def _scalar(text: str) -> str:
    """A text in double quotes, which YAML and JSON share."""
    return json.dumps(text, ensure_ascii=not text.isprintable())
