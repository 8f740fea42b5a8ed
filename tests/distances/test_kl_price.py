"""The certified price: every check of `truths.prices`, the fault that each finds, and clouds that cannot
tell.
"""

import math

import pytest
import torch
from planted import Tooth, checks, must_be_found, result, written_in
from truths import prices

from barriers.projection import facts
from lem_safe.bounds.clopper_pearson import upper_bound
from lem_safe.distances import kl_price as price
from lem_safe.distances.kl_price import Needed, Seen, account, needed, seen

pytestmark = pytest.mark.simulation


def on_its_own(parts, n):
    """Chosen on the rows that it is evaluated on."""
    return [(torch.ones_like(part), part) for _, part in parts]


TEETH: dict[str, Tooth] = {
    "half of the multiplier": (
        prices.needed_in_any_dimension,
        price,
        "_multipliers",
        result(lambda μ, *_: μ / 2),
    ),
    "errors of the standard deviation, not of the mean": (
        prices.errors_are_as_large_as_they_say,
        price._Found,
        "error",
        result(lambda e, self, *_: e * len(self.f) ** 0.5),
    ),
    "the gap's error that of what was paid": (
        prices.errors_are_as_large_as_they_say,
        price._Found,
        "error",
        lambda f: lambda self, others=None: f(self),
    ),
    "patterns counted alike": (prices.masses_of_patterns, price, "tilt", lambda f: lambda s, c, q: f(s, c)),
    "distance not looked at": (prices.paid_by_a_smooth_tilt, price, "_distance", lambda f: price._membership),
    "f of half its size": (prices.paid_in_any_dimension, price, "_largest", result(lambda θ, *_: θ / 2)),
    "f found on the rows that judge it": (prices.choice_adds_nothing, price, "_parts", result(on_its_own)),
    "an upper bound on the fraction": (
        prices.certain_as_often_as_it_says,
        price,
        "lower_bound",
        lambda f: upper_bound,
    ),
    "copies counted": (
        prices.copies_are_not_counted,
        price,
        "seen",
        result(lambda s, *_: s._replace(different=len(s.inside))),
    ),
}

CHECKS = checks(TEETH)


@pytest.mark.parametrize("name", CHECKS)
def test_the_honest_code_passes(name: str) -> None:
    CHECKS[name]()


@pytest.mark.parametrize("name", TEETH)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if TEETH[name][2] == "seen":  # imported by name there
        monkeypatch.setattr(prices, "seen", TEETH[name][3](seen))
        with pytest.raises(AssertionError):
            TEETH[name][0]()
    else:
        must_be_found(TEETH[name], monkeypatch)


def test_every_check_has_a_fault_that_it_finds() -> None:
    assert written_in(prices) - {"beyond", "normal", "projected"} == set(CHECKS)


def cloud(inside: int, n: int) -> Seen:
    """n different rows, the first of them inside the one set."""
    rows = (torch.arange(n) < inside)[:, None]
    return Seen(rows, torch.where(rows, -1.0, 1.0).double(), n)


def test_a_cloud_within_its_tolerance_needs_nothing() -> None:
    for k in (0, 5, 50):
        found = needed(cloud(k, 1000), [0.05])
        assert (found.nats, found.error, found.at_least) == (0.0, 0.0, 0.0)


def test_a_cloud_wholly_inside_tells_only_what_is_needed_at_least() -> None:
    """All n inside: p ≥ α^{1/n}, and so at least kl(β‖α^{1/n}); for β = 0 that is −log(1 − α^{1/n})."""
    for β in (0.05, 0.0):
        found = needed(cloud(1000, 1000), [β])
        assert found.nats is None and found.error is None
        assert found.at_least == pytest.approx(facts(0.05 ** (1 / 1000), β).kl, rel=1e-9)
    whole = account(cloud(50, 1000), cloud(1000, 1000), [0.05])
    assert (whole.paid, whole.gap, whole.gap_error, whole.within) == (None, None, None, True)


def test_limits_that_leave_no_pattern_are_not_told() -> None:
    """Every row is in one of two sets, together tolerated 8 %: no distribution over these patterns meets
    both.
    """
    first = (torch.arange(1000) < 500)[:, None]
    free = Seen(torch.cat([first, ~first], 1), torch.zeros(1000, 2, dtype=torch.float64), 1000)
    assert needed(free, [0.05, 0.03])[:2] == (None, None)
    assert needed(free, [0.0, 0.0])[:2] == (None, None)
    assert needed(free, [0.05, 0.03]).at_least == pytest.approx(
        max(facts(price.lower_bound(500, 1000, 0.975), β).kl for β in (0.05, 0.03))
    )


def test_few_samples_tell_no_more_than_a_bound() -> None:
    found = account(cloud(1, 39), cloud(13, 39), [0.05])
    assert found.needed == Needed(None, None, facts(price.lower_bound(13, 39, 0.95), 0.05).kl)
    assert found.paid is None and found.gap is None and found.within
    assert account(cloud(3, 39), cloud(13, 39), [0.05]).within is False


def test_a_set_without_a_distance_is_told_by_membership() -> None:
    free, ours = cloud(200, 1000), cloud(50, 1000)
    found = account(ours, free, [0.05])
    assert found.paid is not None and found.gap is not None
    assert (
        found.paid.nats == pytest.approx(facts(0.2, 0.05).kl, abs=1e-3)
        and found.paid.nats == found.paid.membership
    )
    assert abs(found.gap) < 1e-3


def test_nothing_paid_is_0_and_never_less() -> None:
    """A cloud beside itself, and clouds of one distribution beside each other."""
    region = prices.beyond(3)
    free = seen([region], prices.normal(500, 3, 0))
    itself = account(free, free, [0.05])
    assert itself.paid is not None and itself.paid.nats < 1e-12 and not itself.within
    for seed in range(1, 9):
        other = account(seen([region], prices.normal(500, 3, seed)), free, [0.5]).paid
        assert other is not None and 0 <= other.membership <= other.nats < 4 * max(other.error, 1e-3)


def test_distances_that_are_no_numbers_leave_membership() -> None:
    class Odd(prices.HalfSpace):
        def forward(self, x):
            return super().forward(x) * math.inf

    found = seen([Odd([1.0, 0.0], 1.0)], prices.normal(100, 2, 0))
    assert bool((found.level == 0).all()) and torch.equal(
        found.inside[:, 0], prices.normal(100, 2, 0)[:, 0] >= 1
    )


def test_of_many_rows_some_are_taken_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price, "MOST", 100)
    x = torch.arange(1000, dtype=torch.float64)[:, None]
    assert (
        len(seen([prices.beyond(1, 500.0)], x).inside) == 100
        and int(seen([prices.beyond(1, 500.0)], x).inside.sum()) == 50
    )


def test_many_sets_are_told_of_by_a_few_and_the_bound_is_still_one(monkeypatch):
    """Ten sets that a shift of the mean fills differently: fewer features tell less, never more."""
    torch.manual_seed(0)
    x = torch.randn(4000, 1, dtype=torch.float64)
    edges = torch.linspace(-1.5, 1.5, 10, dtype=torch.float64)
    clouds = [Seen(y > edges, y - edges, len(y)) for y in (x + 0.5, torch.randn_like(x))]
    whole = account(*clouds, [0.999] * 10).paid
    monkeypatch.setattr(price, "FEATURED", 2)
    few = account(*clouds, [0.999] * 10).paid
    assert whole is not None and few is not None
    assert 0 < few.nats < whole.nats + 3 * few.error and few.nats < 0.125 + 3 * few.error
