"""What an energy answers about itself: true of every energy, by differences, quadrature and draws; and the
same for energies that are equal and written differently.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from barriers.coordinates import Coordinates, identity
from lem_safe.energies import (
    ENERGIES,
    Conjunction,
    Disjunction,
    Energy,
    Gaussian,
    GaussianMixture,
    Mapped,
    Negation,
    Shifted,
    Tempered,
    Tilted,
    WeightedSum,
    in_coordinates,
)
from lem_safe.normalization.tails import check_tails
from lem_safe.registry import make

F64 = torch.float64
STRETCH = Coordinates(
    torch.tensor([0.4, -0.3], dtype=F64), torch.tensor([[1.5, 0.3], [-0.2, 0.6]], dtype=F64)
)


def from_table(kind: str) -> Energy:
    made: Energy = make("energies", ENERGIES[kind].example)
    return made.double()


def gaussian(*mean: float, std: float | list[float] = 1.0) -> Gaussian:
    return Gaussian(list(mean), std)


NESTS: dict[str, Callable[[], Energy]] = {
    "sum of three": lambda: WeightedSum(
        [from_table(k) for k in ("ring", "double_well", "gaussian")], [1.0, 0.5, 0.3]
    ),
    "away, tempered": lambda: Tempered(Negation(gaussian(0, 0), gaussian(1, 0, std=2.0), 0.5), 1.7),
    "tilted mixture": lambda: Tilted(GaussianMixture([[1.0, 0.0], [-1.0, 0.5]], 0.6), [0.5, -0.2]),
    "either of nests": lambda: Disjunction(
        [
            Shifted(gaussian(0, 0, std=0.7), [1.0, 2.0]),
            Tempered(GaussianMixture([[0.0, 0.0], [2.0, 0.0]], 0.5), 0.5),
        ],
        [1.0, 3.0],
    ),
    "mapped banana": lambda: Mapped(from_table("banana"), offset=[1.0, 0.0], scale=[2.0, 0.5]),
    "both of eithers": lambda: Conjunction(
        [Disjunction([gaussian(1, 0), gaussian(-1, 0)]), Disjunction([gaussian(0, 1), gaussian(0, -1)])]
    ),
    "pulled": lambda: in_coordinates(from_table("negation"), STRETCH),
    "squared mixture": lambda: Tempered(GaussianMixture([[1.0, 0.0], [-1.0, 0.5]], 0.6), 0.5),
}
EVERY: dict[str, Callable[[], Energy]] = {
    **{kind: (lambda kind=kind: from_table(kind)) for kind in ENERGIES},
    **NESTS,
}
HEAVY = {"student_t", "funnel", "banana", "mapped banana"}
"""Whose mass no grid of this size holds."""


@pytest.fixture(params=EVERY)
def named(request: pytest.FixtureRequest) -> tuple[str, Energy]:
    return request.param, EVERY[request.param]().double()


@pytest.fixture
def x() -> Tensor:
    return 1.5 * torch.randn(40, 2, generator=torch.Generator().manual_seed(0), dtype=F64)


def hessians(energy: Energy, x: Tensor) -> Tensor:
    return torch.stack([torch.autograd.functional.hessian(lambda y: energy(y[None])[0], row) for row in x])


def grid(energy: Energy, t: float = 1.0) -> tuple[Tensor, Tensor, float]:
    """Points, the probability of each under e^{−tU}, and log ∫e^{−tU}."""
    s = torch.linspace(-16, 16, 801, dtype=F64)
    points = torch.cartesian_prod(s, s)
    with torch.no_grad():
        log_p = -t * energy(points) + 2 * math.log(float(s[1] - s[0]))
    total = torch.logsumexp(log_p, 0)
    return points, (log_p - total).exp(), float(total)


def test_the_curvature_floor_is_a_floor(named: tuple[str, Energy], x: Tensor) -> None:
    _, energy = named
    floor = energy.curvature_floor()
    if floor is not None:
        least = torch.linalg.eigvalsh(hessians(energy, x))[:, 0]
        assert float(least.min()) >= floor - 1e-8 * (1 + abs(floor))


def test_terms_add_up(named: tuple[str, Energy], x: Tensor) -> None:
    _, energy = named
    rest = sum((w * term(x) for w, term in energy.terms()), torch.zeros_like(x[:, 0])) - energy(x)
    assert float(rest.max() - rest.min()) < 1e-9


def test_growth_is_the_energy_far_out(named: tuple[str, Energy]) -> None:
    _, energy = named
    angles = torch.arange(8, dtype=F64) * (math.pi / 4) + 0.1
    way = torch.stack([angles.cos(), angles.sin()], 1)
    for r in (1e4, 1e6):
        U, grown = energy(r * way), energy.growth(r * way)
        beyond = U.isinf() & (grown.net == U)  # beyond float64, on both accounts
        assert (beyond | ((grown.net - U).abs() <= 0.01 * grown.size + 50)).all()


@pytest.mark.parametrize("t", [0.5, 1.0, 2.0])
def test_integrals_are_those_of_a_grid(named: tuple[str, Energy], t: float) -> None:
    kind, energy = named
    found = energy.log_integral(t)
    if found is not None and kind not in HEAVY:
        assert found == pytest.approx(grid(energy, t)[2], abs=2e-4)


def test_draws_have_the_moments_of_the_energy(named: tuple[str, Energy]) -> None:
    kind, energy = named
    n = 20_000
    draws = energy.exact_draws(torch.Generator().manual_seed(1), n)
    if draws is None or kind in HEAVY:
        return
    points, p, _ = grid(energy)
    for f in (lambda y: y[:, 0], lambda y: y[:, 1], energy, lambda y: y[:, 0] * y[:, 1]):
        with torch.no_grad():
            values, exact = f(draws), f(points)
        mean = (p * exact).sum()
        deviation = ((p * (exact - mean) ** 2).sum() / n).sqrt()
        assert abs(float((values.mean() - mean) / deviation)) < 4


def test_what_is_surely_integrable_is(named: tuple[str, Energy]) -> None:
    """A positive multiple of log r more than the dimension, along every ray."""
    _, energy = named
    angles = torch.arange(16, dtype=F64) * (math.pi / 8) + 0.05
    way = torch.stack([angles.cos(), angles.sin()], 1)
    if energy.surely_integrable():
        U = torch.stack([energy(r * way) for r in (1e5, 1e6, 1e7)])
        more = torch.diff(U, dim=0) > 2 * math.log(10.0)
        assert (more | U[1:].isinf()).all()


def test_no_constant_is_better_than_the_best(named: tuple[str, Energy]) -> None:
    """Poincaré: with log-Sobolev constant C the variance of a coordinate is at most 1/C."""
    kind, energy = named
    found = energy.log_sobolev()
    if found is not None and kind not in HEAVY:
        points, p, _ = grid(energy)
        mean = (p[:, None] * points).sum(0)
        variance = (p[:, None] * (points - mean) ** 2).sum(0)
        assert float(variance.max()) <= (1 + 1e-6) / found.value


def test_of_a_gaussian_the_floor_and_the_constant_are_exact() -> None:
    energy = gaussian(0, 0, std=[0.5, 2.0])
    assert energy.curvature_floor() == pytest.approx(0.25) and energy.log_sobolev() is not None
    assert energy.log_sobolev().value == pytest.approx(0.25)  # type: ignore[union-attr]


TWO: tuple[Energy, Energy] = (gaussian(0, 0, std=[0.5, 2.0]), gaussian(1, 1))
MIXTURE = GaussianMixture([[1.0, 0.0], [-1.0, 0.5]], 0.6, weights=[1.0, 3.0])
SAME: dict[str, list[Energy]] = {
    "a sum and a conjunction": [WeightedSum(list(TWO), [1.0, 1.0]), Conjunction(list(TWO))],
    "away from, and a negative weight": [
        Negation(TWO[1], gaussian(0, 0, std=3.0), 0.4),
        WeightedSum([TWO[1], gaussian(0, 0, std=3.0)], [1.0, -0.4]),
    ],
    "one alone": [
        TWO[0],
        WeightedSum([TWO[0]], [1.0]),
        Conjunction([TWO[0]]),
        Disjunction([TWO[0]]),
        Tempered(TWO[0], 1.0),
        Shifted(TWO[0], [0.0, 0.0]),
        Mapped(TWO[0], scale=1.0),
        in_coordinates(TWO[0], identity(2, F64)),
    ],
    "a mixture alone": [
        MIXTURE,
        Tempered(MIXTURE, 1.0),
        Conjunction([MIXTURE]),
        Shifted(MIXTURE, [0.0, 0.0]),
    ],
    "shifts": [
        Shifted(Shifted(MIXTURE, [1.0, 0.0]), [0.0, -2.0]),
        Shifted(MIXTURE, [1.0, -2.0]),
        Mapped(MIXTURE, offset=[1.0, -2.0], scale=1.0),
    ],
    "temperatures": [
        Tempered(Tempered(TWO[0], 2.0), 3.0),
        Tempered(TWO[0], 6.0),
        WeightedSum([TWO[0]], [1 / 6]),
    ],
    "a mixture and a disjunction": [
        MIXTURE,
        Disjunction([gaussian(1, 0, std=0.6), gaussian(-1, 0.5, std=0.6)], [1.0, 3.0]),
    ],
    "a mixture of one": [gaussian(1, 2, std=0.5), GaussianMixture([[1.0, 2.0]], 0.5)],
    "a scaled gaussian": [
        gaussian(0, 0, std=[1.0, 4.0]),
        Mapped(TWO[0], scale=2.0),
        Mapped(gaussian(0, 0), scale=[1.0, 4.0]),
    ],
    "a tilt and a shift": [Tilted(gaussian(0, 0), [1.0, -2.0]), Shifted(gaussian(0, 0), [1.0, -2.0])],
    "twice the same, and half the temperature": [
        Conjunction([TWO[0], TWO[0]]),
        Tempered(TWO[0], 0.5),
        WeightedSum([TWO[0]], [2.0]),
    ],
}


def answers(energy: Energy) -> dict[str, Any]:
    """Every answer that does not depend on a constant added to U."""
    constant = energy.log_sobolev()
    draws = energy.exact_draws(torch.Generator().manual_seed(3), 4000)
    integrals = [energy.log_integral(t) for t in (0.5, 1.0, 2.0)]
    U0 = float(energy(torch.zeros(1, 2, dtype=F64)))
    far = torch.tensor([[1e5, 2e5], [-3e5, 1e5]], dtype=F64)
    return {
        "curvature_floor": energy.curvature_floor(),
        "log_sobolev": None if constant is None else constant.value,
        "log_integral": [
            None if v is None else v + t * U0 for v, t in zip(integrals, (0.5, 1.0, 2.0), strict=True)
        ],
        "surely_integrable": energy.surely_integrable(),
        "draws": None if draws is None else draws.mean(0).tolist(),
        "growth": (energy.growth(far).net / energy(far)).tolist(),
        "refused": _refused(energy),
    }


def _refused(energy: Energy) -> bool:
    try:
        check_tails(energy, identity(2, F64), "energy")
    except ValueError:
        return True
    return False


def alike(a: Any, b: Any) -> bool:
    if isinstance(a, list):
        return len(a) == len(b) and all(alike(u, v) for u, v in zip(a, b, strict=True))
    if a is None or b is None or isinstance(a, bool):
        return bool(a is b or a == b)
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-6)


@pytest.mark.parametrize("name", SAME)
def test_equal_energies_give_equal_answers(name: str, x: Tensor) -> None:
    energies = [energy.double() for energy in SAME[name]]
    for a, b in pairwise(energies):
        gap = a(x) - b(x)
        assert float(gap.max() - gap.min()) < 1e-9, "not the same energy: the test is wrong"
        ours, theirs = answers(a), answers(b)
        for question in ours:
            if question == "draws" and None not in (ours[question], theirs[question]):
                near = [abs(u - v) < 0.35 for u, v in zip(ours[question], theirs[question], strict=True)]
                assert all(near)
                continue
            assert alike(ours[question], theirs[question]), (
                question,
                type(a).__name__,
                type(b).__name__,
                ours[question],
                theirs[question],
            )


@pytest.mark.parametrize(
    ("question", "faulty"),
    [
        ("curvature_floor", lambda f: lambda self: 1.0 + (f(self) or 0.0)),
        ("log_integral", lambda f: lambda self, t=1.0: f(self, 1.0)),
        ("growth", lambda f: lambda self, x: f(self, x).times(2.0)),
        ("terms", lambda f: lambda self: [(1.0, term) for _, term in f(self)]),
    ],
)
def test_planted_faults_are_found(
    question: str, faulty: Callable[..., Any], x: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: dict[str, Callable[[Energy], None]] = {
        "curvature_floor": lambda e: test_the_curvature_floor_is_a_floor(("", e), x),
        "log_integral": lambda e: test_integrals_are_those_of_a_grid(("", e), 2.0),
        "growth": lambda e: test_growth_is_the_energy_far_out(("", e)),
        "terms": lambda e: test_terms_add_up(("", e), x),
    }
    energy = WeightedSum(list(TWO), [2.0, 0.5]).double()
    checks[question](energy)
    monkeypatch.setattr(WeightedSum, question, faulty(getattr(WeightedSum, question)))
    with pytest.raises(AssertionError):
        checks[question](energy)
