"""The products of the rows against their definition, for any layout, dtype and size of a piece."""

import pytest
import torch
from qp_problems import F64
from torch import Tensor

from barriers.qp import layer, rows
from barriers.qp.problem import moved_by, pose

SHAPES = [(1, 3, 40, 2), (1, 1, 33, 3), (1, 4, 25, 1), (7, 3, 1, 10), (1, 2, 1, 61), (5, 1, 1, 1)]


def laid_out(A: Tensor, layout: str) -> Tensor:
    """The same numbers [b, m, n, d], elsewhere in memory."""
    if layout == "particles first":
        return A.transpose(1, 2).contiguous().transpose(1, 2)
    if layout == "every other one":
        return A.repeat_interleave(2, 3)[..., ::2]
    return A


def differences(shape: tuple[int, ...], layout: str, dtype: torch.dtype) -> float:
    """The largest difference of any product from einsum."""
    b, m, n, d = shape
    generator = torch.Generator().manual_seed(2)
    A, x, q, μ = (
        torch.randn(*s, generator=generator, dtype=dtype) for s in (shape, (b, n, d), (b, n, d), (b, m))
    )
    other = torch.randn(b, 2, n, d, generator=generator, dtype=dtype)
    A, wide, μ = laid_out(A, layout), A.double(), μ.double()
    gram = torch.einsum("bknd,bnd,blnd->bkl", wide, q.double(), wide)
    product = torch.einsum("bknd,bnd->bk", wide, x.double())
    pushed = torch.einsum("bknd,bk->bnd", wide, μ)
    u, met = moved_by(pose(x, A, product, weights=q.abs() + 1), μ)
    moved = x.double() - pushed / (q.abs() + 1).double()
    plain, plainly_met = moved_by(pose(x, A, product), μ)
    pairs = [
        *zip(rows.gram_and_times(A, q, x), (gram, product), strict=True),
        (rows.gram(A, q), gram),
        (rows.gram(A, None), torch.einsum("bknd,blnd->bkl", wide, wide)),
        (rows.rows_times(A, x), product),
        (rows.products(A, other), torch.einsum("bknd,blnd->bkl", wide, other.double())),
        (rows.combination(A, μ), pushed),
        (u, moved),
        (plain, x.double() - pushed),
        (plainly_met, torch.einsum("bknd,bnd->bk", wide, x.double() - pushed)),
        (met, torch.einsum("bknd,bnd->bk", wide, moved)),
    ]
    return max(float((ours - theirs).abs().max()) for ours, theirs in pairs)


@pytest.mark.parametrize("layout", ["constraints first", "particles first", "every other one"])
@pytest.mark.parametrize("numbers", [6, 50, 1 << 18])
def test_products_are_those_of_the_definition(
    monkeypatch: pytest.MonkeyPatch, layout: str, numbers: int
) -> None:
    monkeypatch.setattr(rows, "BLOCK_NUMBERS", numbers)
    monkeypatch.setattr(rows, "AS_THEY_LIE", numbers)
    for shape in SHAPES:
        for dtype in (torch.float32, F64):
            assert differences(shape, layout, dtype) < 1e-11


def test_rows_read_as_they_lie_in_another_layout_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(room: object, part: Tensor) -> Tensor:
        c, m, n, d = part.shape
        return part.transpose(1, 2).reshape(c, n * m * d).reshape(c, m, n * d).double()

    monkeypatch.setattr(rows._Room, "flat", careless)
    assert differences(SHAPES[0], "particles first", F64) > 0.1


def test_a_piece_that_is_left_out_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = rows.pieces
    monkeypatch.setattr(rows, "BLOCK_NUMBERS", 50)
    monkeypatch.setattr(rows, "AS_THEY_LIE", 50)
    monkeypatch.setattr(rows, "pieces", lambda A: list(honest(A))[:-1])
    assert differences(SHAPES[0], "constraints first", F64) > 0.1


def test_second_derivatives_go_through_the_products() -> None:
    A = torch.randn(2, 3, 1, 4, dtype=F64, generator=torch.Generator().manual_seed(3), requires_grad=True)
    q = torch.rand(2, 1, 4, dtype=F64, generator=torch.Generator().manual_seed(4))
    assert torch.autograd.gradgradcheck(lambda A: rows.gram(A, q), A)
    assert torch.autograd.gradgradcheck(lambda A: rows.combination(A, rows.rows_times(A, A[:, 0])), A)


def gap_of_one_row(tight: float, weighted: bool) -> tuple[float, float]:
    """How far A u of a single row, as it follows from its Gram number, is from A times u, relative to the
    bound; and the residual that is reported.
    """
    generator = torch.Generator().manual_seed(3)
    v, A = (torch.randn(1, *s, generator=generator, dtype=F64) for s in ((500, 2), (1, 500, 2)))
    w = torch.rand(1, 500, 2, generator=generator, dtype=F64) + 0.5 if weighted else None
    c = rows.rows_times(A, v) - tight
    seen: list[Tensor] = []
    judge = layer._conditions

    def conditions(*given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        seen.append(given[-1])
        return judge(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layer, "_conditions", conditions)
        found = layer.solve(pose(v, A, c, weights=w), None, "relax", "structured")
    return float((seen[0] - rows.rows_times(A, found.u)).abs() / c.abs()), float(found.residual)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("tight", [7.0, 1e-9, -5.0, 3e9])
def test_what_a_single_row_gives_follows_from_its_gram_number(tight: float, weighted: bool) -> None:
    gap, residual = gap_of_one_row(tight, weighted)
    assert gap < 1e-13 and residual < 1e-13


def test_planted_fault_a_row_that_is_thought_to_be_unmoved(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = layer.moved_by
    monkeypatch.setattr(layer, "moved_by", lambda problem, μ, met: honest(problem, 0 * μ, met))
    assert gap_of_one_row(7.0, weighted=False)[0] > 0.1
