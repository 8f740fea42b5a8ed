"""A composition that leaves nothing to sample is refused, with the numbers and the way out; one that leaves
its parents is told of (C.4).
"""

import math
import re

import planted
import pytest
import torch

from barriers.coordinates import Coordinates, identity
from lem_safe.energies import (
    ENERGIES,
    MLP,
    Banana,
    Conjunction,
    Disjunction,
    DoubleWell,
    Energy,
    Funnel,
    Gaussian,
    GaussianMixture,
    Mapped,
    Negation,
    Quadratic,
    Ring,
    Shifted,
    StudentT,
    Tempered,
    Tilted,
    Transported,
    WeightedSum,
)
from lem_safe.energies.base import Tractable
from lem_safe.errors import BadInput
from lem_safe.keys import Key
from lem_safe.normalization import asymptotics as growth
from lem_safe.normalization import directions, tails
from lem_safe.normalization.tails import check_tails, leaving
from lem_safe.registry import make

pytestmark = pytest.mark.simulation

A = GaussianMixture([[3.0, 3.0], [3.0, -3.0], [-3.0, 3.0], [-3.0, -3.0]], 0.3)
B = GaussianMixture([[0.0, 4.0], [0.0, -4.0], [4.0, 0.0], [-4.0, 0.0]], 0.3)
PLANE = identity(2)


def admitted(energy: Energy, coordinates: Coordinates | None = None) -> float | None:
    """None where the energy passes, else the multiple of its negative weights that the refusal admits."""
    try:
        check_tails(energy, coordinates or identity(energy.dimension))
    except BadInput as refused:
        assert "cannot be normalised" in str(refused)
        found = re.findall(r"weight by less than ([\d.e+-]+)", str(refused))
        return float(found[0]) if found else 0.0
    return None


@pytest.mark.parametrize("weight", [0.0, 0.35, 0.5, 0.99, -2.0])
def test_equal_widths_are_integrable_below_one(weight: float) -> None:
    assert admitted(Negation(B, A, weight)) is None


@pytest.mark.parametrize("weight", [1.0, 1.01, 1.5, 40.0])
def test_and_refused_from_one_on_with_the_largest_admissible_weight(weight: float) -> None:
    largest = admitted(Negation(B, A, weight))
    assert largest is not None and largest * weight == pytest.approx(1.0, abs=0.01)


def test_the_same_at_any_nesting() -> None:
    """Sums in sums, tempered, moved, in a disjunction, tilted, and in other coordinates: λ = 1.25 each time,
    so 0.8 of it is admitted.
    """
    bad = Negation(B, A, 1.25)
    narrower = Coordinates(torch.tensor([1.0, 2.0]), torch.tensor([[2.0, 0.5], [0.0, 1.0]]))
    for energy in (
        WeightedSum([B, WeightedSum([A], [0.5])], [1.0, -2.5]),
        Conjunction([bad, Negation(B, A, 1.25)]),
        Tempered(bad, 0.01),
        Negation(B, Tempered(A, 0.8), 1.0),
        Shifted(bad, [5.0, 0.0]),
        Disjunction([B, bad], log_normalizers=[0.0, 0.0]),
        Disjunction([B, bad]),
        Tilted(bad, [0.1, 0.1]),
    ):
        assert admitted(energy) == pytest.approx(0.8, abs=0.01), type(energy).__name__
    assert admitted(bad, narrower) == pytest.approx(0.8, abs=0.01)


def test_a_negative_part_may_be_outweighed_further_up() -> None:
    assert admitted(Conjunction([Negation(B, A, 1.25), B])) is None


def test_a_narrow_penalty_loses_in_one_direction_only_and_is_found() -> None:
    """In 64 dimensions, along a direction no axis and no random ray is near: precision 9 there, 1 elsewhere,
    so λ < 1/9.
    """
    d = 64
    n = torch.nn.functional.normalize(Key(1).normal(torch.empty(1, d, dtype=torch.float64)))
    stiff = Quadratic([0.0] * d, (torch.eye(d, dtype=torch.float64) + 8 * n.T @ n).tolist())
    assert admitted(Negation(Gaussian([0.0] * d, 1.0), stiff, 0.11)) is None
    assert admitted(Negation(Gaussian([0.0] * d, 1.0), stiff, 0.2)) == pytest.approx(1 / 9 / 0.2, rel=0.01)


def test_slow_growth_is_not_enough() -> None:
    """Student-t: U grows as (ν + d) log r and must beat d log r, so λ < ν/(ν + d) = .6; and no tilt at all is
    admitted.
    """
    t = StudentT([0.0, 0.0], 1.0, 3.0)
    assert admitted(Negation(t, t, 0.59)) is None
    assert admitted(Negation(t, t, 0.8)) == pytest.approx(0.6 / 0.8, abs=0.01)
    assert admitted(Tilted(t, [0.01, 0.0])) < 0.1
    assert admitted(Tilted(B, [5.0, -3.0])) is None


def test_what_does_not_confine_by_itself_is_told_so() -> None:
    flat = Negation(Tempered(StudentT([0.0, 0.0], 1.0, 3.0), 3.0), Gaussian([0.0, 0.0], 1e3), 1e-6)
    with pytest.raises(BadInput, match="no smaller weight helps"):
        check_tails(flat, PLANE)


def test_leaving_both_parents_is_said() -> None:
    """Near-B mass is 1, .995 at λ = 0, .35 and .0001 at .8: the first two pass in silence, the last is told,
    with what it leaves.
    """
    for weight in (0.0, 0.35):
        assert leaving(Negation(B, A, weight), PLANE, Key(0)) == []
    (warning,) = leaving(Negation(B, A, 0.8), PLANE, Key(0))
    share, excess = map(float, re.findall(r"([\d.]+) % end.*typically ([\d.]+) nats", warning)[0])
    assert share == 100
    # U_safe is least at distance 4 from the centre of B, outwards, (4/.3)²/2 = 89 nats above it; on the way
    # there, but well outside
    assert 20 < excess < 95


def test_keeping_one_parent_is_not_leaving() -> None:
    """A penalty that pushes U₊ into a broad U₋ has not left both."""
    broad = Gaussian([0.0, 0.0], 50.0)
    assert leaving(Negation(B, broad, 0.5), PLANE, Key(0)) == []


def test_unnormalised_parents_are_drawn_by_annealing() -> None:
    """The same composition, its parents known up to a constant: the warning does not depend on exact
    draws.
    """
    b = Disjunction(
        [Quadratic(m, (torch.eye(2) / 0.09).tolist()) for m in B.means.tolist()], log_normalizers=[0.0] * 4
    )
    assert leaving(Negation(b, A, 0.35), PLANE, Key(0)) == []
    assert len(leaving(Negation(b, A, 0.8), PLANE, Key(0))) == 1


def test_every_sum_of_a_nest_is_looked_at() -> None:
    nested = Disjunction([B, Shifted(Negation(B, A, 0.8), [1.0, 0.0])], log_normalizers=[0.0, 0.0])
    assert len(leaving(nested, PLANE, Key(0))) == 1
    assert leaving(Gaussian([0.0], 1.0), identity(1), Key(0)) == [] and math.isfinite(
        float(nested(torch.zeros(1, 2)))
    )


# ---- nothing subtracted, and any scale
# ---------------------------------------------------------------------------------------------------

O2 = [0.0, 0.0]
CAUCHY = StudentT(O2, 1.0, 1.0)


def turned(eigenvalues: list[float]) -> Quadratic:
    """A paraboloid with these stiffnesses along directions that are no axes."""
    d = len(eigenvalues)
    Q = torch.linalg.qr(Key(3).normal(torch.empty(d, d, dtype=torch.float64)))[0]
    K = Q @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ Q.T
    return Quadratic([0.0] * d, ((K + K.T) / 2).tolist())


def unconfined_energies_are_refused() -> None:
    """A Cauchy needs weight > 2/3 in the plane (3 log r against 2 log r); flat directions along an axis,
    oblique, and among nineteen.
    """
    for energy, way_out in (
        (WeightedSum([CAUCHY], [0.1]), "multiply it by more than 6.67"),
        (WeightedSum([CAUCHY], [0.66]), "multiply it by more than 1.01"),
        (Tempered(CAUCHY, 5.0), "multiply it by more than 3.33"),
        (Quadratic(O2, [[1.0, 0.0], [0.0, 0.0]]), "add a term that confines it there"),
        (Quadratic(O2, [[1.0, 1.0], [1.0, 1.0]]), "add a term that confines it there"),
        (turned([0.0] + [10 ** (-k / 5) for k in range(19)]), "add a term that confines it there"),
        (Shifted(Tempered(CAUCHY, 5.0), [1e6, 0.0]), "multiply it by more than 3.33"),
    ):
        try:
            check_tails(energy, identity(energy.dimension))
        except BadInput as refused:
            assert (
                "along (" in str(refused)
                and "cannot be normalised" in str(refused)
                and way_out in str(refused)
            )
        else:
            raise AssertionError(f"passed: {type(energy).__name__}")


def no_scale_is_refused() -> None:
    """Integrable at any scale and place with a tenth of itself taken away; λ ≥ 1 is refused there as it is
    near 1.
    """
    for mean, std in ((0.0, 6000.0), (1e5, 1e4), (1e12, 1e-2)):
        U, V = Gaussian([mean, 0.0], std), GaussianMixture([[mean, std], [mean, 0.9 * std]], std)
        assert admitted(Negation(U, V, 0.1)) is None
        assert admitted(Negation(U, V, 1.25)) == pytest.approx(0.8, abs=1e-3)
    assert admitted(Negation(Gaussian(O2, [1.0, 1e9]), Gaussian(O2, [1.0, 1e9]), 0.5)) is None
    assert (
        admitted(Negation(turned([10 ** (-k / 2) for k in range(20)]), Gaussian([0.0] * 20, 1e6), 0.1))
        is None
    )


def bent_valleys_are_followed() -> None:
    """Along a banana's ridge U grows as r, along a funnel's mouth as log² r: no Gaussian penalty is admitted,
    however small or wide.
    """
    for valley, std in (
        (Banana(1.0, 0.5, 1.0), 10.0),
        (Funnel(2, 3.0), 1.0),
        (Funnel(2, 3.0), 100.0),
        (Funnel(5, 1.0), 1.0),
    ):
        assert admitted(Negation(valley, Gaussian([0.0] * valley.dimension, std), 0.1)) == 0.0


@pytest.mark.parametrize(
    "check", [unconfined_energies_are_refused, no_scale_is_refused, bent_valleys_are_followed]
)
def test_truth(check) -> None:
    check()


@pytest.mark.parametrize(
    "tooth",
    [
        (
            unconfined_energies_are_refused,
            WeightedSum,
            "surely_integrable",
            lambda f: lambda self, t=1.0: True,
        ),
        (unconfined_energies_are_refused, growth.Far, "needed", lambda f: lambda self, factor: 0.0),
        (
            unconfined_energies_are_refused,
            tails,
            "valleys",
            lambda f: lambda far, rays: directions.straight(far, rays),
        ),
        (no_scale_is_refused, directions, "SHELLS", lambda f: (1e-9,)),
        (
            no_scale_is_refused,
            Tractable,
            "typical_points",
            lambda f: Energy.typical_points,
        ),
        (
            bent_valleys_are_followed,
            tails,
            "valleys",
            lambda f: lambda far, rays: directions.straight(far, rays),
        ),
    ],
    ids=[
        "only what subtracts",
        "shells forgotten",
        "no valleys",
        "near",
        "from the origin",
        "no bent valleys",
    ],
)
def test_planted_faults_are_found(tooth, monkeypatch: pytest.MonkeyPatch) -> None:
    planted.must_be_found(tooth, monkeypatch)


@pytest.mark.parametrize("kind", ENERGIES)
def test_no_example_is_refused(kind: str) -> None:
    energy = make("energies", ENERGIES[kind].example)
    assert admitted(energy) is None


@pytest.mark.parametrize(
    "energy",
    [
        WeightedSum([CAUCHY], [0.7]),
        Tempered(Funnel(3, 3.0), 4.0),
        Tempered(Banana(), 50.0),
        Conjunction([Shifted(Funnel(2, 3.0), [1e4, 0.0]), Funnel(2, 3.0)]),
        Negation(Funnel(2, 3.0), Funnel(2, 3.0), 0.5),
        Conjunction([DoubleWell(), Ring()]),
        Negation(Ring(), Banana(), 1e-3),
        Mapped(Negation(B, A, 0.35), scale=1e4),
    ],
    ids=lambda energy: type(energy).__name__,
)
def test_slow_or_uneven_growth_is_no_fault(energy: Energy) -> None:
    """Infinite on both sides (a funnel less half of itself), slower than any power, a quartic beside a
    parabola.
    """
    assert admitted(energy) is None


def test_networks_count_by_their_confining_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    """½κ‖z‖²: U₊ − λU₋ with κ₊ = .1, κ₋ = .2 is integrable for λ < .5; no network is evaluated."""
    a, b = (MLP(8, 2, confinement=κ).build(3, Key(0).generator()) for κ in (0.1, 0.2))

    def asked(*_: object) -> None:
        raise AssertionError("a network was evaluated")

    monkeypatch.setattr(type(a), "forward", asked)
    c = Coordinates(torch.tensor([5.0, 0.0, 0.0]), 100 * torch.eye(3))
    first, second = Transported(a, c), Transported(b, c)
    assert admitted(first) is None and admitted(Negation(first, second, 0.49), c) is None
    assert admitted(Negation(first, second, 1.0), c) == pytest.approx(0.5, abs=1e-3)
    assert admitted(Negation(first, Gaussian([0.0] * 3, 1000.0), 1.0), c) is None


def test_the_cost_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that a term is asked for: at most 25,000 up to 64 dimensions, 3,000 beyond."""
    asked: list[int] = []
    honest = Gaussian.forward
    monkeypatch.setattr(Gaussian, "forward", lambda self, x: (asked.append(len(x)), honest(self, x))[1])
    for d, most in ((2, 25_000), (64, 25_000), (300, 3_000)):
        asked.clear()
        assert admitted(Negation(Gaussian([0.0] * d, 1.0), Gaussian([0.0] * d, 2.0), 0.5)) is None
        assert sum(asked) / 2 < most
