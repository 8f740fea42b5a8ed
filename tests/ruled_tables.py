"""Random tables of text, dates, whole and other numbers with missing cells, and random rules about them, each
with what plain Python says of one row: true, false, or None where a missing cell leaves it open.
"""

import io
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from hypothesis import strategies as st

Row = Mapping[str, Any]
Verdict = bool | None

SEXES = ["M", "F", "x y", "NA", "then", "if", "d'Or"]
DAYS = [date(2019, 12, 31) + timedelta(days=k) for k in (0, 1, 2, 31, 400)]
COLUMNS = ("sex", "other", "start", "end", "n", "m", "price")


class Ruled(NamedTuple):
    """A rule as text, and what it says of a row."""

    text: str
    says: Callable[[Row], Verdict]


def rows() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Tables of 1 to 12 rows."""
    gap = st.none()
    text, day, whole = st.sampled_from(SEXES), st.sampled_from(DAYS), st.integers(-3, 6)
    price = st.sampled_from([-1.5, 0.0, 2.0, 2.25, 9.75])
    cells = (text | gap, text | gap, day | gap, day | gap, whole | gap, whole, price)
    row = st.fixed_dictionaries(dict(zip(COLUMNS, cells, strict=True)))
    return st.lists(row, min_size=1, max_size=12)


def compared(text: str, needs: list[str], says: Callable[..., bool]) -> Ruled:
    """A comparison, which has no value where a column that it needs misses one."""

    def told(row: Row) -> Verdict:
        values = [row[name] for name in needs]
        return None if any(value is None for value in values) else bool(says(*values))

    return Ruled(text, told)


def quoted(text: str) -> str:
    return f'"{text}"' if "'" in text else f"'{text}'"


@st.composite
def atoms(draw: st.DrawFn) -> Ruled:
    """Comparisons of every kind."""
    name, day, k = draw(st.sampled_from(SEXES)), draw(st.sampled_from(DAYS)), draw(st.integers(-3, 6))
    few = draw(st.lists(st.sampled_from(SEXES), min_size=1, max_size=3))
    listed = ", ".join(map(quoted, few))
    choices = [
        compared(f"sex == {quoted(name)}", ["sex"], lambda s: s == name),
        compared(f"{quoted(name)} != sex", ["sex"], lambda s: s != name),
        compared(f"sex in {{{listed}}}", ["sex"], lambda s: s in few),
        compared(f"sex not in [{listed}]", ["sex"], lambda s: s not in few),
        compared("sex == other", ["sex", "other"], lambda a, b: a == b),
        compared("end < start", ["end", "start"], lambda a, b: a < b),
        compared("start != end", ["start", "end"], lambda a, b: a != b),
        compared(f"start >= '{day}'", ["start"], lambda a: a >= day),
        compared(f"end == '{day}'", ["end"], lambda a: a == day),
        compared(f"start + {k} <= end", ["start", "end"], lambda a, b: a + timedelta(days=k) <= b),
        compared(f"end - start > {k}", ["end", "start"], lambda b, a: (b - a).days > k),
        compared(f"end - start == {k}", ["end", "start"], lambda b, a: (b - a).days == k),
        compared(f"n == {k}", ["n"], lambda n: n == k),
        compared(f"n in ({k}, 2)", ["n"], lambda n: n in (k, 2)),
        compared("n + m == 2*m - 1", ["n", "m"], lambda n, m: n + m == 2 * m - 1),
        compared("n % 3 == 1", ["n"], lambda n: n % 3 == 1),
        compared(f"{k} < n <= m", ["n", "m"], lambda n, m: k < n <= m),
        compared("abs(price - 2) <= .25", ["price"], lambda p: abs(p - 2) <= 0.25),
        compared("price > m", ["price", "m"], lambda p, m: p > m),
        Ruled("n is missing", lambda row: row["n"] is None),
        Ruled("sex is not missing", lambda row: row["sex"] is not None),
        Ruled("end - start is missing", lambda row: row["end"] is None or row["start"] is None),
    ]
    return draw(st.sampled_from(choices))


def rules() -> st.SearchStrategy[Ruled]:
    """Rules made of comparisons by and, or, not and if ... then."""
    return st.recursive(atoms(), lambda inner: st.one_of(_joined(inner), _negated(inner)), max_leaves=5)


def _negated(inner: st.SearchStrategy[Ruled]) -> st.SearchStrategy[Ruled]:
    return inner.map(lambda a: Ruled(f"not ({a.text})", lambda row: _not(a.says(row))))


@st.composite
def _joined(draw: st.DrawFn, inner: st.SearchStrategy[Ruled]) -> Ruled:
    a, b, word = draw(inner), draw(inner), draw(st.sampled_from(["and", "or", "if"]))
    if word == "if":
        return Ruled(f"(if {a.text} then {b.text})", lambda row: _any(_not(a.says(row)), b.says(row)))
    joins = _any if word == "or" else lambda p, q: _not(_any(_not(p), _not(q)))
    return Ruled(f"({a.text} {word} {b.text})", lambda row: joins(a.says(row), b.says(row)))


def _not(a: Verdict) -> Verdict:
    return None if a is None else not a


def _any(a: Verdict, b: Verdict) -> Verdict:
    return True if a or b else None if a is None or b is None else False


def csv_of(table: list[dict[str, Any]]) -> str:
    """The table as text; a missing cell is empty."""
    out = io.StringIO()
    out.write(",".join(COLUMNS) + "\n")
    for row in table:
        out.write(",".join("" if row[c] is None else str(row[c]) for c in COLUMNS) + "\n")
    return out.getvalue()
