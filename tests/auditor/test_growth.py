"""Audits that grow: many looks at one file, each valid; earlier rows and the question itself cannot
change.
"""

import json

import numpy as np
import pytest
from audited import cloud, only, scenario
from scenario_texts import GOOD

from lem_safe import auditing, cli
from lem_safe.auditor import audit, grow
from lem_safe.bounds.anytime import (
    Watch,
    anytime_upper_bound,
    log_evidence_above,
    log_evidence_below,
    samples_needed,
)
from lem_safe.errors import BadInput

PILLAR = scenario([("pillar", 0.05)])


def looks(tmp_path, x, ends, asked=PILLAR, **options):
    reports = []
    for end in ends:
        report, past = grow(x[:end], asked, tmp_path, **options)
        past.write(tmp_path)
        reports.append(report)
    return reports


def test_looks_agree_with_a_watch_that_sees_the_same(tmp_path):
    x = np.random.default_rng(2).permutation(cloud(12, 600))
    inside = np.hypot(x[:, 0].astype(float) - 2, x[:, 1]) <= 0.8
    ends = [50, 100, 150, 220, 300, 600]
    watch, before = Watch(0.05), 0
    for report, end in zip(looks(tmp_path, x, ends), ends, strict=True):
        verdict = watch.add(int(inside[before:end].sum()), end - before)
        before = end
        assert (report.verdict, report.samples, report.method) == (verdict, end, "anytime")
    assert report.looks == len(ends) and report.verdict == "certified"


def test_a_verdict_once_fallen_stays_and_says_since_when(tmp_path):
    x = np.concatenate([cloud(0, 88), cloud(5, 5)])
    first, second = looks(tmp_path, x, [88, 93])
    assert (only(first).verdict, only(first).decided_at) == ("certified", 88)
    c = only(second)
    assert (c.verdict, c.decided_at, c.passed) == (
        "certified",
        88,
        False,
    )  # the law is within, this census is not
    assert (
        c.upper_bound == anytime_upper_bound(0, 88, 0.95) and "Certified after 88 samples" in second.to_text()
    )


def test_looking_again_at_the_same_rows_is_no_look(tmp_path):
    x = cloud(3, 100)
    first, again = looks(tmp_path, x, [100, 100])
    assert first == again and first.looks == 1


def test_rows_may_come_and_may_not_change(tmp_path):
    x = cloud(3, 300)
    looks(tmp_path, x, [100, 200])
    changed = x.copy()
    changed[150, 1] += 1e-6
    for bad, words in (
        (changed, "first 200 rows are not those"),
        (x[:150], "150 rows where 200 were audited"),
    ):
        with pytest.raises(BadInput, match=words):
            grow(bad, PILLAR, tmp_path)
    with pytest.raises(BadInput, match="correction was bonferroni"):
        grow(x, PILLAR, tmp_path, correction="holm")
    with pytest.raises(BadInput, match="coupled cloud"):
        grow(x, PILLAR, tmp_path / "other", coupled=True)
    (tmp_path / "growth.json").write_text('{"rows": 3')
    with pytest.raises(BadInput, match="growth.json: is damaged"):
        grow(x, PILLAR, tmp_path)


def test_a_cloud_is_counted_when_it_is_whole(tmp_path):
    def save(n, split):
        np.savez(tmp_path / "x.npz", x=cloud(1, n), replica=np.arange(n) // split)
        return tmp_path / "x.npz"

    report, past = grow(save(100, 20), PILLAR, tmp_path)
    past.write(tmp_path)
    assert report.units == 5
    assert grow(save(140, 20), PILLAR, tmp_path)[0].units == 7
    grow(save(110, 20), PILLAR, tmp_path)
    report, past = grow(save(110, 20), PILLAR, tmp_path)
    past.write(tmp_path)
    with pytest.raises(BadInput, match="unit 5 gained rows"):
        grow(save(120, 20), PILLAR, tmp_path)


def test_requiring_anytime_takes_the_wider_bound():
    x = cloud(0, 320)
    once, ever = (only(audit(x, scenario([("pillar", 0.01)], require=r))) for r in ("bound", "anytime"))
    assert once.verdict == "certified" and once.passed
    assert (
        ever.verdict == "inconclusive"
        and not ever.passed
        and ever.upper_bound == anytime_upper_bound(0, 320, 0.95)
    )
    assert 320 + ever.samples_to_decide == samples_needed(0.01, 0.0, 0.95)
    assert only(audit(cloud(0, 449), scenario([("pillar", 0.01)], require="anytime"))).passed


@pytest.mark.parametrize(("beta", "true"), [(0.01, 0.0), (0.05, 0.02), (0.05, 0.11), (0.0, 0.02)])
def test_samples_needed_is_the_first_number_that_decides(beta, true):
    evidence = log_evidence_below if true < beta else log_evidence_above
    n = samples_needed(beta, true, 0.95)
    assert evidence(true * n, n, beta) >= np.log(20) * (1 - 1e-12) > evidence(true * (n - 1), n - 1, beta)
    assert samples_needed(beta, beta, 0.95) is None


def test_from_the_command_line(tmp_path, capsys):
    (tmp_path / "s.yaml").write_text(GOOD)
    x, out = np.random.default_rng(3).normal(-1.0, 0.01, (400, 2)), tmp_path / "out"
    seen = []
    for n in (30, 90, 400, 400):
        np.save(tmp_path / "x.npy", x[:n])
        status = cli.main(
            [
                "audit",
                str(tmp_path / "x.npy"),
                str(tmp_path / "s.yaml"),
                "--grow",
                "--out",
                str(out),
                "--json",
                "--strict",
            ]
        )
        report = json.loads(capsys.readouterr().out)
        assert report == json.loads((out / "audit.json").read_text())
        seen.append((status, report["verdict"], report["looks"]))
    assert (
        [s[0] for s in seen] == [1, 1, 0, 0]
        and [s[2] for s in seen] == [1, 2, 3, 3]
        and seen[-1][1] == "certified"
    )
    assert cli.main(["audit", str(tmp_path / "x.npy"), str(tmp_path / "s.yaml"), "--grow"]) == 2
    assert "needs --out" in capsys.readouterr().err
    x[5] = 2.0
    np.save(tmp_path / "x.npy", x)
    assert (
        cli.main(["audit", str(tmp_path / "x.npy"), str(tmp_path / "s.yaml"), "--grow", "--out", str(out)])
        == 2
    )
    assert "not those audited before" in capsys.readouterr().err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").write_text("")
    with pytest.raises(BadInput, match="is not empty"):
        auditing.grow(x, tmp_path / "s.yaml", tmp_path / "full")
