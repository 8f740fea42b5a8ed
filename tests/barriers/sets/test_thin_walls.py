"""Walls that are far thinner than 1/256 of a segment are met by paths through them, however they are
written.
"""

import pytest
import torch

from barriers.sets import AllOf, AnyOf, Box, Grow, Not, Rule, Superellipse, UnsafeSet, exactly
from barriers.sets.segments import meets

COLUMNS = ["x", "y"]
WALL = Box(lower=[-0.001, -5], upper=[0.001, 5])


def rule(where: str) -> Rule:
    return Rule(where, COLUMNS)


FOLLOWED = [
    "abs(x) < 0.0003",
    "not abs(x) >= 0.0003",
    "max(x, -x) < 0.0003",
    "min(x, 0.0006 - x) > 0",
    "abs(2*x - 0.1) < 0.0003 and y > 0",
]
SEARCHED: dict[str, UnsafeSet] = {
    "square": rule("x*x < 0.0000001"),
    "sum": rule("abs(x) + abs(y - 0.087) < 0.0005"),
    "beside a region that is sampled": AnyOf([rule("x*x + y*y > 1000"), WALL]),
    "where a sampled rule holds": AllOf([rule("x*x*x < 5"), WALL]),
    "outside of outside": Not(rule("x*x > 0.0000001")),
    "grown": Grow(WALL, 0.0001),
    "superellipse": Superellipse([0, 0], [0.0005, 2], 4.0),
}


@pytest.mark.parametrize("where", FOLLOWED)
def test_a_lone_size_max_or_min_of_something_linear_is_followed_exactly(where: str) -> None:
    assert exactly(rule(where)) and crossed(rule(where)) and not crossed(rule(where), until=-0.01)


@pytest.mark.parametrize("name", SEARCHED)
def test_elsewhere_the_place_where_the_distance_is_least_is_looked_at(name: str) -> None:
    assert crossed(SEARCHED[name]) and not crossed(SEARCHED[name], until=-0.03)


def crossed(wall: UnsafeSet, until: float = 1.3) -> bool:
    """Whether a path from x = −1 enters; no multiple of 1/256 of it is inside a wall of .001 around 0."""
    a, b = torch.tensor([[-1.0, 0.0]]), torch.tensor([[until, 0.2]])
    inside, t = meets(wall, a, b)
    there = a.double() + t[:, None] * (b.double() - a.double())
    assert bool(wall.contains(there)[0]) == bool(inside[0]), "t is where it is inside"
    return bool(inside[0])
