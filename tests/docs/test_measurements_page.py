"""docs/measurements.md is what results.json says, and every section reads the rows that its benchmark
writes.
"""

import json

import pytest

pytest.importorskip("qpth")
pytest.importorskip("benchmarks")
from benchmarks import measurements


def test_the_page_is_made_of_the_results() -> None:
    found = json.loads((measurements.HERE / "results.json").read_text(encoding="utf-8"))["benchmarks"]
    assert measurements.PAGE.read_text(encoding="utf-8") == measurements.page(found)
    assert set(measurements.SECTIONS) <= set(found)


def test_a_number_that_changes_changes_the_page() -> None:
    rows = [
        {
            "case": "c",
            "kills": 15,
            "identical": 14,
            "resumed_in_the_middle_of_a_chain": 9,
            "fell": {"early": 15},
            "came_too_late": 2,
        }
    ]
    assert "14 of 15 give the same bytes" in "\n".join(measurements.kills(rows))
    assert "| c | 15 | 14 | 9 | 15 early | 2 |" in measurements.kills(rows)


def test_a_peer_too_slow_to_ask_again_has_no_gap() -> None:
    row = {
        "name": "n: p",
        "ratio": 1234.5,
        "ours_ms": 0.5,
        "peer_ms": 617.25,
        "gap": float("nan"),
        "versions": {"torch": "1"},
    }
    assert measurements.qp([row])[-1] == "| n: p | 1,234 | 0.50 | 617.2 |  |"
    assert measurements.qp([row | {"gap": 2e-9}])[-1].endswith("| 2e-09 |")


def test_the_least_ratio_and_those_at_64_columns_are_named() -> None:
    row = {
        "network": "mlp",
        "width": 256,
        "depth": 2,
        "columns": 64,
        "rows": 8,
        "largest_gap": 2e-6,
        "forward_ms": 1.0,
        "hutchinson_ms": 0.5,
    }
    row |= {"hessian_ms": 9.0, "jacrev_ms": 6.0, "loop_ms": 4.0, "best_peer_over_forward": 4.0}
    other = row | {"columns": 2, "width": 64, "best_peer_over_forward": 1.5, "largest_gap": 3e-6}
    said = measurements.laplacian([row, other])[-1]
    assert (
        "The smallest ratio is 1.5 (mlp, width 64, depth 2, 2 columns)" in said
        and "width 256 it is 4.0." in said
        and "3e-06" in said
    )


def test_the_mean_of_paid_over_needed_is_of_those_that_need_something() -> None:
    row = {
        "kind": "filter",
        "scenario": "a",
        "filter": "drift",
        "refused": None,
        "final": [0.03],
        "beta": [0.03],
    }
    row |= {"needed": 0.02, "needed_error": 0.002, "paid": 0.04, "paid_error": 0.004}
    rows = [
        row,
        row | {"filter": "gate", "paid": 0.02},
        row | {"scenario": "b", "paid": 0.12},
        row | {"scenario": "c", "needed": 0.0, "needed_error": 0.0, "paid": 0.5},
        row | {"filter": "step", "refused": "no", "paid": None},
        {
            "kind": "known",
            "dimension": 20,
            "kl": 1.3,
            "needed": 1.31,
            "needed_error": 0.03,
            "paid": 1.29,
            "paid_error": 0.03,
            "neighbours": -1.2,
        },
    ]
    lines = measurements.price(rows)
    assert "Mean of paid over needed: drift 4.00, gate 1.00; all 3.00. Nothing is needed in c." in lines
    assert "| a: drift | 3.00 % of 3 % | 0.0200 ± 0.0020 | 0.0400 ± 0.0040 | 2.00 |" in lines
    assert (
        "| a: step | refused |  |  |  |" in lines
        and "| 20 | 1.310 ± 0.030 | 1.290 ± 0.030 | -1.200 |" in lines
    )


def test_neighbours_are_no_estimate_of_kl_in_twenty_dimensions() -> None:
    """What was replaced, beside what replaced it: 1.56 nats in 20 columns."""
    from benchmarks import price

    found = price.known(20)
    assert found["neighbours"] < 0.6 * found["kl"]
    assert all(
        abs(found[k] - found["kl"]) < 4 * found[f"{k}_error"] < 0.3 * found["kl"] for k in ("needed", "paid")
    )
