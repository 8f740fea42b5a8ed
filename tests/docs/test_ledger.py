"""The ledger docs/equations.md: every tag that code names is in it once, with a function that exists and
citations that lead somewhere.
"""

import re
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
LEDGER, REFERENCES = ROOT / "docs" / "equations.md", ROOT / "docs" / "references.bib"
LETTERS = "ABCDEFGJLOPQRST"
TAG = rf"\b([{LETTERS}])\.(\d+)\b(?:–\1\.(\d+)\b)?"


class Ledger(NamedTuple):
    """The tags of the tables with their functions, those that wait for code, and the cite keys."""

    functions: list[tuple[str, str]]
    waiting: list[str]
    cited: set[str]


def tags(text: str) -> set[str]:
    """Every tag in a text; D.1–D.3 is three."""
    return {f"{letter}.{k}" for letter, a, b in re.findall(TAG, text) for k in range(int(a), int(b or a) + 1)}


def read(text: str) -> Ledger:
    rows = re.findall(rf"^\| \(([{LETTERS}]\.\d+)\) \|.*\| (?:`([\w.]+)`)? ?\|$", text, re.M)
    waiting = re.findall(rf"^- \(([{LETTERS}]\.\d+)\)", text, re.M)
    return Ledger(rows, waiting, set(re.findall(r"\[@(\w+)\]", text)))


def resolves(path: str) -> bool:
    """Whether a dotted path leads to something: the longest module prefix, then attributes."""
    parts = path.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for name in parts[cut:]:
            if not hasattr(found, name) and name not in getattr(found, "__annotations__", {}):
                return False
            found = getattr(found, name, None)
        return True
    return False


def faults(text: str, code: set[str], references: str) -> list[str]:
    """What is wrong with a ledger, given the tags that code names."""
    ledger = read(text)
    listed = [tag for tag, _ in ledger.functions]
    known = set(re.findall(r"^@\w+\{(\w+),", references, re.M))
    found = [
        f"{tag}: named by code, not in the ledger" for tag in sorted(code - set(listed) - set(ledger.waiting))
    ]
    found += [
        f"{tag}: named by code, but listed as not yet implemented"
        for tag in sorted(code & set(ledger.waiting))
    ]
    found += [f"{tag}: listed {k} times" for tag, k in Counter(listed + ledger.waiting).items() if k > 1]
    found += [
        f"{tag}: {path or 'no function'} does not exist"
        for tag, path in ledger.functions
        if not path or not resolves(path)
    ]
    found += [f"{key}: cited, not in references.bib" for key in sorted(ledger.cited - known)]
    return found + [f"{key}: in references.bib, never cited" for key in sorted(known - ledger.cited)]


@pytest.fixture(scope="module")
def code() -> set[str]:
    files = [f for package in ("barriers", "lem_safe") for f in (ROOT / package).rglob("*.py")]
    return set().union(*(tags(f.read_text(encoding="utf-8")) for f in files))


def test_the_ledger_is_complete_and_alive(code: set[str]) -> None:
    assert len(code) > 30
    assert faults(LEDGER.read_text(encoding="utf-8"), code, REFERENCES.read_text(encoding="utf-8")) == []


def test_documents_name_only_tags_of_the_ledger() -> None:
    ledger = read(LEDGER.read_text(encoding="utf-8"))
    known = {tag for tag, _ in ledger.functions} | set(ledger.waiting)
    for page in (ROOT / "docs").rglob("*.md"):
        assert tags(page.read_text(encoding="utf-8")) <= known, page


def test_links_of_the_documents_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "scenarios").glob("*.md")]
    links = [
        (page, link)
        for page in pages
        for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    ]
    assert len(links) > 8
    assert [
        (page.name, link) for page, link in links if "://" not in link and not (page.parent / link).exists()
    ] == []


def test_ranges_are_read_as_each_of_their_tags() -> None:
    assert tags("by (D.1–D.3), B.2 and Q.1–Q.2; v1.2, 3.B.1 and U.S.") == {
        "D.1",
        "D.2",
        "D.3",
        "B.2",
        "Q.1",
        "Q.2",
        "B.1",
    }


HONEST = "| (B.1) | a formula | [@someone] | `barriers.functionals.MassBarrier` |\n- (L.1) later\n"
BIB = "@book{someone, year = {1939}}"


@pytest.mark.parametrize(
    ("text", "code", "references", "fault"),
    [
        (HONEST, {"B.1", "B.2"}, BIB, "B.2: named by code, not in the ledger"),
        (HONEST, {"B.1", "L.1"}, BIB, "L.1: named by code, but listed as not yet implemented"),
        (HONEST + HONEST.replace("L.1", "L.2"), {"B.1"}, BIB, "B.1: listed 2 times"),
        (HONEST + "- (B.1) again\n", {"B.1"}, BIB, "B.1: listed 2 times"),
        (
            HONEST.replace("MassBarrier", "MassBarriers"),
            {"B.1"},
            BIB,
            "B.1: barriers.functionals.MassBarriers does not exist",
        ),
        (
            HONEST.replace("barriers.functionals", "barrier"),
            {"B.1"},
            BIB,
            "B.1: barrier.MassBarrier does not exist",
        ),
        (
            HONEST.replace("`barriers.functionals.MassBarrier` ", ""),
            {"B.1"},
            BIB,
            "B.1: no function does not exist",
        ),
        (HONEST, {"B.1"}, BIB.replace("someone", "nobody"), "someone: cited, not in references.bib"),
        (HONEST, {"B.1"}, BIB + "\n@misc{idle, year = {1900}}", "idle: in references.bib, never cited"),
    ],
)
def test_a_planted_fault_is_found(text: str, code: set[str], references: str, fault: str) -> None:
    assert faults(HONEST, {"B.1"}, BIB) == []
    assert fault in faults(text, code, references)
