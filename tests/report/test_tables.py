"""The tables of the report: near misses, where inside the mass sits, drift; each from numbers that are
known.
"""

import numpy as np
import pytest
from pages import plane, ring, spoken

from lem_safe.report import render
from lem_safe.report.contents import read
from lem_safe.report.drift import drift_of
from lem_safe.report.nearness import nearness, reach, seats
from lem_safe.report.panel import label, laws
from lem_safe.report.words import interval


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    base = tmp_path_factory.mktemp("shows")
    ring(base / "ring", n=1000, t=200)
    plane(base / "plane", n=800, t=100)
    return {name: read(base / name) for name in ("ring", "plane")}


def test_near_misses_are_counted_within_the_distance_that_was_asked(contents):
    c = contents["ring"]
    far = np.hypot(c.x[:, 0].astype(float) - 2, c.x[:, 1]) - 0.8
    r = float(f"{np.median(far[far > 0]) / 10:.1g}")
    rows = {(n.region, n.who): n for n in nearness(c, laws(c), label(c))}
    assert reach(c, far) == r and set(rows) == {
        (s, who) for s in ("pillar", "strip") for who in ("filtered", "unfiltered")
    }
    near = int(((far > 0) & (far <= r)).sum())
    assert (
        rows["pillar", "filtered"].near.replace("\N{NO-BREAK SPACE}", " ")
        == f"{near} ({100 * near / 1000:.3g} %) within {r:.3g}"
    )
    assert float(rows["pillar", "filtered"].low) == pytest.approx(np.sort(far)[9], rel=5e-3)
    c.audit["near_within"] = 0.25
    assert reach(c, far) == 0.25 and "within 0.25" in nearness(c, laws(c), label(c))[0].near
    c.audit["near_within"] = None
    assert reach(c, -np.ones(3)) == 0.0


def test_the_quantiles_shown_are_those_of_the_audit(contents):
    c = contents["ring"]
    told = c.audit["constraints"][0]["clearances"]
    at = dict(zip(told["probabilities"], told["quantiles"], strict=True))
    (row,) = [n for n in nearness(c, laws(c), label(c)) if (n.region, n.who) == ("pillar", "filtered")]
    for shown, p in ((row.low, 0.01), (row.usual, 0.05), (row.middle, 0.5)):
        assert float(shown) == pytest.approx(at[p], rel=2**-8 + 6e-3, abs=1e-3)


def test_where_the_mass_sits_is_where_the_samples_inside_are(contents, monkeypatch):
    monkeypatch.setattr("lem_safe.report.page._pictures", lambda panel, directory: [])
    c = contents["plane"]
    inside = c.x[c.inside("impossible", c.x)].astype(float)
    rows = seats(c)["impossible"]
    assert [r.column for r in rows] == list(c.columns)
    for i, r in enumerate(rows):
        low, high = (float(v) for v in r.range.split(" to "))
        assert (
            low <= float(r.middle) <= high
            and inside[:, i].min() - 5e-3 <= low
            and high <= inside[:, i].max() + 5e-3
        )
        assert float(r.everywhere) == pytest.approx(np.median(c.x[:, i].astype(float)), abs=6e-3)
    words = spoken(render(c.directory).read_text())
    assert "Where inside the mass sits" in words and "Near misses" in words


def test_drift_is_seen_and_noise_is_not():
    rng = np.random.default_rng(0)
    still = drift_of(0.1 + rng.normal(0, 0.01, 800))
    moving = drift_of(0.1 + np.arange(800) * 1e-4 + rng.normal(0, 0.01, 800))
    assert not still.moves and moving.moves
    assert still.last == pytest.approx(
        0.1, abs=4 * 0.01 / np.sqrt(200)
    ) and still.last_error == pytest.approx(0.01 / np.sqrt(200), rel=0.6)
    assert moving.last - moving.before == pytest.approx(200 * 1e-4, abs=4 * 0.01 * np.sqrt(2 / 200))
    assert drift_of(np.full(800, 0.01)).moves is False
    assert drift_of(np.zeros(79)) is None and drift_of(np.full(800, np.nan)) is None


def test_false_alarms_of_the_drift_are_rare():
    rng = np.random.default_rng(1)
    alarms = sum(drift_of(rng.normal(0.1, 0.01, 160)).moves for _ in range(1000))
    assert alarms <= 10  # four errors of ten stretches a quarter: t with 18 degrees, about .0008


def test_the_unfiltered_fraction_has_its_interval(contents):
    c = contents["ring"]
    assert interval(c, 0.0).startswith("0 to 0.368")  # 1 − .025^(1/1000)
    low, high = (float(v) for v in interval(c, 0.1).replace("\N{NO-BREAK SPACE}%", "").split(" to "))
    assert low == 8.21 and high == 12.0  # 8.211 to 12.03, as 100 of 1000 have, in three digits
