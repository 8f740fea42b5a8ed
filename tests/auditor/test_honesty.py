"""What an audit must not say: combinations of files and options that once claimed more than their statistics
give.
"""

import numpy as np
import pytest
from audited import cloud, only, scenario, write_csv

from lem_safe import cli
from lem_safe.auditor import audit, grow, replica_arrays
from lem_safe.bounds.anytime import log_evidence_below
from lem_safe.bounds.betting import clouds_all_or_nothing, log_capital
from lem_safe.errors import BadInput

PILLAR = scenario([("pillar", 0.03)])


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["x0", "x1", "replica", "chain"], "units twice, by replica, chain; keep one"),
        (
            ["x0", "x1", "Replica"],
            "'Replica', which would be left out; name it 'replica' if it numbers each row's cloud",
        ),
        (["x0", "x1", " PATH "], "name it 'path' if it numbers each row's path"),
        (
            ["x0", "x1", "coupled"],
            "'coupled', which would be left out; a table cannot say so: save an .npz with x and coupled",
        ),
        (["x0", "x1", "Tuned"], "save an .npz with x and tuned"),
    ],
)
def test_a_column_that_says_what_depends_on_what_is_never_left_out(tmp_path, names, words):
    x = np.column_stack([cloud(0, 400)] + [np.repeat(np.arange(10), 40.0)] * (len(names) - 2))
    with pytest.raises(BadInput, match=words):
        audit(write_csv(tmp_path / "t.csv", names, x), PILLAR)


def test_other_columns_are_left_out(tmp_path):
    x = np.column_stack([cloud(0, 400), np.arange(400.0)])
    assert (
        audit(write_csv(tmp_path / "t.csv", ["x0", "x1", "weight"], x), PILLAR).assumes
        == "independent samples"
    )


def test_paths_take_no_bound_from_clouds(tmp_path):
    """Ever inside is another event than a particle of a cloud."""
    np.savez(tmp_path / "p.npz", path=cloud(1, 400).reshape(40, 10, 2))
    np.savez(tmp_path / "c.npz", **replica_arrays([cloud(0, 20, seed) for seed in range(300)]))
    with pytest.raises(
        BadInput,
        match="counts paths, which bring a bound of their own; --clouds is for samples that bring none",
    ):
        audit(tmp_path / "p.npz", PILLAR, clouds=tmp_path / "c.npz")
    report = audit(cloud(1, 300), PILLAR, clouds=tmp_path / "c.npz")
    assert "300 samples, bound by 300 clouds" in report.to_text() and report.clouds == str(tmp_path / "c.npz")
    assert "those of 300 clouds beside the samples" in report.assumes_detail


def test_the_worst_are_the_worst(tmp_path):
    """Of clouds every row may be among them; of a path its worst, as the rows beside it are the same
    event.
    """
    x = np.concatenate([cloud(15, 100), cloud(0, 100)])
    np.savez(tmp_path / "c.npz", x=x, replica=np.repeat([0, 1], 100))
    np.savez(tmp_path / "p.npz", x=x, path=np.repeat([0, 1], 100))
    assert sum(w.inside for w in only(audit(tmp_path / "c.npz", PILLAR)).worst) == 15
    assert sum(w.inside for w in only(audit(tmp_path / "p.npz", PILLAR)).worst) == 1


def test_more_of_the_same_is_not_advised_for_a_bound_of_one_look():
    text = audit(cloud(5, 200), PILLAR).to_text()
    more = only(audit(cloud(5, 200), PILLAR)).samples_to_decide
    assert f"About {more:,} more samples would decide: audit {200 + more:,} fresh ones" in text
    assert "this bound holds for one evaluation; use --grow for several" in text


def test_looks_that_exclude_each_other_certify_nothing(tmp_path):
    """A thousand clean rows and then three thousand inside are no draws of one law; what is over is over, in
    every form.
    """
    report = _looks(tmp_path, [cloud(0, 1000), cloud(3000, 3000)])
    c = only(report)
    assert c.contradicted and (c.verdict, report.verdict, c.passed) == ("violated", "violated", False)
    assert c.lower_bound <= c.fraction <= c.upper_bound
    assert "are not independent draws from one distribution" in report.to_text()
    after = _looks(tmp_path, [cloud(0, 1000), cloud(3000, 3000), cloud(0, 500_000)])
    assert only(after).contradicted and only(after).verdict == "violated"


def test_looks_that_agree_are_not_said_to_exclude_each_other(tmp_path):
    assert not only(_looks(tmp_path, [cloud(0, 1000), cloud(20, 1000, seed=2)])).contradicted


def _looks(folder, parts):
    from lem_safe.auditor.growth import FILE

    (folder / FILE).unlink(missing_ok=True)
    for k in range(1, len(parts) + 1):
        report, past = grow(np.concatenate(parts[:k]), PILLAR, folder)
        past.write(folder)
    return report


def test_near_counts_rows_and_says_so(tmp_path):
    np.savez(tmp_path / "p.npz", path=cloud(3, 400).reshape(40, 10, 2))
    report = audit(tmp_path / "p.npz", PILLAR, near=50.0)
    assert f"Outside but within 50: {only(report).near:,} of 400 recorded rows." in report.to_text()


@pytest.mark.parametrize("beta", ["1e-12", "3e-13", "1e-15"])
def test_the_smallest_tolerances_are_planned_for(beta, capsys):
    assert cli.main(["plan", "--beta", beta, "--true", "0"]) == 0
    assert "more than any" not in capsys.readouterr().out


def test_what_is_too_small_to_count_is_said(capsys):
    assert cli.main(["plan", "--beta", "1e-300", "--true", "0"]) == 2
    assert "--beta: is too small to plan for" in capsys.readouterr().err


def test_planned_numbers_have_the_power_they_claim():
    """2,000 audits each, counts drawn: looked at whenever one likes, and clouds that are all inside or not at
    all.
    """
    from lem_safe.bounds.planning import plan

    rng, p = np.random.default_rng(0), plan(0.03, 0.01)
    assert p.anytime is not None and p.clouds_scattered is not None
    threshold, least = -np.log(0.05), 0.9 - 4 * (0.9 * 0.1 / 2000) ** 0.5
    ever = [
        log_evidence_below(k, p.anytime, 0.03) >= threshold
        for k in rng.binomial(p.anytime, 0.01, 2000).tolist()
    ]
    assert np.mean(ever) > least
    scattered = [
        log_capital(np.repeat([1.0, 0.0], [k, p.clouds_scattered - k]), 0.03) >= threshold
        for k in rng.binomial(p.clouds_scattered, 0.01, 2000).tolist()
    ]
    assert np.mean(scattered) > least
    assert (
        np.mean(
            [
                log_evidence_below(k, p.samples, 0.03) >= threshold
                for k in rng.binomial(p.samples, 0.01, 2000).tolist()
            ]
        )
        < least
    )


def test_all_or_nothing_clouds_are_counted_to_the_last():
    for inside in (0, 1, 4):
        n = clouds_all_or_nothing(inside, 0.05, 0.95)
        capital = [log_capital(np.repeat([1.0, 0.0], [inside, r - inside]), 0.05) for r in (n - 1, n)]
        assert capital[0] < -np.log(0.05) <= capital[1]


@pytest.mark.parametrize("bad", [[[1, "a"]], 3, {"a": 1}, [[1, 2], [3]], None])
def test_what_is_no_table_of_numbers_is_refused_in_words(bad):
    with pytest.raises(BadInput, match="samples: needs "):
        audit(bad, PILLAR)


def test_rows_of_numbers_and_tables_are_read():
    class Table:
        """As pandas offers one."""

        columns = ("x1", "x0")

        def __array__(self, dtype=None, copy=None):
            return cloud(3, 50)[:, ::-1].astype(dtype or float)

    assert only(audit(cloud(3, 50).tolist(), PILLAR)).violations == 3
    assert audit(Table(), PILLAR).columns_matched == "name" and only(audit(Table(), PILLAR)).violations == 3


def test_a_single_one_is_singular():
    assert "1 sample: " in audit(cloud(0, 1), PILLAR).to_text()


def test_confidence_is_never_rounded_up_to_certainty():
    sure = scenario([("pillar", 0.03)], confidence=0.99999)
    assert "99.999 % confidence" in audit(cloud(0, 100), sure).to_text()
