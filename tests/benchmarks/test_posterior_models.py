"""The models of the posterior benchmark against densities of scipy, with Jacobians by automatic
differentiation.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from benchmarks.posterior_models import EightSchools, Garch, KidScore, Model

RNG = np.random.default_rng(0)
Z = torch.from_numpy(RNG.normal(size=(6, 10)))
SCHOOLS = {"y": [28.0, 8.0, -3.0], "sigma": [15.0, 10.0, 16.0]}
SERIES = {"y": list(5 + RNG.normal(size=12)), "sigma1": 0.5}
KIDS = {"kid_score": list(RNG.normal(80, 20, 30)), "mom_iq": list(RNG.normal(100, 15, 30))}


def eight_schools(p: np.ndarray) -> float:
    """Of (θ, μ, τ): the density of θ given μ and τ is normal."""
    θ, μ, τ = p[:-2], p[-2], p[-1]
    prior = stats.norm.logpdf(θ, μ, τ).sum() + stats.norm.logpdf(μ, 0, 5) + stats.cauchy.logpdf(τ, 0, 5)
    return float(prior + stats.norm.logpdf(SCHOOLS["y"], θ, SCHOOLS["sigma"]).sum())


def garch(p: np.ndarray) -> float:
    y, σ = np.array(SERIES["y"]), [0.5]
    for t in range(1, len(y)):
        σ.append(np.sqrt(p[1] + p[2] * (y[t - 1] - p[0]) ** 2 + p[3] * σ[-1] ** 2))
    return float(stats.norm.logpdf(y, p[0], σ).sum())


def kid_score(p: np.ndarray) -> float:
    mean = p[0] + p[1] * np.array(KIDS["mom_iq"])
    return float(stats.norm.logpdf(KIDS["kid_score"], mean, p[2]).sum() + stats.cauchy.logpdf(p[2], 0, 2.5))


CASES: list[tuple[Model, Callable[[np.ndarray], float], Tensor]] = [
    (EightSchools(SCHOOLS), eight_schools, Z[:, :5]),
    (Garch(SERIES), garch, Z[:, :4]),
    (KidScore(KIDS), kid_score, Z[:, :3] * 0.1 + torch.tensor([20.0, 0.6, 3.0])),
]


@pytest.mark.parametrize(("model", "density", "z"), CASES, ids=lambda case: type(case).__name__)
def test_log_densities_are_those_of_the_parameters_and_their_jacobians(
    model: Model, density: Callable[[np.ndarray], float], z: Tensor
) -> None:
    """Up to one constant for all rows."""
    assert len(model.columns) == z.shape[1] == len(model.parameters)
    jacobians = torch.stack(
        [torch.autograd.functional.jacobian(lambda row: model.natural(row[None])[0], row) for row in z]
    )
    expected = np.array([density(p) for p in model.natural(z).numpy()])
    expected = expected + torch.linalg.slogdet(jacobians).logabsdet.numpy()
    found = model.log_density(z).numpy()
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(found - found[0], expected - expected[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("model", "density", "z"), CASES, ids=lambda case: type(case).__name__)
def test_a_density_without_its_jacobian_is_found(
    model: Model, density: Callable[[np.ndarray], float], z: Tensor
) -> None:
    expected = np.array([density(p) for p in model.natural(z).numpy()])
    found = model.log_density(z).numpy()
    assert np.abs((found - found[0]) - (expected - expected[0])).max() > 0.05


@pytest.mark.parametrize(("model", "density", "z"), CASES, ids=lambda case: type(case).__name__)
def test_parameters_stay_within_their_bounds(
    model: Model, density: Callable[[np.ndarray], float], z: Tensor
) -> None:
    p = dict(zip(model.parameters, model.natural(8 * (z - z.mean(0))).unbind(1), strict=True))
    for name in {"tau", "sigma", "alpha0", "alpha1", "beta1"} & set(p):
        assert bool((p[name] > 0).all())
    if "alpha1" in p:
        assert bool((p["alpha1"] + p["beta1"] <= 1).all())
