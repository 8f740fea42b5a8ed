"""Mixtures that are fitted to rows cut by a rule have the parameters of what the rows were cut from (E.31):
checks that a planted fault must make fail.

The rows are quantiles of a normal distribution above a value, so that nothing of them is random; a mixture of
numbers and codes is cut across both.
"""

import math
from collections.abc import Callable

import torch
from row_energies import SIZES, mixture
from torch import Tensor

from lem_safe.energies.row_fitting import em, fitted_rows
from lem_safe.energies.row_mixture import RowMixture
from lem_safe.energies.row_truncation import Truncated, truncated

FROM, ROWS = -1.0, 4000


def cut_normal(above: float = FROM, n: int = ROWS) -> Tensor:
    """The quantiles of N(0, 1) above a value."""
    low = torch.special.ndtr(torch.tensor(above, dtype=torch.float64))
    return torch.special.ndtri(low + (1 - low) * (torch.arange(n).double() + 0.5) / n)[:, None]


def above(x: Tensor) -> Tensor:
    return x[:, 0] > FROM


def naive(x: Tensor) -> RowMixture:
    """One component, fitted as if nothing were missing."""
    return em(x, 1, (), 1, torch.Generator().manual_seed(0))


def what_was_cut_is_recovered() -> None:
    """N(0, 1) above −1 has λ = φ(1)/Φ(1) as mean and 1 − λ − λ² as variance, which a fit to the rows as they
    are has; the truncated fit has 0 and 1.
    """
    λ = math.exp(-0.5) / math.sqrt(2 * math.pi) / (0.5 * (1 + math.erf(1 / math.sqrt(2))))
    x = cut_normal()
    asis, found = naive(x), truncated(naive(x), x, above, 0)
    assert abs(float(asis.means) - λ) < 2e-3 and abs(float(asis.factors) ** 2 - (1 - λ - λ * λ)) < 2e-3
    assert abs(float(found.means)) < 0.02 and abs(float(found.factors) - 1) < 0.02


def the_likelihood_is_that_of_what_remains() -> None:
    """log p(x | S) = log p(x) − log Φ(1) for N(0, 1); no other normal distribution has a larger one, and the
    fit that is larger in log p(x) has a smaller one.
    """
    x, measure = cut_normal(), Truncated(above, 0)
    one = torch.ones(1, dtype=torch.float64)
    truth = RowMixture(one, one[None] * 0, one[None, None], torch.zeros(0, 1), ())
    exact = -0.5 * math.log(2 * math.pi) - 0.5 * float((x * x).mean()) - math.log(0.841344746)
    assert abs(measure.nats(truth, x) - exact) < 1e-4
    asis = naive(x)
    assert float(asis(x).mean()) < float(truth(x).mean()) - 0.05
    assert measure.nats(asis, x) < exact - 0.02
    assert exact - 1e-3 < measure.nats(truncated(asis, x, above, 1), x) < exact + 1e-3


def numbers_and_codes_are_cut_alike() -> None:
    """Of two components over a number and two codes, cut by a rule about both, the density of what remains is
    recovered on other rows, to the nats of its parameters.
    """

    def holds(y: Tensor) -> Tensor:
        return (y[:, 0] > 0) | (y[:, 1] == 1)

    truth, measure = mixture(), Truncated(holds, 3)
    x = truth.sample(torch.Generator().manual_seed(1), 12_000)
    x, fresh = x[holds(x)].tensor_split([4000])
    asis = em(x, 1, SIZES, 2, torch.Generator().manual_seed(2))
    found = measure.improved(asis, x)
    exact = measure.nats(truth, fresh)
    assert exact - 0.01 < measure.nats(found, fresh) < exact + 0.01
    assert measure.nats(asis, fresh) < exact - 0.02
    assert abs(measure.share(found) - measure.share(truth)) < 0.05


def held_out_rows_choose_by_what_remains() -> None:
    """Many components follow the edge of what was cut; where the edge is known, one is enough."""
    x = cut_normal()[torch.randperm(ROWS, generator=torch.Generator().manual_seed(3))]
    assert len(fitted_rows(x, 1, (), 64, 0).weights) > 1
    assert len(fitted_rows(x, 1, (), 64, 0, likelihood=Truncated(above, 0)).weights) == 1


CHECKS: tuple[Callable[[], None], ...] = (
    what_was_cut_is_recovered,
    the_likelihood_is_that_of_what_remains,
    numbers_and_codes_are_cut_alike,
    held_out_rows_choose_by_what_remains,
)
