"""The pages of a judgement, and its section in the report of a run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from judged import mixed
from pages import Page, plane, spoken

from lem_safe.judging import judge
from lem_safe.judging.effort import Effort
from lem_safe.judging.judge import Question, _judged
from lem_safe.judging.reading import Tables
from lem_safe.judging.reading import read as tables
from lem_safe.progress import Silent
from lem_safe.report.contents import read
from lem_safe.report.quality_page import section, write_quality
from lem_safe.report.quality_pictures import farthest, heat_maps, marginals

QUICK = Effort(3, 500, 1, 50, 5, 100, 200, ())


def judgement(real, samples):
    return _judged(Tables(samples, real, None, ()), Question(QUICK, 0), Silent())


def test_a_page_is_whole_and_shows_every_column(tmp_path: Path) -> None:
    page = Page(write_quality(judgement(mixed(60, 0), mixed(50, 1)), tmp_path).read_text())
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    assert len(set(page.ids)) == len(page.ids) and "script" not in page.tags
    assert page.tags.count("svg") == 5 + 3
    words = " ".join(page.words)
    assert all(f"c{i}" in words for i in range(5)) and "No difference found" in words


def test_names_and_categories_are_text_and_no_markup(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>$x^2$\u202e"
    t = mixed(40, 0)
    columns = (
        replace(t.columns[0], name=bad),
        *t.columns[1:3],
        replace(t.columns[3], levels=(bad, "b" * 90, "_c")),
        t.columns[4],
    )
    hostile = replace(t, columns=columns, source=bad)
    text = write_quality(judgement(hostile, hostile), tmp_path).read_text()
    assert "<script>" not in text and "\u202e" not in text and "alert(1)" in text


@pytest.mark.parametrize("d", [1, 40])
def test_one_column_and_many(tmp_path: Path, d: int) -> None:
    rng = np.random.default_rng(0)
    frames = [pd.DataFrame(rng.normal(size=(30, d)), columns=[f"a{i}" for i in range(d)]) for _ in range(2)]
    frames[1]["a0"] += 9
    j = _judged(tables(*frames), Question(QUICK, 0), Silent())
    assert len(marginals(j)) == min(d, 24) and len(heat_maps(j.pairs)) == (3 if d > 1 else 0)
    assert 0 in farthest(j, 3)
    if d == 1:
        assert (
            "Associations" not in spoken(write_quality(j, tmp_path).read_text()).split("What each measure")[0]
        )


def test_odd_columns_are_drawn(tmp_path: Path) -> None:
    n = 30
    odd = pd.DataFrame(
        {
            "void": np.nan,
            "one": 1.0,
            "huge": np.arange(n) * 1e300,
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(n), unit="D"),
            "gap": ["a", None] * (n // 2),
            "whole": np.arange(n) * 10,
        }
    )
    j = _judged(tables(odd, odd), Question(QUICK, 0), Silent())
    assert "days since 1970" in write_quality(j, tmp_path).read_text()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(judge, "BRIEF", QUICK)
    plane(tmp_path / "run", n=400, t=20)
    return tmp_path / "run"


def test_the_report_of_a_run_on_data_has_the_section(run: Path) -> None:
    contents = read(run)
    assert section(contents) is None  # what a run without a learned energy holds
    learned = replace(contents, run={**contents.run, "fidelity": {"columns": [{}] * 5}})
    found = section(learned)
    assert found["real"] == 569 and found["samples"] == 400 and len(found["pictures"]) == 1
    titles = [row["title"] for row in found["quality_rows"]]
    assert "columns: mean distance" in titles and "nearest real row: median distance" in titles
    images = replace(contents, run={**contents.run, "fidelity": {"columns": [{}]}})
    assert section(images) is None


def test_the_section_takes_tables_as_written(run: Path) -> None:
    frame = pd.DataFrame({"sex": ["m", "f"] * 30, "age": np.arange(60)})
    found = section(read(run), frame, frame.sample(40, random_state=0))
    assert found["samples"] == 40 and found["real"] == 60
