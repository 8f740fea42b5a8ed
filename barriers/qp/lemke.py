"""Lemke's complementary pivoting, batched: w = Mz + q ≥ 0, z ≥ 0, zᵀw = 0 [Lemke 1965; Cottle, Pang, Stone
1992, §4.4].

For positive semidefinite M it ends after finitely many pivots, either with a solution or on a ray, and a ray
proves that no z makes Mz + q ≥ 0: the proof of infeasibility that a filter needs. Letters: b problems in the
batch, m variables each.
"""

from typing import NamedTuple

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch


class Complementary(NamedTuple):
    """The solution z, and whether one exists; otherwise z is arbitrary."""

    z: Float[Tensor, "b m"]
    solved: Bool[Tensor, "b"]


def lemke(matrix: Float[Tensor, "b m m"], q: Float[Tensor, "b m"], tolerance: float = 1e-13) -> Complementary:
    """Solves a batch of linear complementarity problems with positive semidefinite matrices, scaled to unit
    diagonal.

    Ties of the ratio test are broken by the largest pivot, the artificial variable first; the covering vector
    1 + i/(7m) makes them rare. A problem that has not ended after 50(m+1) pivots counts as unsolved (the
    caller checks residuals anyway).
    """
    b, m = q.shape
    cover = 1 + torch.arange(m, dtype=q.dtype, device=q.device) / (7 * m)
    eye = torch.eye(m, dtype=q.dtype, device=q.device).expand(b, m, m)
    # columns: w_1..w_m, z_1..z_m, the artificial z_0, the right-hand side
    T = torch.cat([eye, -matrix, -cover.expand(b, m)[..., None], q[..., None]], 2)
    basis = torch.arange(m, device=q.device).repeat(b, 1)
    rows = torch.arange(b, device=q.device)
    artificial = 2 * m
    running = (q < 0).any(1)
    solved = ~running
    entering = torch.full((b,), artificial, device=q.device)
    leaving = (q / cover).argmin(1)
    for _ in range(50 * (m + 1)):
        T[running] = _pivot(T[running], leaving[running], entering[running])
        left = basis[rows, leaving]
        basis = torch.where(
            running[:, None] & (torch.arange(m, device=q.device) == leaving[:, None]),
            entering[:, None],
            basis,
        )
        done = running & (left == artificial)
        solved |= done
        running = running & ~done
        if not running.any():
            break
        entering = torch.where(left < m, left + m, left - m)  # the complement of the leaving variable
        column = T[rows, :, entering.clamp(max=artificial)]
        eligible = column > tolerance
        ratio = torch.where(eligible, T[:, :, -1].clamp(min=0) / column, torch.inf)
        least = ratio.amin(1, keepdim=True)
        running = running & torch.isfinite(least[:, 0])  # no eligible row: a ray
        tied = ratio <= least * (1 + 1e-12) + 1e-15
        leaving = torch.where(tied, column + 1e30 * (basis == artificial), -torch.inf).argmax(1)
    z = torch.zeros(b, 2 * m + 1, dtype=q.dtype, device=q.device)
    z.scatter_(1, basis, T[:, :, -1])
    return Complementary(z[:, m : 2 * m].clamp(min=0), solved)


def _pivot(T: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Gauss–Jordan elimination of one column in each tableau."""
    index = torch.arange(T.shape[0], device=T.device)
    pivot_row = T[index, row] / T[index, row, column][:, None]
    eliminated = T - T[index, :, column][:, :, None] * pivot_row[:, None, :]
    eliminated[index, row] = pivot_row
    return eliminated
