"""The line of a scenario that computes a column, and the names of columns in it."""

import json
from collections.abc import Sequence
from keyword import iskeyword

from barriers.sets import Cells
from barriers.sets.derived import of_columns
from barriers.sets.expression import FUNCTIONS
from barriers.sets.formula import Formula
from barriers.sets.identifiers import identifier
from barriers.sets.rule_error import RuleError
from barriers.sets.sides import CONSTANTS, TRUTHS

SWITCHES = ("yes", "no", "on", "off", "y", "n")
"""Words that some readers of YAML take for truth values."""


def derived_line(column: str, formula: str) -> str:
    """`derived:` of one column, quoted where YAML would read something else.

    >>> derived_line("living", "above + basement")
    'derived: {living: above + basement}'
    >>> derived_line("a: b", "min(c, d)")
    'derived: {"a: b": "min(c, d)"}'
    """
    return f"derived: {{{_quoted(column)}: {_quoted(formula)}}}"


def in_formulas(columns: Sequence[str], place: int) -> str | None:
    """A column as formulas name it; None where none can, or where it cannot be derived.

    >>> [in_formulas(["area", "first part", "pi", "x`y", "a`b", "a_b"], j) for j in range(6)]
    ['area', '`first part`', '`pi`', 'x_y', None, '`a_b`']
    """
    name = columns[place]
    if of_columns({name: ""}, columns) != {name: place}:
        return None
    taken = name in (*FUNCTIONS, *CONSTANTS, "then", "missing") or name.lower() in TRUTHS or iskeyword(name)
    plain = [name] if name.isidentifier() and not taken else []
    return next(
        (word for word in (*plain, f"`{name}`", identifier(name)) if _means(word, columns, place)), None
    )


def _means(word: str, columns: Sequence[str], place: int) -> bool:
    """Whether a formula that is this word is the column's value."""
    if "\n" in word or word != word.strip():
        return False
    try:
        return Formula(word, columns, Cells(stage="known")).used == [place]
    except (RuleError, ValueError):
        return False


def _quoted(text: str) -> str:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        plain = YAML(typ="safe").load(f"{{{text}: {text}}}") == {text: text}
    except YAMLError:
        plain = False
    return text if plain and text.lower() not in SWITCHES else json.dumps(text, ensure_ascii=False)
