"""Clouds, chains and paths as the unit of a bound; samples that were used in tuning; clouds beside a run's
own samples.
"""

import json

import numpy as np
import pytest
import torch
from audited import cloud, faults, only, scenario, write_csv

from lem_safe.auditor import audit, audit_schema, replica_arrays
from lem_safe.auditor.tracks import Tracks
from lem_safe.bounds.betting import mean_upper_bound
from lem_safe.bounds.clopper_pearson import upper_bound
from lem_safe.errors import BadInput

PILLAR = scenario([("pillar", 0.3)])


def clouds_of(counts, n=50):
    return [cloud(k, n, seed=2 * i) for i, k in enumerate(counts)]


def saved(file, /, **arrays):
    np.savez(file, **arrays)
    return file


def test_replicas_are_bounded_by_betting_on_their_fractions(tmp_path):
    counts = [0, 3, 1, 0, 2, 5, 0, 0, 1, 4] * 4
    clouds = clouds_of(counts)
    path = saved(
        tmp_path / "r.npz", **replica_arrays(clouds), columns=np.array(["x0", "x1"]), coupled=np.array(True)
    )
    report = audit(path, PILLAR)
    c = only(report)
    assert (report.assumes, report.method, report.unit, report.units, report.samples) == (
        "independent clouds",
        "betting",
        "cloud",
        40,
        2000,
    )
    assert c.violations == sum(counts) and c.upper_bound == mean_upper_bound(np.array(counts) / 50, 0.95)
    assert c.lower_bound == 1 - mean_upper_bound(1 - np.array(counts) / 50, 0.95)
    assert c.upper_bound <= 0.3 and c.verdict == report.verdict == "certified"
    assert "2,000 samples in 40 clouds: certified at 95 % confidence, if the clouds are independent" in str(
        report
    )
    same = audit(saved(tmp_path / "s.npz", x=np.stack(clouds)), PILLAR)  # [r, n, d]
    assert only(same).upper_bound == c.upper_bound and [w.unit for w in only(same).worst] == [
        w.unit for w in c.worst
    ]
    shuffled = np.random.default_rng(0).permutation(2000)
    mixed = {name: a[shuffled] for name, a in replica_arrays(clouds).items()}
    assert only(audit(saved(tmp_path / "m.npz", **mixed), PILLAR)).upper_bound == pytest.approx(
        c.upper_bound, rel=1e-12
    )


def test_few_clouds_certify_nothing_and_say_how_many_would():
    from lem_safe.bounds.betting import clouds_needed
    from lem_safe.bounds.planning import plan

    assert mean_upper_bound(np.zeros(321), 0.95) > 0.01 >= mean_upper_bound(np.zeros(322), 0.95)
    p = plan(0.01, 0.003)
    assert p.clouds_at_least == 322 and f"about {p.clouds:,} if each holds exactly 0.3 %" in str(p)
    even = np.full(p.clouds, 0.003)
    assert mean_upper_bound(even, 0.95) <= 0.01 < mean_upper_bound(even[1:], 0.95)
    assert (
        clouds_needed(0.01, np.array([0.01]), 0.95) is None and clouds_needed(0.0, np.zeros(3), 0.95) is None
    )
    many = clouds_needed(0.01, np.array([0.05]), 0.95)
    assert (
        1 - mean_upper_bound(1 - np.full(many, 0.05), 0.95)
        > 0.01
        >= 1 - mean_upper_bound(1 - np.full(many - 1, 0.05), 0.95)
    )


def test_an_inconclusive_audit_of_clouds_counts_clouds(tmp_path):
    report = audit(saved(tmp_path / "r.npz", **replica_arrays(clouds_of([1, 0, 2, 1, 0]))), PILLAR)
    c = only(report)
    assert (
        c.verdict == "inconclusive"
        and f"About {c.samples_to_decide} more clouds would decide" in report.to_text()
    )
    enough = np.tile(np.array([1, 0, 2, 1, 0]) / 50, 1 + c.samples_to_decide // 5 + 1)
    assert mean_upper_bound(enough[: 5 + c.samples_to_decide + 1], 0.95) <= 0.3 + 1e-2


def test_clouds_beside_a_coupled_cloud_give_its_bound(tmp_path):
    beside = saved(tmp_path / "r.npz", **replica_arrays(clouds_of([1] * 60)))
    own = cloud(9, 100)
    report = audit(own, PILLAR, coupled=True, clouds=beside)
    c = only(report)
    assert (report.assumes, report.samples, report.units, c.violations, c.verdict) == (
        "independent clouds",
        100,
        60,
        9,
        "certified",
    )
    assert c.upper_bound == mean_upper_bound(np.full(60, 0.02), 0.95)
    assert audit(own, PILLAR, coupled=True).assumes == "coupled cloud: bound not claimed"
    with pytest.raises(BadInput, match="which row is of which cloud"):
        audit(own, PILLAR, clouds=cloud(0, 10))


@pytest.mark.parametrize("where", ["npz", "csv"])
def test_chains_are_bounded_by_their_means(where, tmp_path):
    rows, chain = np.concatenate(clouds_of([2] * 30, 20)), np.repeat(np.arange(30), 20)
    if where == "npz":
        path = saved(tmp_path / "c.npz", x=rows, chain=chain)
    else:
        path = write_csv(
            tmp_path / "c.csv", ["x0", "chain", "x1"], np.column_stack([rows[:, 0], chain, rows[:, 1]])
        )
    report = audit(path, PILLAR)
    assert (report.assumes, report.units, report.columns) == ("independent chains", 30, ("x0", "x1"))
    assert only(report).upper_bound == mean_upper_bound(np.full(30, 0.1), 0.95)


def to_segments(paths, center):
    """The distance of a point to every segment of every path."""
    a, e = paths[:, :-1], np.diff(paths, axis=1)
    t = np.clip(((center - a) * e).sum(-1) / (e * e).sum(-1), 0, 1)
    return np.linalg.norm(a + t[..., None] * e - center, axis=-1)


def test_a_path_is_inside_when_it_ever_is(tmp_path):
    """At a recorded time or between two; with `between: points`, at a recorded time."""
    rng = np.random.default_rng(5)
    steps = np.cumsum(rng.normal(0, 0.35, (300, 40, 2)), axis=1)
    recorded = (np.hypot(steps[..., 0] - 2, steps[..., 1]) <= 0.8).any(1)
    away = to_segments(steps, np.array([2.0, 0.0])).min(1)
    ever = away <= 0.8
    assert ever.sum() > recorded.sum()
    only_points = audit(saved(tmp_path / "p.npz", path=steps), scenario([("pillar", 0.5)], between="points"))
    assert (
        only_points.constraints[0].violations == recorded.sum()
        and "nothing is known between" in only_points.assumes_detail
    )
    report = audit(saved(tmp_path / "p.npz", path=steps), scenario([("pillar", 0.5), ("strip", 0.9)]))
    c = report.constraints[0]
    assert (report.unit, report.samples, report.units, report.rows) == ("path", 300, 300, 12_000)
    assert c.violations == ever.sum() and c.upper_bound == upper_bound(int(ever.sum()), 300, 0.975)
    assert (
        c.violations > (np.hypot(steps[:, -1, 0] - 2, steps[:, -1, 1]) <= 0.8).sum()
    )  # the end alone would say less
    assert [w.unit for w in c.worst] == np.argsort(away)[
        :20
    ].tolist()  # twenty paths, not twenty times of one
    assert "paths" in report.to_text() and "at some time" in report.to_text()
    either = ever | (steps[..., 0] >= 1.5).any(1)
    assert report.union.violations == either.sum() and report.union.fraction == either.mean()
    flat = saved(tmp_path / "f.npz", x=steps.reshape(-1, 2), path=np.repeat(np.arange(300), 40))
    assert audit(flat, scenario([("pillar", 0.5)])).constraints[0].violations == c.violations


def test_samples_used_in_tuning_certify_nothing(tmp_path):
    x = cloud(0, 5000)
    fresh = audit(
        saved(tmp_path / "a.npz", x=x, seed=np.array(7)), scenario([("pillar", 0.01)], tuned_with=[3])
    )
    used = audit(
        saved(tmp_path / "b.npz", x=x, seed=np.array(3)), scenario([("pillar", 0.01)], tuned_with=[3])
    )
    said = audit(saved(tmp_path / "c.npz", x=x, tuned=np.array(True)), scenario([("pillar", 0.01)]))
    assert (fresh.verdict, fresh.seed, fresh.passed) == ("certified", 7, True)
    for report in (used, said):
        assert (
            report.assumes == "samples used in tuning: bound not claimed"
            and report.verdict == "inconclusive"
            and report.passed
        )
        assert (
            "Draw fresh samples with another seed" in report.assumes_detail
            and "a count of these samples only (samples used in tuning)" in report.to_text()
        )
    assert not audit(tmp_path / "b.npz", scenario([("pillar", 0.01)], tuned_with=[3]), strict=True).passed


def test_the_overall_verdict_is_as_bad_as_the_worst():
    each = {"certified": ("lens", 0.9), "violated": ("pillar", 0.001), "inconclusive": ("strip", 0.11)}
    x = cloud(50, 500)
    for kinds, expected in (
        (["certified"], "certified"),
        (["certified", "inconclusive"], "inconclusive"),
        (["certified", "inconclusive", "violated"], "violated"),
    ):
        report = audit(x, scenario([each[k] for k in kinds]))
        assert [c.verdict for c in report.constraints] == kinds and report.verdict == expected
    assert audit(x, scenario([])).verdict == "inconclusive"


def test_holm_can_be_the_scenarios_choice():
    several = [("pillar", 0.01), ("lens", 0.5)]
    x = cloud(0, 330)
    assert audit(x, scenario(several)).verdict == "inconclusive"
    assert audit(x, scenario(several, correction="holm")).verdict == "certified"


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.zeros((4, 2)), "replica": np.zeros(3, int)}, "must be 4 whole numbers"),
        ({"x": np.zeros((4, 2)), "replica": np.zeros(4)}, "must be 4 whole numbers"),
        ({"x": np.zeros((4, 2)), "replica": np.zeros(4, int), "chain": np.zeros(4, int)}, "twice"),
        ({"x": np.zeros((2, 2, 2)), "chain": np.zeros(4, int)}, "by its shape"),
        ({"x": np.zeros((4, 2)), "path": np.zeros((4, 3, 2))}, "both"),
        ({"path": np.zeros((4, 3))}, "'path' must be"),
        ({"x": np.zeros((4, 2)), "seed": np.array([1.5])}, "one whole number"),
        ({"x": np.zeros((4, 2)), "coupled": np.array(["yes"])}, "one truth value"),
    ],
)
def test_files_that_contradict_themselves_are_refused(arrays, words, tmp_path):
    with pytest.raises(BadInput, match=words):
        audit(saved(tmp_path / "x.npz", **arrays), PILLAR)


def test_every_kind_of_audit_fits_the_schema(tmp_path):
    chains = saved(tmp_path / "c.npz", x=cloud(3, 40), chain=np.repeat(np.arange(4), 10), seed=np.array(1))
    for report in (
        audit(chains, PILLAR),
        audit(saved(tmp_path / "p.npz", path=cloud(4, 60).reshape(6, 10, 2)), PILLAR, near=1.0),
    ):
        assert faults(json.loads(report.to_json()), audit_schema()) == []
        assert type(report).from_json(report.to_json()) == report


def test_the_row_before_each_row_of_many_interleaved_paths():
    """Against a dictionary of the last rows, in blocks of any size."""
    rng = np.random.default_rng(0)
    unit, x = rng.integers(0, 300, 5000), rng.normal(size=(5000, 2))
    last, expected = {}, []
    for i, number in enumerate(unit.tolist()):
        expected.append(last.get(number, x[i]))
        last[number] = x[i]
    for size in (1, 37, 5000):
        tracks = Tracks()
        parts = [
            tracks.before(torch.from_numpy(x[i : i + size]), unit[i : i + size]).numpy()
            for i in range(0, 5000 if size > 1 else 500, size)
        ]
        found = np.concatenate(parts)
        assert (found == np.array(expected)[: len(found)]).all()
        assert sum(len(level.numbers) for level in tracks._levels) < 2 * 300 + size
