"""The documentation site, as far as it can be checked without building it: what it must have is in it, and
what it is made with finds the faults that it is to find.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from documentation import ROOT, pages, reference, scenarios
from documentation.links import dead_links
from documentation.prose import escaped, sections, sentence

PAGES = reference.pages()
PUBLIC = [
    path
    for module in ("lem_safe", *(p.module for p in reference.PACKAGES))
    for path in reference.public(module)
]


def leaves(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    return [leaf for item in (nav.values() if isinstance(nav, dict) else nav) for leaf in leaves(item)]


def nav() -> list[Any]:
    return YAML(typ="safe").load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]


@pytest.mark.parametrize("path", PUBLIC)
def test_every_public_name_is_in_the_reference(path: str) -> None:
    page, shown = reference.places()[path]
    documented = [name for name, text in PAGES.items() if f"::: {shown}\n" in text]
    assert documented == [f"{page}.md"]
    assert shown.rpartition(".")[2] == path.rpartition(".")[2]


def test_there_are_public_names_and_each_package_lists_its_own() -> None:
    assert len(PUBLIC) > 150
    assert "- [`Constraint`][lem_safe.Constraint]: Where `function`" in PAGES["sets.md"]
    assert "::: barriers.sets.Constraint\n" not in PAGES["sets.md"]


def test_the_navigation_names_every_page() -> None:
    """A new page of docs/ is added to `nav` in mkdocs.yml; decisions and scenarios are added by the build."""
    own = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    own |= {f"docs/gallery/{path.name}" for path in (ROOT / "docs" / "gallery").glob("*.md")}
    fixed = {
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "scenarios/README.md",
        "docs/decisions/README.md",
    }
    assert set(leaves(nav())) == own | fixed | {f"reference/{name}" for name in PAGES}
    assert len(leaves(nav())) == len(set(leaves(nav())))


def test_decisions_and_scenarios_come_into_the_navigation() -> None:
    places = [str(scenarios.place(name)) for name in scenarios.names()]
    found = leaves(pages.extended(nav(), places))
    assert f"docs/decisions/{next(iter(pages.decision_titles()))}" in found
    assert {f"scenarios/{place}" for place in places} <= set(found)
    assert {"scenarios/ring_keep_out.md", "scenarios/gallery/off_the_walls.md"} <= set(found)
    assert len(found) == len(leaves(nav())) + len(pages.decision_titles()) + len(scenarios.names())


def test_every_page_is_assembled(tmp_path: Path) -> None:
    pages.assemble(tmp_path)
    there = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {leaf for leaf in leaves(nav()) if not leaf.startswith("reference/")} <= there
    assert "docs/pictures/fig1.png" in there
    assert "(impossible_tumours.md)" in (tmp_path / "scenarios" / "README.md").read_text(encoding="utf-8")
    assert "](docs/decisions/README.md)" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_a_page_for_the_site() -> None:
    text = (
        "A list.\n- `lem_safe.sample`\n<!-- made -->\n```text a.csv\n1,2\n```\n```refused {k: x}\nno\n```\n"
    )
    assert pages.shown(text) == (
        "A list.\n\n- [`lem_safe.sample`][lem_safe.sample]\n\n\n"
        '```text title="a.csv"\n1,2\n```\n\n\n```text\nno\n```\n\n'
    )


def test_code_in_blocks_stays_and_prose_in_them_is_wrapped() -> None:
    code = "```python\nx = lem_safe.sample  # `lem_safe.sample`, " + "long " * 40 + "\n```\n"
    assert code in pages.shown(code)
    longest = max(map(len, pages.shown("```\n" + "Said here. " * 40 + "\n```\n").splitlines()))
    assert 60 < longest <= pages.WIDEST


def test_the_beginning_of_a_scenario_is_its_description() -> None:
    assert scenarios.split("# yaml-language-server: x\n# One.\n# Two.\nversion: 1\n") == (
        "One. Two.",
        "version: 1\n",
    )
    assert all(scenarios.split(scenarios.bundled(name).read_text())[0] for name in scenarios.names())


def test_arguments_become_a_section() -> None:
    docstring = """Does a thing to x [n, d].

    first, second: as in `f`. of (., or ,) and options: the
    rest; other: not an argument. Raises BadInput where not.

    >>> f(1)
    2
    """
    assert sections(
        docstring, ["first", "second", "of", "**options", "quiet"], said={"quiet": "Said <1."}
    ) == (
        "Does a thing to x \\[n, d\\].\n\n```pycon\n>>> f(1)\n2\n```\n\n"
        "Parameters:\n    first: as in `f`.\n    second: as in `f`.\n"
        "    of: (., or ,) the rest; other: not an argument.\n"
        "    **options: the rest; other: not an argument.\n    quiet: Said &lt;1.\n\n"
        "Raises BadInput where not."
    )


def test_attributes_and_lists() -> None:
    assert sections("A.\n\n- one_\n- two\n\nkept: yes", attributes=["kept"]) == (
        "A.\n\n- one\\_\n- two\n\nAttributes:\n    kept: yes"
    )


@pytest.mark.parametrize(
    ("docstring", "first"),
    [
        ("Samples `U`; more.\n\nAnd more.", "Samples `U`."),
        ("What is found. rows: read.", "What is found."),
        ("Ends in\ndots, ...", "Ends in dots, ..."),
        (None, "."),
    ],
)
def test_the_first_sentence(docstring: str | None, first: str) -> None:
    assert sentence(docstring) == first


def test_code_links_to_what_is_documented() -> None:
    linked = reference.linked()
    assert escaped("`lem_safe.sample` of a_b", linked) == "[`lem_safe.sample`][lem_safe.sample] of a\\_b"
    assert linked("lem_safe.sets.Ball") == linked("barriers.sets.Ball") == "barriers.sets.Ball"
    assert linked("lem_safe.samplers.Langevin.step") == "lem_safe.samplers.Langevin"
    assert linked("lem_safe.samplers.Langevin.stop") is None and linked("beta") is None


def test_dead_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "index.html").write_text(
        '<a href="in/a.html#here">a</a><a href="https://example.org">b</a><a href="in/">'
    )
    (tmp_path / "in" / "index.html").write_text('<img src="../p.png"><a href="#gone">')
    (tmp_path / "in" / "a.html").write_text(
        '<h1 id="here"><a href="../../out.html"></a><a href="file:///x"></h1>'
    )
    assert dead_links(tmp_path) == [
        "in/a.html: ../../out.html: leads out of the site",
        "in/a.html: file:///x: names a file of this machine",
        "in/index.html: #gone: there is no such place in that page",
        "in/index.html: ../p.png: there is no such file",
    ]


def test_annotations_lose_their_metadata_and_say_it() -> None:
    griffe = pytest.importorskip("griffe")
    from documentation.docstrings import Docstrings

    source = (
        "from typing import Annotated\nWidth = Annotated[float, Gt(0), Doc('The width.')]\n"
        "class A:\n    '''One.'''\n"
        "    def __init__(self, r: Annotated[float | None, Ge(1), Doc('The radius.')], "
        "w: Width = 1, *m): ...\n"
    )
    module = griffe.visit("sample", Path("sample.py"), source)
    Docstrings().on_package(pkg=module)
    maker = module["A.__init__"]
    assert str(maker.parameters["r"].annotation) == "float | None" and maker.parameters["m"].default is None
    assert module["A"].docstring.value == (
        "One.\n\nParameters:\n    r: The radius. Must be ≥ 1.\n    w: The width. Must be &gt; 0."
    )


def test_links_of_pages_lead_to_what_the_site_shows() -> None:
    """What else would only be seen when the site is built."""
    shown = {path.resolve() for path in pages.sources()}
    bundled = {scenarios.bundled(name).resolve() for name in scenarios.names()}
    for page in sorted(path for path in shown if path.suffix == ".md"):
        text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#\s]+)", text):
            if "://" in target or target.startswith("mailto:"):
                continue
            there = (page.parent / target).resolve()
            assert there in shown | bundled or there.is_dir() or "reference" in target, (page.name, target)
