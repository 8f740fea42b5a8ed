"""Named expressions: `living: above + basement`, worked out from the columns wherever a rule names them."""

from collections.abc import Iterator, Sequence

from barriers.sets.cells import Cells
from barriers.sets.expression import FUNCTIONS
from barriers.sets.rule_error import DIVIDE, RuleError
from barriers.sets.rule_text import RuleText
from barriers.sets.sides import CONSTANTS, TRUTHS, Sides
from barriers.sets.typed import Typed

SHARED = ("is derived", DIVIDE)
"""What is said of all names that are derived from a faulty one, and once is enough."""


def faults_of(columns: Sequence[str], cells: Cells) -> Iterator[tuple[str, RuleError]]:
    """What is wrong with each derived name that is not sound, once a name: its form, its expression, or that
    it is made of itself.
    """
    known: dict[str, Typed] = {}
    told: list[str] = []
    for name, text in cells.derived.items():
        if not name.isidentifier() or name in FUNCTIONS or name in CONSTANTS or name.lower() in TRUTHS:
            why = " is no name that a rule can use: write letters, digits and _, and no name of a function"
            yield name, RuleError(f"'{name}'", 0, why)
            continue
        try:
            read = RuleText(text, columns)
            Sides(read, columns, cells, (name,), known).side(read.parsed(), 0)
            read.must_be_read()
        except RuleError as bad:
            if not any(sort in bad.why for sort in told):
                told += [sort for sort in SHARED if sort in bad.why]
                yield name, bad
        except RecursionError:
            yield name, RuleError("nested too deeply", 0, ": derive it in fewer steps")
