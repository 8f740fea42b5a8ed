"""How the packages are written, where a reader would stumble: checks that are switched off, files too long to
read at once, calls whose arguments nobody can tell apart.
"""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path for package in ("lem_safe", "barriers") for path in (ROOT / package).rglob("*.py"))
SUPPRESSED = re.compile(r"#\s*(type: ignore|noqa|pragma|fmt: (skip|off))")
UNNAMED = 10


def switched_off(source: str) -> list[str]:
    """The comments that switch a check off; not the strings that speak of them."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [t.string for t in tokens if t.type == tokenize.COMMENT and SUPPRESSED.match(t.string)]


def unnamed(source: str) -> list[str]:
    """The calls of so many positional arguments; torch's contexts keep tensors by position alone."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    names = [ast.unparse(call.func) for call in calls if len(call.args) >= UNNAMED]
    return [name for name in names if not name.endswith(".save_for_backward")]


def test_fewer_than_ten_checks_are_switched_off():
    found = {str(path): off for path in FILES if (off := switched_off(path.read_text(encoding="utf-8")))}
    assert sum(map(len, found.values())) < 10, found


def test_no_file_is_longer_than_300_lines():
    long = {str(path): n for path in FILES if (n := path.read_text(encoding="utf-8").count("\n")) > 300}
    assert not long, f"split by noun: {long}"


def test_ten_arguments_have_names():
    found = {str(path): calls for path in FILES if (calls := unnamed(path.read_text(encoding="utf-8")))}
    assert not found


@pytest.mark.parametrize(
    ("see", "source"),
    [
        (switched_off, "x = f()  # type: ignore[arg-type]\n"),
        (switched_off, "x = f()  # noqa: E501\n"),
        (unnamed, "f(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)\n"),
    ],
)
def test_what_is_to_be_seen_is_seen(see, source):
    assert see(source) and not see("x = 'no # type: ignore'\nf(0, 1, 2, b=3)\n")
