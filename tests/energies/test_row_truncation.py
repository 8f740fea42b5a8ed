"""Fitting to rows that rules have cut: what a fit is where nothing is, or hardly anything remains (E.31)."""

import pytest
import torch
from row_energies import SIZES, mixture
from torch import Tensor

from lem_safe.energies import row_truncation
from lem_safe.energies.row_fitting import em, fitted_rows
from lem_safe.energies.row_truncation import Noise, Truncated, truncated
from lem_safe.errors import BadInput


def everywhere(y: Tensor) -> Tensor:
    return torch.ones(len(y), dtype=torch.bool)


def right(y: Tensor) -> Tensor:
    return y[:, 0] > 0


def rows(n: int = 1500) -> Tensor:
    x = mixture().sample(torch.Generator().manual_seed(1), 3 * n)
    return x[right(x)][:n]


def test_rules_that_always_hold_change_nothing() -> None:
    one, other = (
        fitted_rows(rows(), 1, SIZES, 8, 0, likelihood=by) for by in (None, Truncated(everywhere, 0))
    )
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name])


def test_equal_seeds_give_equal_fits_and_others_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_truncation, "ITERATIONS", 5)
    x, begun = rows(), em(rows(), 1, SIZES, 2, torch.Generator().manual_seed(0))
    one, same, other = (truncated(begun, x, right, seed).means for seed in (5, 5, 6))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_the_likelihood_grows_until_it_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """No step loses more than NOISE of what the one before had, and the last gains hardly anything."""
    seen = list[float]()
    honest = row_truncation._seen

    def watched(*arguments: object) -> row_truncation.Seen | None:
        found = honest(*arguments)  # type: ignore[arg-type]
        assert found is not None
        seen.append(found.nats)
        return found

    monkeypatch.setattr(row_truncation, "_seen", watched)
    x = rows()
    truncated(em(x, 1, SIZES, 2, torch.Generator().manual_seed(0)), x, right, 0)
    best = [max(seen[: i + 1]) for i in range(len(seen))]
    assert len(seen) > row_truncation.PATIENCE and best[-1] > seen[0] + 0.03
    assert all(now > most - 5 * row_truncation.NOISE for now, most in zip(seen[1:], best, strict=False))
    assert best[-1] - best[-2] < 1e-3


def test_draws_spread_evenly_have_the_distribution() -> None:
    made, n = mixture(), 1 << 14
    x = Noise.of(made, n, 0).draws(made)
    exact = made.sample(torch.Generator().manual_seed(0), 1 << 17)
    for column in range(3):
        a, b = x[:, column], exact[:, column]
        assert abs(float(a.mean() - b.mean())) < 4 * float(b.std()) * (1 / n + 1 / len(b)) ** 0.5
    assert abs(float(right(x).double().mean() - right(exact).double().mean())) < 4 * (0.25 / n) ** 0.5


def test_where_hardly_anything_remains_it_says_so() -> None:
    def hardly(y: Tensor) -> Tensor:
        return (y[:, 0] - 1).abs() < 1e-4

    with pytest.raises(BadInput, match="all but a hundredth of what a mixture of the rows draws"):
        fitted_rows(rows(), 1, SIZES, 4, 0, likelihood=Truncated(hardly, 0))
