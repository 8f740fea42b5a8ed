"""`lem-safe ood`: the table, its files, its faults."""

import json

import numpy as np
import pytest

from lem_safe import cli
from lem_safe.catalogue import load
from lem_safe.detection import auroc
from lem_safe.faults import BadInput
from lem_safe.ood import named, ood, source_of


@pytest.fixture
def far(tmp_path):
    """Rows far from every mode of ring_keep_out, and a file that holds them."""
    rows = 9 + np.random.default_rng(0).standard_normal((50, 2))
    np.save(tmp_path / "far.npy", rows)
    return tmp_path / "far.npy"


def test_what_is_far_is_strange_and_what_is_drawn_is_not(far):
    found = ood(
        load("ring_keep_out"), {"far": far, "drawn": source_of(str(far)), "ring": source_of("{kind: rings, rings: 1, step: 2}")}
    )
    by = {(r.against, r.score): r.detection for r in found.table}
    assert all(by["far", s].auroc == 1 and by["far", s].fpr95 == 0 for s in ("energy", "gradient", "displacement"))
    inside, ring = found.scores["in distribution"].energy.numpy(), found.scores["ring"].energy.numpy()
    assert by["ring", "energy"].auroc == auroc(inside, ring), "the orientation is that of the scores, whatever comes out"


def test_the_command_writes_table_scores_and_page(far, tmp_path, capsys):
    assert (
        cli.main(["ood", "ring_keep_out", "--against", str(far), "moons=two_moons", "--out", str(tmp_path / "o"), "--quiet"]) == 0
    )
    assert "far" in capsys.readouterr().out
    facts = json.loads((tmp_path / "o" / "ood.json").read_text())
    assert [row["against"] for row in facts["table"]] == ["far"] * 3 + ["moons"] * 3
    held = np.load(tmp_path / "o" / "scores.npz")
    row = facts["table"][3]
    assert row["auroc"] == pytest.approx(auroc(held["in distribution/energy"], held["moons/energy"]))
    page = (tmp_path / "o" / "ood.html").read_text()
    assert page.count("<svg") == 8 and f"{row['auroc']:.3f}" in page and (tmp_path / "o" / "figures" / "ood_1.png").exists()
    assert cli.main(["ood", "ring_keep_out", "--against", str(far), "--out", str(tmp_path / "o")]) == 2, "nothing is written over"


def test_same_seed_same_numbers(far):
    first, again = (ood(load("ring_keep_out"), {"far": far}, seed=3).to_dict() for _ in range(2))
    assert first == again


@pytest.mark.parametrize("text", ["nosuch", "{kind: nosuch}", "{kind: noise, law: pink}", "{kind: [", "cifar10", "{a: {b", "[1]"])
def test_data_that_are_none_are_faults_in_words(text):
    with pytest.raises(BadInput):
        source_of(text)


def test_names_and_columns_must_fit(far, tmp_path):
    with pytest.raises(BadInput, match="two data sets"):
        named([str(far), f"far={far}"])
    np.save(tmp_path / "three.npy", np.zeros((4, 3)))
    with pytest.raises(BadInput, match="3 columns"):
        ood(load("ring_keep_out"), {"three": tmp_path / "three.npy"})
