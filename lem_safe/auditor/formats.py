"""An audit for other programs: JSON, JUnit for test runners, Markdown for a pull request, GitHub's
annotations.

Each takes the content of audit.json, so a saved audit can be converted later.
"""

from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree

from lem_safe import escaping
from lem_safe.auditor.caveats import caveats
from lem_safe.auditor.headline import headline, reason
from lem_safe.auditor.text import (
    HEADS,
    bound_sentence,
    census_sentence,
    columns_sentence,
    row,
    sentence,
    to_text,
    trace_sentence,
)
from lem_safe.escaping import in_github_data, in_github_property, in_markdown, on_one_line

Audit = Mapping[str, Any]


def to_json(audit: Audit) -> str:
    """The text of audit.json."""
    return escaping.to_json(audit) + "\n"


def to_markdown(audit: Audit) -> str:
    """A heading, the table, and one line per constraint, for a pull request or a job's summary."""
    lines = ["| " + " | ".join(HEADS) + " |", "|" + " --- |" * len(HEADS)]
    lines += [
        "| " + " | ".join(in_markdown(cell) for cell in row(c, audit)) + " |" for c in audit["constraints"]
    ]
    details = [
        f"- **{in_markdown(c['set'])}**: {in_markdown(sentence(c, audit))}" for c in audit["constraints"]
    ]
    return "\n".join(
        [
            f"### {in_markdown(headline(audit))}",
            "",
            "\n\n".join(in_markdown(text) for text in (reason(audit), *caveats(audit))),
            "",
            *lines,
            "",
            *details,
            "",
            f"_{in_markdown(' '.join([audit['assumes_detail'], *columns_sentence(audit)]))}_",
            "",
        ]
    )


def to_github(audit: Audit) -> str:
    """One annotation per constraint, which GitHub shows on the run's page: an error where it failed, else a
    notice.
    """
    lines = []
    for c in audit["constraints"]:
        level = "warning" if c["passed"] and c["undefined"] else "notice" if c["passed"] else "error"
        title = in_github_property(f"lem-safe: {audit['scenario']}: {c['set']}")
        lines.append(f"::{level} title={title}::{in_github_data(sentence(c, audit))}")
    plain = [headline(audit), reason(audit), *caveats(audit), *columns_sentence(audit)]
    return "\n".join([*lines, *map(on_one_line, plain), ""])


def to_junit(audit: Audit) -> str:
    """One case per constraint and claim: the count, every step where there is a trace, the bound.

    Failures are those that `passed` counts, so that a job fails where the exit status does: a bound that does
    not certify, or that shows a violation, fails only where it is required; otherwise its case is skipped,
    with the verdict and the reason.
    """
    suite = ElementTree.Element("testsuite", name=on_one_line(f"lem-safe audit: {audit['scenario']}"))
    for c in audit["constraints"]:
        claims = [("count", census_sentence(c, audit), c["violations"] > c["budget"])]
        if c["max_fraction_over_steps"] is not None:
            claims.append(("every step", trace_sentence(c, audit), c["first_step_over"] is not None))
        for claim, text, failed in claims:
            case = _case(suite, audit, c, claim)
            if failed:
                ElementTree.SubElement(case, "failure", message=on_one_line(text), type=claim)
        case = _case(suite, audit, c, "bound")
        if c["verdict"] != "certified":
            tag = "failure" if audit["require"] != "passed" else "skipped"
            ElementTree.SubElement(
                case, tag, message=on_one_line(f"{c['verdict']}: {bound_sentence(c, audit)}")
            )
    for tag, key in (
        ("testcase", "tests"),
        ("testcase/failure", "failures"),
        ("testcase/skipped", "skipped"),
    ):
        suite.set(key, str(len(suite.findall(tag))))
    suite.set("errors", "0")
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(suite: ElementTree.Element, audit: Audit, c: Audit, claim: str) -> ElementTree.Element:
    return ElementTree.SubElement(
        suite,
        "testcase",
        classname=on_one_line(f"lem_safe.{audit['scenario']}"),
        name=on_one_line(f"{c['set']}: {claim}"),
        time="0",
    )


FORMATS: dict[str, Callable[[Audit], str]] = {
    "text": to_text,
    "json": to_json,
    "junit": to_junit,
    "markdown": to_markdown,
    "github": to_github,
}
"""The forms an audit can be printed in, by the name `--format` takes; `lem-safe list formats` shows their
docstrings.
"""
