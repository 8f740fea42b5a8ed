"""How the packages are written, where a reader would stumble: checks that are switched off, files and
functions too long to read at once, calls whose arguments nobody can tell apart.
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
LONGEST = 40


def switched_off(source: str) -> list[str]:
    """The comments that switch a check off; not the strings that speak of them."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [t.string for t in tokens if t.type == tokenize.COMMENT and SUPPRESSED.match(t.string)]


def unnamed(source: str) -> list[str]:
    """The calls of so many positional arguments; torch's contexts keep tensors by position alone."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    names = [ast.unparse(call.func) for call in calls if len(call.args) >= UNNAMED]
    return [name for name in names if not name.endswith(".save_for_backward")]


def long_functions(source: str) -> list[str]:
    """The functions of more than LONGEST lines, docstrings and decorators not counted."""
    functions = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return [f.name for f in functions if _lines(f) - _docstring_lines(f) > LONGEST]


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _docstring_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return 0 if ast.get_docstring(function, clean=False) is None else _lines(function.body[0])


def test_fewer_than_ten_checks_are_switched_off():
    found = {str(path): off for path in FILES if (off := switched_off(path.read_text(encoding="utf-8")))}
    assert sum(map(len, found.values())) < 10, found


def test_torch_is_imported_in_one_place():
    """Elsewhere it is `barriers.arrays.torch`, so that a command can do without it."""
    asked = re.compile(r"^(import torch\b(?!\.distributed)|from torch\b)", re.MULTILINE)
    found = {path.name for path in FILES if asked.search(path.read_text(encoding="utf-8"))}
    assert found == {"calls.py"}, found


def test_no_file_is_longer_than_300_lines():
    long = {str(path): n for path in FILES if (n := path.read_text(encoding="utf-8").count("\n")) > 300}
    assert not long, f"split by noun: {long}"


def test_no_function_is_longer_than_40_lines():
    found = {str(path): long for path in FILES if (long := long_functions(path.read_text(encoding="utf-8")))}
    assert not found, f"split by what is computed: {found}"


def test_ten_arguments_have_names():
    found = {str(path): calls for path in FILES if (calls := unnamed(path.read_text(encoding="utf-8")))}
    assert not found


def test_a_docstring_does_not_make_a_function_long():
    body = "    x = 0\n" * (LONGEST - 1)
    assert not long_functions('def f():\n    """' + "words\n" * 5 + '    """\n' + body)


@pytest.mark.parametrize(
    ("see", "source"),
    [
        (switched_off, "x = f()  # type: ignore[arg-type]\n"),
        (switched_off, "x = f()  # noqa: E501\n"),
        (long_functions, "def f():\n" + "    x = 0\n" * LONGEST),
        (unnamed, "f(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)\n"),
    ],
)
def test_what_is_to_be_seen_is_seen(see, source):
    assert see(source) and not see("x = 'no # type: ignore'\nf(0, 1, 2, b=3)\n")
