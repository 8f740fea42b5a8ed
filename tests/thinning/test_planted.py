"""Faults planted into thinning: the check that is there to find each must fail."""

import numpy as np
import pytest
from planted import Tooth, checks, must_be_found, result

import lem_safe
from lem_safe.keys import Key
from lem_safe.thinning import choice, decision, plan
from lem_safe.thinning.choice import Counted, learning
from lem_safe.thinning.generator import Judge

BALL = {"ball": {"kind": "ball", "center": [0.0], "radius": 0.5}}


def normal(n: int = 2000, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 1))


def the_file_passes_its_audit() -> None:
    """At most ⌊βn'⌋ of the n' rows that stay, and no fewer (P.8)."""
    found = lem_safe.thin(normal(), BALL, beta=0.1)
    assert found.passed
    left = found.selection
    inside = int((np.abs(left) <= 0.5).sum())
    assert inside == len(left) // 10 and lem_safe.audit(left, BALL, beta=0.1).passed


def overlapping_sets_are_weighed_by_their_multipliers() -> None:
    """Patterns have the weights e^{−μ·π} of the projection."""
    patterns = np.array([[False, False], [True, False], [False, True], [True, True]])
    counts, betas = np.array([40_000, 10_000, 20_000, 30_000]), [0.1, 0.2]
    kept = plan.planned(patterns, counts, betas, np.zeros(4)).kept / counts
    assert kept[0] == 1 and abs(kept[3] - kept[1] * kept[2]) < 1e-3
    assert abs(kept[1:] @ (counts * patterns[:, 0])[1:] / (kept @ counts) - 0.1) < 1e-3


def rows_are_drawn_evenly() -> None:
    """First and last rows are equally likely to stay."""
    group = np.zeros(200, dtype=np.int64)
    made = [Counted(np.array([200]), np.array([50]), Key(s)).of(group, 0) for s in range(100)]
    assert abs(np.mean(made, 0)[:100].mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 10_000)


def learned_rows_do_not_stay() -> None:
    """None of the rows that determined the probabilities stays."""
    x = normal(5000)
    left = lem_safe.thin(x, BALL, beta=0.1, independent=True).selection
    learned = learning(Key(0).fold("thin"), 0, 5000, decision.LEARNED)
    assert not np.isin(left, x[learned]).any()


def every_prefix_is_within_its_budget() -> None:
    """After each row of a generator, at most ⌊βj⌋ of j are inside (P.9)."""
    rng = np.random.default_rng(0)
    left = np.concatenate(list(lem_safe.accepted(lambda n: rng.normal(size=(n, 1)), BALL, 2000, beta=0.1)))
    inside = np.cumsum(np.abs(left[:, 0]) <= 0.5)
    assert (10 * inside <= np.arange(1, len(left) + 1)).all()


TEETH: dict[str, Tooth] = {
    "a budget of one more": (the_file_passes_its_audit, plan, "budget", result(lambda k, *_: k + 1)),
    "a budget of one less": (the_file_passes_its_audit, plan, "budget", result(lambda k, *_: max(k - 9, 0))),
    "thinned by β/p": (
        overlapping_sets_are_weighed_by_their_multipliers,
        plan,
        "multipliers",
        result(lambda μ, *_: μ / 2),
    ),
    "first come, first kept": (rows_are_drawn_evenly, choice, "uniforms", result(lambda u, *_: 0 * u)),
    "the rows that were learned from stay": (
        learned_rows_do_not_stay,
        choice,
        "learning",
        result(lambda rows, *_: rows & False),
    ),
    "no count while rows are yielded": (
        every_prefix_is_within_its_budget,
        Judge,
        "_has_room",
        result(lambda *_: True),
    ),
}


@pytest.mark.parametrize("check", checks(TEETH).values(), ids=checks(TEETH))
def test_the_honest_code_passes(check) -> None:
    check()


@pytest.mark.parametrize("name", TEETH)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    must_be_found(TEETH[name], monkeypatch)
