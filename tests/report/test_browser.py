"""The pages in a real browser, where one is installed: the verdict is in the rendered page, no complaint on
the console, nothing fetched.
"""

import re

import pytest
from hostile_pages import PAGES
from pages import BROWSER, Page, opened, ring, spoken

from lem_safe.comparison.compare import compare
from lem_safe.registry import load
from lem_safe.report import render

pytestmark = [
    pytest.mark.simulation,
    pytest.mark.skipif(BROWSER is None, reason="no chromium is installed"),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A report and a comparison."""
    base = tmp_path_factory.mktemp("pages")
    ring(base / "ring", n=400, t=100)
    small = load("ring_keep_out", {"sampler.samples": 200, "sampler.steps": 20})
    compare(small, ["none", "gate", "thinning"], out=base / "compare")
    return {"report": render(base / "ring"), "compare": base / "compare" / "compare.html"}


@pytest.mark.parametrize(
    ("name", "first"), [("report", "Passed"), ("compare", "Within the tolerance at every step")]
)
def test_a_browser_shows_the_verdict_and_has_nothing_to_complain_of(pages, name, first, tmp_path):
    document, complaints = opened(pages[name], tmp_path, "--window-size=390,900")
    assert first in spoken(document) and document.count("<svg") >= 2
    assert complaints == []
    sources = re.sub(r'xmlns(:\w+)?="[^"]*"', "", document)
    assert not re.search(r'(?:src|href|srcset|action|data)="(?!#|data:)', sources)
    assert "http://" not in sources and "https://" not in sources


def test_names_that_are_markup_do_nothing_in_a_browser(tmp_path):
    """An attribute, an image that fails, a script's address, the end of a style sheet; in every page."""
    owned = "console.error('owned')"
    attribute = f'" onmouseover="{owned}" autofocus onfocus="{owned}'
    names = (attribute, f"</style><img src=x onerror={owned}>javascript:{owned}")
    page = tmp_path / "pages.html"
    made = [make(names, tmp_path / name) for name, make in PAGES.items()]
    page.write_text("".join(["<!doctype html><meta charset=utf-8>", *made]))
    document, complaints = opened(page, tmp_path / "profile")
    assert complaints == [] and "owned" in spoken(document)
    found = Page(document)
    assert not {"img", "script", "iframe"} & set(found.tags)
    assert not any(address.startswith("javascript:") for address in found.addresses)


def test_a_page_that_does_complain_is_noticed(tmp_path):
    page = tmp_path / "bad.html"
    page.write_text("<!doctype html><title>x</title><script>console.error('planted')</script>")
    _, complaints = opened(page, tmp_path / "profile")
    assert any("planted" in line for line in complaints)
