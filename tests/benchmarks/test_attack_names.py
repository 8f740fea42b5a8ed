"""The attack by names: its cases are many and called differently, what it looks for is found, and some of it
ends as it must.
"""

import re

import pytest

from benchmarks.attack.names import NAMES, SEEN, cases, fault
from lem_safe import cli

CASES = {case.name: case for case in cases()}


def test_the_cases_are_many_and_called_differently():
    assert len(CASES) == len(list(cases())) > 450


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("a\x1b[31m", "text"),
        ("\u202ea", "json"),
        ("::error::x", "text"),
        ("##[error]", "github"),
        ("a\udcff", "text"),
    ],
)
def test_what_must_not_be_printed_is_found(text, form):
    assert fault(text, form) is not None and fault("an audit\n", form) is None


def test_a_command_of_githubs_is_the_programs_own():
    assert fault("::error title=lem-safe%3A a::b", "github") is None
    assert fault("::error file=a::b", "github") is not None
    assert sum(SEEN.search(name) is not None for name in NAMES.values()) > 10


@pytest.mark.parametrize("name", ["line break: set and column, github", "colour: run", "right to left: file"])
def test_a_case_ends_as_it_must(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    case = CASES[name]
    assert cli.main(list(case.arguments(tmp_path))) in case.allowed
    printed = "".join(capsys.readouterr())
    assert case.fault(printed) is None and re.search("zone|x1b|u202e|injected", printed)
