"""The judge as a whole: alike tables are within every floor, others beyond the right ones, copies are
counted, and nothing depends on anything but the tables and the seed.
"""

import json
import sys
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from judged import mixed

import lem_safe
from lem_safe.errors import BadInput
from lem_safe.judging import judge
from lem_safe.judging.effort import Effort
from lem_safe.judging.judge import in_report
from lem_safe.judging.sdmetrics_score import metadata, sdmetrics_score
from lem_safe.judging.words import to_text

pytestmark = pytest.mark.simulation
QUICK = Effort(4, 2_000, 2, 300, 15, 300, 400, ("boosting",))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "FULL", QUICK)


def frame(n: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    t = mixed(n, seed, shift)
    made = {c.name: t.values[:, i] for i, c in enumerate(t.columns)}
    for i in (3, 4):
        made[f"c{i}"] = [t.columns[i].shown(v) for v in t.values[:, i]]
    return pd.DataFrame(made)


def test_draws_of_the_same_distribution_are_within_every_floor() -> None:
    found = lem_safe.quality(frame(500, 1), frame(600, 0), target="c3", holdout=frame(300, 2))
    assert found.beyond == () and "no difference found" in str(found)
    assert repr(found).startswith("<Judgement 500 samples, 600 real rows, 5 columns: no difference found")
    assert {m.name for m in found.measures} >= {
        "auc_boosting",
        "utility",
        "nearer",
        "missing_worst",
        "copies",
    }
    assert found["auc_boosting"].beside.floor == pytest.approx(0.5, abs=0.1)


def test_the_real_rows_drawn_again_are_within_every_floor_but_those_of_copies() -> None:
    real = frame(600, 0)
    again = real.sample(500, replace=True, random_state=1)
    found = lem_safe.quality(again, real, target="c3", holdout=frame(600, 2))
    assert {m.name for m in found.beyond} <= {"copies", "nearest", "nearer", "auc_boosting"}
    assert not found["copies"].within and not found["nearer"].within
    assert found["nearest"].beside.found < found["nearest"].beside.floor
    assert found.copies["of_real"] == 500 and found.copies["of_holdout"] == 0
    assert found.copies["repeats_in_samples"] == 500 - again.drop_duplicates().shape[0]


def test_a_shift_is_beyond_and_named() -> None:
    found = lem_safe.quality(frame(500, 1, shift=1.0), frame(600, 0))
    beyond = {m.name for m in found.beyond}
    assert beyond >= {"columns_mean", "columns_worst", "auc_boosting", "score_boosting"}
    assert "pairs_worst" not in beyond and found["columns_worst"].where == ("c0",)
    assert found.columns[0].distance.found > 0.3 and "c0 (KS" in str(found)


def test_columns_drawn_alone_are_alike_and_their_pairs_are_not() -> None:
    rng = np.random.default_rng(5)
    apart = frame(500, 1).apply(lambda c: rng.permutation(c.to_numpy()))
    found = lem_safe.quality(apart, frame(600, 0), target="c3")
    beyond = {m.name for m in found.beyond}
    assert beyond >= {"pairs_worst", "pairs_mean", "utility"}
    assert not beyond & {"columns_mean", "columns_worst", "missing_worst", "copies"}
    assert set(found["pairs_worst"].where) == {"c0", "c3"}


def test_other_faults_are_seen_by_the_measure_for_them() -> None:
    real = frame(600, 0)
    bad = frame(500, 1)
    bad.loc[:150, "c1"] = np.nan
    bad["c0"] *= 1.6
    bad.loc[3:60, "c4"] = "new"
    found = lem_safe.quality(bad, real)
    assert {m.name for m in found.beyond} >= {"missing_worst", "spread", "outside"}
    assert found["missing_worst"].where == ("c1",) and found["outside"].where == ("c4",)
    assert found.columns[4].outside == pytest.approx(58 / 500)
    decimals = frame(500, 1).assign(c1=lambda t: t["c1"] + 0.25)
    assert "Whole numbers in the real rows, and not in the samples: c1" in str(
        lem_safe.quality(decimals, real)
    )


def test_the_same_seed_gives_the_same_judgement_whatever_the_order_of_columns() -> None:
    real, samples = frame(200, 0), frame(150, 1)
    one, same = (lem_safe.quality(samples, real, seed=3).to_dict() for _ in range(2))
    assert one == same and one != lem_safe.quality(samples, real, seed=4).to_dict()
    assert lem_safe.quality(samples[samples.columns[::-1]], real, seed=3).to_dict() == one


@pytest.mark.parametrize(("m", "n"), [(1, 1), (1, 9), (2, 1), (9, 30), (60, 1)])
def test_few_rows_are_said_to_be_few_and_json_has_no_nan(m: int, n: int) -> None:
    found = lem_safe.quality(frame(n, 1), frame(m, 0), target="c3")
    json.dumps(found.to_dict(), allow_nan=False)
    text = to_text(found)
    assert ("not comparable" in text) == (min(m // 2, n) < 10) and "No two-sample test" in text
    assert "No model of 'c3'" in text


def test_constant_columns_one_category_and_nothing_but_missing_cells() -> None:
    n = 80
    odd = pd.DataFrame({"one": 1.0, "cat": "a", "void": np.nan, "x": np.arange(n) + 0.5})
    found = lem_safe.quality(odd.sample(frac=1, random_state=0), odd, target="x")
    json.dumps(found.to_dict(), allow_nan=False)
    assert found.columns[0].spread is None and found.columns[2].missing == (1, 1)


def test_what_cannot_be_asked_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    t = frame(30, 0)
    for options, message in (
        ({"target": "nope"}, "--target: no column 'nope'"),
        ({"target": "c0", "columns": ["c0"]}, "only column"),
        ({"holdout_share": 1.0}, "holdout_share: must be > 0 and < 1; got 1"),
        ({"separator": ";;"}, "separator: must be"),
    ):
        with pytest.raises(BadInput, match=message.replace("(", r"\(")):
            lem_safe.quality(t, t, **options)
    monkeypatch.setattr("lem_safe.judging.classifiers.installed", lambda: False)
    with pytest.raises(BadInput, match="pip install"):
        lem_safe.quality(t, t)


def test_the_report_is_brief_and_takes_arrays_with_names(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).normal(size=(200, 2))
    found = in_report(x[:100], x[100:].astype(np.float32), ("a", "b"))
    assert [c.name for c in found.columns] == ["a", "b"] and "SDMetrics" not in str(found)
    assert in_report(x[:1], x, ("a", "b")) is None
    monkeypatch.setattr(judge, "MOST", 70)
    some = in_report(x, x, ("a", "b"))
    assert some.rows == {"samples": 70, "real": 70} and "70 of 200 samples are looked at" in some.notes[0]
    few = in_report(x[:40], x, ("a", "b"))
    assert not any(m.name.startswith("auc") for m in few.measures)


class Report:
    """What this program uses of SDMetrics' report."""

    def generate(self, real, samples, told, verbose):
        assert list(real.columns) == list(samples.columns) == list(told["columns"]) and not verbose
        assert real["c3"].iloc[0].startswith("v") and real["c2"].isna().any()
        self.told = told

    def get_properties(self):
        return pd.DataFrame({"Property": ["Column Shapes", "Column Pair Trends"], "Score": [0.9, np.nan]})

    def get_score(self):
        return 0.9


def test_sdmetrics_is_asked_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    t = mixed(100, 0)
    assert "not installed" in sdmetrics_score(t, t)["why"]
    for name in ("sdmetrics", "sdmetrics.reports", "sdmetrics.reports.single_table"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setattr(sys.modules["sdmetrics.reports.single_table"], "QualityReport", Report, raising=False)
    found = sdmetrics_score(t, t)
    assert found["score"] == 0.9 and found["properties"] == {"Column Shapes": 0.9, "Column Pair Trends": None}
    assert metadata(t)["columns"]["c0"] == {"sdtype": "numerical"}
    assert metadata(t)["columns"]["c3"] == {"sdtype": "categorical"}
    monkeypatch.setattr(Report, "get_score", lambda self: 1 / 0)
    assert "ZeroDivisionError" in sdmetrics_score(t, t)["why"]


def test_identifiers_are_said_to_tell_nothing() -> None:
    t = frame(60, 0).assign(id=[f"row {i}" for i in range(60)])
    found = lem_safe.quality(t.assign(id="x"), t)
    assert "as of identifiers, and tell nothing: id; leave them out" in str(found)
