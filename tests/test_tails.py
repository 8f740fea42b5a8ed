"""A composition that leaves nothing to sample is refused, with the numbers and the way out; one that leaves its parents is told of (C.4)."""

import math
import re

import pytest
import torch

from barriers.coordinates import Coordinates, identity
from lem_safe.energies import (
    Conjunction,
    Disjunction,
    Energy,
    Gaussian,
    GaussianMixture,
    Negation,
    Quadratic,
    Shifted,
    StudentT,
    Tempered,
    Tilted,
    WeightedSum,
)  # fmt: skip
from lem_safe.faults import BadInput
from lem_safe.keys import Key
from lem_safe.tails import check_tails, leaving

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
    """Sums in sums, tempered, moved, in a disjunction, tilted, and in other coordinates: λ = 1.25 each time, so 0.8 of it is admitted."""
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
    """In 64 dimensions, along a direction no axis and no random ray is near: precision 9 there, 1 elsewhere, so λ < 1/9."""
    d = 64
    n = torch.nn.functional.normalize(Key(1).normal(torch.empty(1, d, dtype=torch.float64)))
    stiff = Quadratic([0.0] * d, (torch.eye(d, dtype=torch.float64) + 8 * n.T @ n).tolist())
    assert admitted(Negation(Gaussian([0.0] * d, 1.0), stiff, 0.11)) is None
    assert admitted(Negation(Gaussian([0.0] * d, 1.0), stiff, 0.2)) == pytest.approx(1 / 9 / 0.2, rel=0.01)


def test_slow_growth_is_not_enough() -> None:
    """Student-t: U grows as (ν + d) log r and must beat d log r, so λ < ν/(ν + d) = .6; and no tilt at all is admitted."""
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
    """Near-B mass is 1, .995 at λ = 0, .35 and .0001 at .8: the first two pass in silence, the last is told, with what it leaves."""
    for weight in (0.0, 0.35):
        assert leaving(Negation(B, A, weight), PLANE, Key(0)) == []
    (warning,) = leaving(Negation(B, A, 0.8), PLANE, Key(0))
    share, excess = map(float, re.findall(r"([\d.]+) % end.*typically ([\d.]+) nats", warning)[0])
    assert share == 100
    # U_safe is least at distance 4 from the centre of B, outwards, (4/.3)²/2 = 89 nats above it; on the way there, but well outside
    assert 20 < excess < 95


def test_keeping_one_parent_is_not_leaving() -> None:
    """A penalty that pushes U₊ into a broad U₋ has not left both."""
    broad = Gaussian([0.0, 0.0], 50.0)
    assert leaving(Negation(B, broad, 0.5), PLANE, Key(0)) == []


def test_unnormalised_parents_are_drawn_by_annealing() -> None:
    """The same composition, its parents known up to a constant: the warning does not depend on exact draws."""
    b = Disjunction([Quadratic(m, (torch.eye(2) / 0.09).tolist()) for m in B.means.tolist()], log_normalizers=[0.0] * 4)
    assert leaving(Negation(b, A, 0.35), PLANE, Key(0)) == []
    assert len(leaving(Negation(b, A, 0.8), PLANE, Key(0))) == 1


def test_every_sum_of_a_nest_is_looked_at() -> None:
    nested = Disjunction([B, Shifted(Negation(B, A, 0.8), [1.0, 0.0])], log_normalizers=[0.0, 0.0])
    assert len(leaving(nested, PLANE, Key(0))) == 1
    assert leaving(Gaussian([0.0], 1.0), identity(1), Key(0)) == [] and math.isfinite(float(nested(torch.zeros(1, 2))))
