"""Names that are markup stay text, in every page and picture: a page holds the tags and the attributes of its
template and no others.
"""

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from audited import BALL, STRIP, cloud, scenario
from pages import save
from scenario_texts import GOOD

from benchmarks.attack.names import fault
from lem_safe import loads
from lem_safe.auditor import audit
from lem_safe.auditor.badge import badge_svg
from lem_safe.escaping import on_one_line
from lem_safe.ood.page import write_page
from lem_safe.report.page import render
from lem_safe.runs import sweep
from lem_safe.templates import css

QUOTE = '" onmouseover=x y="\r\x1b[31m\u202e$\\frac$[/red]'
TAG = "<img src=x onerror=1>`|\u200b[red]%0A</style>javascript:x\x00"
SHOWN = [on_one_line(name) for name in (QUOTE, TAG)]


class Markup(HTMLParser):
    """The names of the tags and of the attributes of a page, and its text."""

    def __init__(self, page: str):
        super().__init__()
        self.tags, self.attributes, self.text = set[str](), set[str](), ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


def must_be_inert(page: str) -> None:
    found = Markup(page)
    assert not found.tags & {"img", "script"} and not any(name.startswith("on") for name in found.attributes)
    assert fault(page) is None


def test_a_page_without_escapes_would_be_seen():
    for page in (f"<td>{TAG}</td>", f'<td data-label="{QUOTE}">0</td>'):
        with pytest.raises(AssertionError):
            must_be_inert(page)


def test_an_audit_in_a_notebook_and_its_badge():
    unsafe = {QUOTE: BALL, TAG: STRIP}
    found = audit(cloud(3, 200), scenario([(QUOTE, 0.05), (TAG, 0.5)], unsafe, columns=(QUOTE, TAG)))
    page = found._repr_html_()
    must_be_inert(page)
    must_be_inert(badge_svg(found.to_dict()))
    assert all(name in Markup(page).text for name in SHOWN)


def test_the_report_of_a_run_and_its_pictures(tmp_path: Path):
    rng = np.random.default_rng(0)
    x, fraction = rng.normal(size=(60, 2)), np.zeros((20, 2))
    written = {
        "version": 1,
        "name": "hostile",
        "unsafe": {QUOTE: BALL, TAG: STRIP},
        "constraints": [{"set": QUOTE, "beta": 0.5}, {"set": TAG, "beta": 0.6}],
        "sampler": {"kind": "langevin", "samples": 60, "steps": 20, "step_size": 0.01},
        "filter": {"kind": "gate"},
    }
    save(
        tmp_path,
        json.dumps(written),
        written["unsafe"],
        [(QUOTE, 0.5), (TAG, 0.6)],
        [QUOTE, TAG],
        x,
        fraction,
        x + 0.1,
        fraction,
    )
    page = render(tmp_path).read_text()
    must_be_inert(page)
    assert page.count("<svg") > 2 and all(name in Markup(page).text for name in SHOWN)
    assert css() in page, "a style sheet is no text to be escaped"


def test_the_page_of_a_sweep():
    constraint = {"set": QUOTE, "fraction": 0.1, "max_fraction_over_steps": 0.2, "verdict": TAG}
    settings = {QUOTE: TAG, TAG: QUOTE}
    done = sweep.Entry(settings, f"a{QUOTE}", 0, None, (constraint,))
    failed = sweep.Entry(settings, "b", 3, TAG, ())
    asked = loads(GOOD).model_copy(update={"name": TAG, "sweep": {QUOTE: [1], TAG: [2]}})
    page = sweep.page(asked, [done, failed])
    must_be_inert(page)
    must_be_inert(sweep.Sweep(Path("out"), asked, (done, failed))._repr_html_())
    assert all(name in Markup(page).text for name in SHOWN) and css() in page


def test_the_page_of_scores_of_strange_rows(tmp_path: Path):
    row = {"rows": 3, "auroc": 0.5, "low": None, "high": None, "fpr95": 0.5, "aupr": 0.5}
    facts = {
        "scenario": TAG,
        "in_distribution": {"what": QUOTE, "rows": 3},
        "table": [{"against": name, "score": "energy", **row} for name in (QUOTE, TAG)],
        "flow": {"steps": 1, "step_size": 0.1},
    }
    scores = np.arange(3.0)
    names, kinds = ("in distribution", QUOTE, TAG), ("energy", "gradient", "displacement")
    page = write_page(facts, {f"{name}/{kind}": scores for name in names for kind in kinds}, tmp_path)
    must_be_inert(page)
    assert page.count("<svg") == 8 and all(name in Markup(page).text for name in SHOWN)
