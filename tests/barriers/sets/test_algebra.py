"""Sets made of sets, sets made of functions: unions and differences, offsets, waypoints, columns, networks,
predicates.
"""

import pytest
import torch
from torch import nn

from barriers.coordinates import Coordinates, identity
from barriers.sets import (
    AllOf,
    AnyOf,
    Anywhere,
    Ball,
    Box,
    Classifier,
    Columns,
    Field,
    Grow,
    HalfSpace,
    MostLikely,
    NearPoints,
    Not,
    NotSmooth,
    Predicate,
    Rule,
    Shrink,
    SmoothUnion,
    Sublevel,
    UnsafeSet,
    complement,
    pull,
    soften,
)
from barriers.sets.algebra import AllOf as Intersection

AFFINE = Coordinates(torch.tensor([0.3, -0.2]), torch.tensor([[1.5, 0.4], [-0.3, 0.6]]), torch.float64)


def points(n: int = 500, d: int = 2, seed: int = 0) -> torch.Tensor:
    return 1.5 * torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


A, B, C = Ball([0.0, 0.0], 1.0), Box([0.5, -0.5], [2.0, 0.5]), HalfSpace([1.0, 1.0], 1.0)


# ------------------------------------------------------------------ the algebra


def test_operators_are_the_algebra() -> None:
    x = points()
    a, b = A.contains(x), B.contains(x)
    assert torch.equal((A | B).contains(x), a | b) and torch.equal((A & B).contains(x), a & b)
    assert torch.equal((A - B).contains(x), a & ~b) and torch.equal((~A).contains(x), ~a)
    assert torch.allclose((A | B)(x), torch.minimum(A(x), B(x))) and torch.allclose(
        (A - B)(x), torch.maximum(A(x), -B(x))
    )


def test_promises_stay_true_through_the_algebra() -> None:
    """`exact` for both sides, `clearance` for the outside: it survives unions, but not intersections, nor
    `not`.
    """
    promises = {
        A: (True, True),
        A | B: (False, True),
        A & B: (False, False),
        ~A: (True, True),
        ~(A | B): (False, False),
        AnyOf([A]): (True, True),
        AllOf([A]): (True, True),
        Grow(A | B, 0.1): (False, True),
        Shrink(A & B, 0.1): (False, False),
        Not(Grow(A, 0.1)): (False, False),
        NearPoints([[0.0, 0.0]], 1.0, "ab"): (True, True),
        NearPoints([[0.0, 0.0], [1.0, 1.0]], 1.0, "ab"): (False, True),
        Rule("x < y", "xy"): (False, False),
        pull(A, AFFINE): (True, True),
        pull(B, AFFINE): (False, False),
        pull(Rule("x < y", "xy"), AFFINE): (False, False),
    }
    for unsafe, (exact, clearance) in promises.items():
        assert (unsafe.exact, unsafe.clearance) == (exact, clearance), unsafe


def test_the_clearance_of_a_union_is_the_distance_to_it() -> None:
    """By brute force over a fine grid of the union's points; an intersection's, which promises none, is
    less.
    """
    axis = torch.linspace(-3, 3, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    x = points(40)
    for unsafe, tight in ((A | B, True), (A & C, False)):
        members = grid[unsafe.contains(grid)]
        away = ~unsafe.contains(x)
        true = torch.cdist(x[away], members).amin(1)
        assert (unsafe(x)[away] <= true + 1e-9).all()
        assert ((true - unsafe(x)[away]).max() < 0.02) == tight


def test_negation_is_pushed_to_the_leaves() -> None:
    out = complement(AnyOf([A, AllOf([B, C])]))
    assert isinstance(out, Intersection) and all(
        not isinstance(s, AnyOf) or all(isinstance(t, Not) for t in s.members()) for s in out.members()
    )
    x = points()
    assert torch.equal(out.contains(x), ~(A.contains(x) | (B.contains(x) & C.contains(x))))


def test_jets_of_a_union_are_those_of_the_nearest_member() -> None:
    x = points()
    s, g, lap = (A | C).jet(x)
    for i in range(0, 500, 50):
        near = A if A(x[i : i + 1]) < C(x[i : i + 1]) else C
        expected = near.jet(x[i : i + 1])
        assert (
            s[i] == expected.value[0]
            and torch.equal(g[i], expected.gradient[0])
            and lap[i] == expected.laplacian[0]
        )


def test_a_smooth_union_holds_the_union_and_little_more() -> None:
    """Grown by at most w log k, and seamless."""
    x, w = points(2000), 0.2
    plain, melted = AnyOf([A, C]), SmoothUnion([A, C], w)
    assert (melted.contains(x) | ~plain.contains(x)).all() and melted.contains(x).sum() > plain.contains(
        x
    ).sum()
    assert (plain(x)[melted.contains(x)] <= w * 0.6931472 + 1e-12).all()


# ------------------------------------------------------------------ offsets


def test_growing_and_shrinking_balls_and_boxes() -> None:
    x = points()
    assert torch.allclose(Grow(A, 0.4)(x), Ball([0.0, 0.0], 1.4)(x)) and torch.allclose(
        Shrink(A, 0.4)(x), Ball([0.0, 0.0], 0.6)(x)
    )
    assert torch.equal(Shrink(B, 0.2).contains(x), Box([0.7, -0.3], [1.8, 0.3]).contains(x))
    corner = torch.tensor([[2.0 + 0.29, 0.5 + 0.29], [2.0 + 0.28, 0.5 + 0.28]], dtype=torch.float64)
    assert Grow(B, 0.4).contains(corner).tolist() == [False, True], (
        "a grown box has round corners: 0.29·√2 > 0.4"
    )


def test_growing_distributes_over_unions_and_shrinking_over_intersections() -> None:
    x = points()
    assert torch.equal(Grow(A | B, 0.3).contains(x), (Grow(A, 0.3) | Grow(B, 0.3)).contains(x))
    assert torch.equal(Shrink(A & B, 0.1).contains(x), (Shrink(A, 0.1) & Shrink(B, 0.1)).contains(x))
    for make, wrong in (
        (Grow, A & B),
        (Shrink, A | B),
        (Grow, Rule("x < y", "xy")),
        (Shrink, Rule("x < y", "xy")),
    ):
        with pytest.raises(ValueError, match="its parts instead"):
            make(wrong, 0.1)


# ------------------------------------------------------------------ parts of x


def test_columns_are_a_cylinder() -> None:
    x = points(200, 4)
    unsafe = Columns(["c", 0], B, ["a", "b", "c", "d"])
    y = x[:, [2, 0]]
    assert torch.equal(unsafe(x), B(y)) and torch.equal(unsafe.contains(x), B.contains(y)) and unsafe.exact
    jet = unsafe.jet(x)
    assert torch.equal(jet.gradient[:, [2, 0]], B.jet(y).gradient) and (jet.gradient[:, [1, 3]] == 0).all()
    assert torch.equal(complement(unsafe).contains(x), ~B.contains(y))


def test_anywhere_looks_at_every_waypoint() -> None:
    """Against the union of the set on each pair of coordinates, softened and complemented and in sheared
    coordinates too.
    """
    names = [f"{axis}{t}" for t in range(5) for axis in "xy"]
    x = points(300, 10)
    unsafe = Anywhere(B, names, "points")
    union = AnyOf([Columns([t, t + 1], B, names) for t in range(0, 10, 2)])
    shear = Coordinates(torch.zeros(10), torch.eye(10) + 0.1 * points(10, 10, 3).float(), torch.float64)
    for coordinates in (identity(10, torch.float64), shear):
        for a, b in ((unsafe, union), (complement(unsafe), complement(union))):
            p, q = pull(a, coordinates), pull(b, coordinates)
            for fast, slow in ((p, q), (soften(p, 0.1), soften(q, 0.1))):
                assert torch.equal(fast.contains(x), slow.contains(x))
                for u, v in zip(fast.jet(x), slow.jet(x), strict=True):
                    assert torch.allclose(u, v, atol=1e-9)


# ------------------------------------------------------------------ networks and predicates


class Network(nn.Module):
    """Three logits of two columns."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def test_a_sublevel_set_of_an_energy() -> None:
    x = points()
    unsafe = Sublevel(Field(lambda x: x.square().sum(-1) / 2, dimension=2), 0.5)
    assert torch.equal(unsafe.contains(x), Ball([0.0, 0.0], 1.0).contains(x)) and torch.equal(
        unsafe(x) < 0, unsafe.contains(x)
    )


@pytest.mark.parametrize("probability", [0.2, 0.3, 0.4])
def test_where_a_classifier_is_sure(probability: float) -> None:
    """By softmax in float64, with the network as it was when the set was made."""
    network, x = Network(), points()
    unsafe = Classifier(network, 1, probability, dimension=2)
    truth = torch.softmax(Network().double()(x), -1)[:, 1] >= probability
    with torch.no_grad():
        network.layers[2].bias.zero_().add_(100)
    assert torch.equal(unsafe.contains(x), truth) and 0 < truth.sum() < len(x)
    clear = unsafe(x).abs() > 1e-5
    assert torch.equal((unsafe(x) < 0)[clear], truth[clear]) and torch.equal(
        (pull(unsafe, identity(2))(x) < 0)[clear], truth[clear]
    )
    assert unsafe(x.float()).dtype == torch.float32 and not any(p.requires_grad for p in unsafe.parameters())


def test_where_a_class_is_likeliest() -> None:
    network, x = Network(), points()
    regions = [MostLikely(network, k) for k in range(3)]
    held = torch.stack([r.contains(x) for r in regions])
    assert torch.equal(held.int().sum(0), torch.ones(len(x), dtype=torch.int64)) and torch.equal(
        held.int().argmax(0), Network().double()(x).argmax(1)
    )
    with pytest.raises(NotSmooth):
        soften(regions[0], 0.1)
    with pytest.raises(ValueError, match="a label among them; got label 7 of 3"):
        MostLikely(network, 7).contains(x)


def test_a_predicate_counts_and_says_that_it_has_no_distance() -> None:
    def odd_floor(x: torch.Tensor) -> list[bool]:
        return [int(row[0] // 1) % 2 == 1 for row in x]

    unsafe, x = Predicate(odd_floor), points(50)
    expected = torch.tensor([int(v // 1) % 2 == 1 for v in x[:, 0].tolist()])
    assert torch.equal(unsafe.contains(x), expected)
    assert torch.equal((unsafe & A).contains(x), expected & A.contains(x)) and torch.equal(
        (~unsafe).contains(x), ~expected
    )
    assert torch.equal(pull(unsafe, identity(2, torch.float64)).contains(x), expected)
    attempts = [
        lambda: unsafe(x),
        lambda: unsafe.jet(x),
        lambda: soften(unsafe, 0.1),
        lambda: soften(~unsafe, 0.1),
        lambda: pull(unsafe, identity(2)).jet(x),
        lambda: soften(pull(unsafe, AFFINE), 0.1)(x),
        lambda: (unsafe | A)(x),
    ]
    for attempt in attempts:
        with pytest.raises(NotSmooth, match="gate"):
            attempt()
    with pytest.raises(ValueError, match=r"must answer once a row \(\(50,\)\); got shape \(1,\)"):
        Predicate(lambda x: [True]).contains(x)


def test_sets_move_with_their_module() -> None:
    """Everything a set measures with is a buffer: none is left behind by `.to`, and float64 is what they are
    kept in.
    """
    sets: list[UnsafeSet] = [
        A,
        B,
        C,
        pull(B, AFFINE),
        pull(A, AFFINE),
        Anywhere(A, "abcd"),
        Rule("x < y", "xy"),
    ]
    for unsafe in sets:
        assert all(b.dtype in (torch.float64, torch.int64) for b in unsafe.buffers())
        assert not list(unsafe.parameters())
