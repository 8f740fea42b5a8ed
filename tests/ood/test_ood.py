"""`lem-safe ood`: the table, its files, its faults."""

import json

import numpy as np
import pytest

from lem_safe import cli
from lem_safe.errors import BadInput
from lem_safe.ood.auroc import auroc
from lem_safe.ood.evaluate import named, ood, source_of
from lem_safe.registry import load

pytestmark = pytest.mark.simulation


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """ring_keep_out with few particles and steps, as a file."""
    path = tmp_path_factory.mktemp("ring") / "ring.yaml"
    small = load("ring_keep_out", {"sampler.samples": 400, "sampler.steps": 150, "sampler.step_size": 0.02})
    path.write_text(small.to_yaml())
    return path


@pytest.fixture
def far(tmp_path):
    """Rows far from every mode of ring_keep_out, and a file that holds them."""
    rows = 9 + np.random.default_rng(0).standard_normal((50, 2))
    np.save(tmp_path / "far.npy", rows)
    return tmp_path / "far.npy"


def test_what_is_far_is_strange_and_what_is_drawn_is_not(far, few):
    found = ood(
        load("ring_keep_out"),
        {"far": far, "drawn": source_of(str(far)), "ring": source_of("{kind: rings, rings: 1, step: 2}")},
    )
    by = {(r.against, r.score): r.detection for r in found.table}
    assert all(
        by["far", s].auroc == 1 and by["far", s].fpr95 == 0 for s in ("energy", "gradient", "displacement")
    )
    inside, ring = found.scores["in distribution"].energy.numpy(), found.scores["ring"].energy.numpy()
    assert by["ring", "energy"].auroc == auroc(inside, ring), (
        "the orientation is that of the scores, whatever comes out"
    )


def test_the_command_writes_table_scores_and_page(far, few, tmp_path, capsys):
    assert (
        cli.main(
            [
                "ood",
                str(few),
                "--against",
                str(far),
                "moons=two_moons",
                "--out",
                str(tmp_path / "o"),
                "--quiet",
            ]
        )
        == 0
    )
    assert "far" in capsys.readouterr().out
    facts = json.loads((tmp_path / "o" / "ood.json").read_text())
    assert [row["against"] for row in facts["table"]] == ["far"] * 3 + ["moons"] * 3
    held = np.load(tmp_path / "o" / "scores.npz")
    row = facts["table"][3]
    assert row["auroc"] == pytest.approx(auroc(held["in distribution/energy"], held["moons/energy"]))
    page = (tmp_path / "o" / "ood.html").read_text()
    assert (
        page.count("<svg") == 8
        and f"{row['auroc']:.3f}" in page
        and (tmp_path / "o" / "figures" / "ood_1.png").exists()
    )
    assert cli.main(["ood", str(few), "--against", str(far), "--out", str(tmp_path / "o")]) == 2, (
        "nothing is written over"
    )


def test_without_out_a_fresh_directory_under_runs_is_written_and_named(
    far, few, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("ring_keep_out-ood", "ring_keep_out-ood-2"):
        assert cli.main(["ood", str(few), "--against", str(far), "--quiet"]) == 0
        assert capsys.readouterr().out.endswith(f"\n\nruns/{name}/ood.html\n")
        assert (tmp_path / "runs" / name / "ood.json").exists() and (
            tmp_path / "runs" / name / "scores.npz"
        ).exists()


@pytest.mark.parametrize(
    ("rows", "inside", "said"),
    [
        ("5,5", None, "rows has 1 row; comparing needs at least 2"),
        ("5,5\n6,6", "5,5", "usual has 1 row; comparing needs at least 2"),
        (
            "5,5\n6,6",
            "1,1\n1,1",
            "suggest no step of S₃'s flow; give other rows with --inside, or a step with --flow-step",
        ),
        (
            "5,5\n6,6",
            "1e200,1\n1,1\n1,2",
            "1 of 3 rows in distribution (the rows given) have no finite energy and gradient",
        ),
    ],
)
def test_rows_that_nothing_can_be_said_of_are_faults(
    rows, inside, said, few, tmp_path, capsys, monkeypatch, recwarn
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text(rows + "\n")
    (tmp_path / "usual.csv").write_text(f"{inside}\n")
    more = [] if inside is None else ["--inside", "usual.csv"]
    assert cli.main(["ood", str(few), "--against", "rows.csv", *more, "--quiet"]) == 2
    assert (
        said.replace("rows has", "rows.csv has").replace("usual has", "usual.csv has")
        in capsys.readouterr().err
    )
    assert not (tmp_path / "runs").exists() and not any(
        "degrees of freedom" in str(w.message) for w in recwarn
    )


def test_a_row_beyond_the_numbers_is_infinitely_strange_and_few_rows_have_no_interval(few, tmp_path, capsys):
    (tmp_path / "rows.csv").write_text("1e200,0\n2,0\n2,0.1\n")
    assert (
        cli.main(
            [
                "ood",
                str(few),
                "--against",
                str(tmp_path / "rows.csv"),
                "--out",
                str(tmp_path / "o"),
                "--quiet",
            ]
        )
        == 0
    )
    assert capsys.readouterr().out.count("(few: no interval)") == 3
    assert np.load(tmp_path / "o" / "scores.npz")["rows/energy"][0] == np.inf
    table = json.loads((tmp_path / "o" / "ood.json").read_text())["table"]
    assert all(row["low"] is None and row["high"] is None and row["auroc"] >= 1 / 3 for row in table)
    assert (tmp_path / "o" / "ood.html").read_text().count("none: fewer than 10 rows") == 3


def test_same_seed_same_numbers(far, few):
    first, again = (ood(load(few), {"far": far}, seed=3).to_dict() for _ in range(2))
    assert first == again


@pytest.mark.parametrize(
    "text", ["nosuch", "{kind: nosuch}", "{kind: noise, law: pink}", "{kind: [", "cifar10", "{a: {b", "[1]"]
)
def test_data_that_are_none_are_faults_in_words(text):
    with pytest.raises(BadInput):
        source_of(text)


def test_names_and_columns_must_fit(far, few, tmp_path):
    with pytest.raises(BadInput, match="two data sets"):
        named([str(far), f"far={far}"])
    np.save(tmp_path / "three.npy", np.zeros((4, 3)))
    with pytest.raises(BadInput, match="3 columns"):
        ood(load(few), {"three": tmp_path / "three.npy"})
