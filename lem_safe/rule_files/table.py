"""What was converted, and how often real rows break it, in words and as JSON."""

from decimal import Decimal
from typing import Any, NamedTuple

from lem_safe.escaping import on_one_line
from lem_safe.formatting import aligned, percent
from lem_safe.rule_files.converted import ANY, Converted
from lem_safe.rule_files.counts import Broken, Counts
from lem_safe.rule_files.rule_file import numeral

SHOWN = 70
ROUNDING = (
    "Cells are float64, and sums are rounded unless they are of whole numbers or one difference against 0: a "
    "row exactly on the boundary of such a rule may be counted on either side."
)


class Result(NamedTuple):
    """A conversion. beside: the tolerance of the second count, which is the conversion's own where that is
    not 0. counts: None without data. out: the file written, None where there is none.
    """

    converted: Converted
    beside: Decimal
    data: str | None = None
    counts: Counts | None = None
    out: str | None = None

    def to_text(self) -> str:
        """The rules, how many rows break each, what is no rule, and what comes next."""
        return "\n".join([self._head(), "", *self._table(), *self._left(), "", *self._next()])

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values."""
        rules = [{**rule._asdict(), **self._broken(rule.name)} for rule in self.converted.rules.rules]
        counts = self.counts
        return {
            "file": self.converted.file,
            "format": self.converted.rules.form,
            "tolerance": float(self.converted.tolerance),
            "counted_tolerance": None if counts is None else float(self.beside),
            "beta": self.converted.beta,
            "data": self.data,
            "rows": None if counts is None else counts.rows,
            "dropped": None if counts is None else counts.dropped,
            "rules": rules,
            "any_rule": self._broken(ANY) or None,
            "unmapped": [
                {"line": f.line, "key": f.key, "message": f.message} for f in self.converted.rules.unmapped
            ],
            "scenario": self.converted.content(),
            "out": self.out,
        }

    def _broken(self, name: str) -> dict[str, Any]:
        if self.counts is None:
            return {}
        found = self.counts.broken[name]
        return {
            "broken": found.exactly,
            "broken_beyond_tolerance": found.within,
            "without_value": found.undefined,
        }

    def _head(self) -> str:
        rules = self.converted.rules
        text = (
            f"{self.converted.file}: {len(rules.rules):,} rule{'s' * (len(rules.rules) != 1)} ({rules.form})"
        )
        if self.counts is None:
            return text
        dropped = f", {self.counts.dropped:,} more left out as they miss a value" * bool(self.counts.dropped)
        what = "rows" if self.counts.unit == "sample" else f"{self.counts.unit}s"
        return f"{text}; {on_one_line(self.data)}: {self.counts.rows:,} {what}{dropped}"

    def _table(self) -> list[str]:
        shown = [(rule.name, rule.require) for rule in self.converted.rules.rules]
        if self.counts is None:
            return aligned([("rule", "what must hold"), *((name, _cut(text)) for name, text in shown)])
        gaps = any(found.undefined for found in self.counts.broken.values())
        heads = [
            "rule",
            "break it",
            f"by more than {numeral(self.beside)}",
            *["no value"] * gaps,
            "what must hold",
        ]
        lines = [
            [name, *_cells(self.counts.broken[name], self.counts.rows, gaps), _cut(text)]
            for name, text in [*shown, (ANY, "all of these")]
        ]
        return aligned([heads, *lines])

    def _left(self) -> list[str]:
        left = self.converted.rules.unmapped
        if not left:
            return []
        lines = [
            f"  line {fault.line}: {on_one_line(fault.key)}: {on_one_line(fault.message)}" for fault in left
        ]
        return ["", "What the file also says, and no rule does:", *lines]

    def _next(self) -> list[str]:
        """How the counts were made, and what to do with the file."""
        beside, own = numeral(self.beside), self.converted.tolerance
        lines = []
        if self.counts is not None:
            lines.append(
                f"'break it' is the rule as written; 'by more than {beside}' accepts each inequality up to "
                f"{beside}{'' if own else ', as PiShield checks'}. {ROUNDING}"
            )
        if self.out is None:
            return [*lines, "Write the scenario with --out FILE."]
        derived = ", `derived`" if self.converted.rules.derived else ""
        return [
            *lines,
            f"{self.out}: audit samples with  lem-safe audit SAMPLES {self.out}",
            f"To sample under these rules: lem-safe new scenario.yaml --data {self.data or 'DATA'}, and put "
            f"`unsafe`{derived} and `constraints` of {self.out} in the place of its own.",
        ]


def _cells(found: Broken, rows: int, gaps: bool) -> list[str]:
    counted = [
        "-" if n is None else f"{n:,} ({percent(n / rows if rows else 0.0)})"
        for n in (found.exactly, found.within)
    ]
    return [*counted, *[f"{found.undefined:,}"] * gaps]


def _cut(text: str) -> str:
    line = on_one_line(text)
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 3]}..."
