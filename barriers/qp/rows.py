"""The constraint rows A [b, m, n, d] of b problems, and the few products through which all other code uses
them: A diag(q) Aᵀ, A x and Aᵀμ, in float64 for any dtype of the rows.

The rows are read in pieces that fit the cache. A piece that is not float64 or does not have the constraints
first (a view of [n, m, d]) is copied into memory that the next piece uses again: in the cache this costs less
than a product, while a copy of all rows would cost several.
Letters: b problems, m constraints, n particles, d dimensions, j coordinates of a piece.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import recorded

BLOCK_NUMBERS, AS_THEY_LIE = 1 << 18, 1 << 20
"""The number of entries of a piece that is copied, two megabytes in float64, and of one that is not."""

Cut = Callable[[Float[Tensor, "b *m n d"]], Float[Tensor, "c *m n d"]]
"""The part of a vector, or of other rows, that belongs to a piece: a view."""


class Piece(NamedTuple):
    """Some rows of some problems, overwritten by the next piece; `cut` takes the same part of a vector."""

    a: Float[Tensor, "c m j"]
    problems: slice
    cut: Cut

    def gram(self, q: Tensor | None) -> Float[Tensor, "c m m"]:
        """A diag(q) Aᵀ."""
        return (self.a if q is None else self.a * self.cut(q).reshape(len(self.a), 1, -1)) @ self.a.mT

    def times(self, x: Tensor) -> Float[Tensor, "c m"]:
        """A x."""
        return (self.a @ self.cut(x).double().reshape(len(self.a), -1, 1))[:, :, 0]

    def combination(self, μ: Float[Tensor, "b m"]) -> Float[Tensor, "c j"]:
        """Aᵀ μ."""
        return (μ[self.problems, None] @ self.a)[:, 0]

    def less(self, x: Tensor, μ: Float[Tensor, "b m"], out: Float[Tensor, "c n d"]) -> None:
        """x − Aᵀ μ, into `out`."""
        c = len(self.a)
        whole, begun = out.view(c, 1, -1), self.cut(x).double().reshape(c, 1, -1)
        own = μ[self.problems, None]
        if self.a.shape[1] == 1:  # in one pass, of which a product of matrices makes two
            torch.addcmul(begun, self.a, own, value=-1, out=whole)
        else:
            torch.baddbmm(begun, own, self.a, alpha=-1, out=whole)


def gram(A: Float[Tensor, "b m n d"], q: Float[Tensor, "b n d"] | None) -> Float[Tensor, "b m m"]:
    """A diag(q) Aᵀ; q = None: ones."""
    if recorded(A) or (q is not None and recorded(q)):
        return _whole(A).gram(q)
    total = A.new_zeros(*A.shape[:2], A.shape[1], dtype=torch.float64)
    for piece in pieces(A):
        total[piece.problems] += piece.gram(q)
    return total


def rows_times(A: Float[Tensor, "b m n d"], x: Float[Tensor, "b n d"]) -> Float[Tensor, "b m"]:
    """A x."""
    if recorded(A, x):
        return _whole(A).times(x)
    total = A.new_zeros(A.shape[:2], dtype=torch.float64)
    for piece in pieces(A):
        total[piece.problems] += piece.times(x)
    return total


def combination(A: Float[Tensor, "b m n d"], μ: Float[Tensor, "b m"]) -> Float[Tensor, "b n d"]:
    """Aᵀ μ."""
    if recorded(A, μ):
        return _whole(A).combination(μ).reshape(A.shape[0], *A.shape[2:])
    out = A.new_empty(A.shape[0], *A.shape[2:], dtype=torch.float64)
    for piece in pieces(A):
        part = piece.cut(out)
        part.copy_(piece.combination(μ).view(part.shape))
    return out


def products(A: Float[Tensor, "b m n d"], B: Float[Tensor, "b l n d"]) -> Float[Tensor, "b m l"]:
    """A Bᵀ."""
    if recorded(A, B):
        return _whole(A).a @ _whole(B).a.mT
    total = A.new_zeros(*A.shape[:2], B.shape[1], dtype=torch.float64)
    room = _Room(B)
    for piece in pieces(A):
        total[piece.problems] += piece.a @ room.flat(piece.cut(B)).mT
    return total


def gram_and_times(
    A: Float[Tensor, "b m n d"], q: Float[Tensor, "b n d"] | None, x: Float[Tensor, "b n d"]
) -> tuple[Float[Tensor, "b m m"], Float[Tensor, "b m"]]:
    """A diag(q) Aᵀ and A x, the rows read once."""
    if recorded(A, x) or (q is not None and recorded(q)):
        return gram(A, q), rows_times(A, x)
    total = A.new_zeros(*A.shape[:2], A.shape[1], dtype=torch.float64)
    product = A.new_zeros(A.shape[:2], dtype=torch.float64)
    for piece in pieces(A):
        total[piece.problems] += piece.gram(q)
        product[piece.problems] += piece.times(x)
    return total, product


def pieces(A: Float[Tensor, "b m n d"]) -> Iterator[Piece]:
    """All rows, once."""
    b, m, n, d = A.shape
    axis, size = (-2, n) if n > 1 else (-1, d)
    numbers, most = max(1, m * n * d), AS_THEY_LIE if _in_line(A) else BLOCK_NUMBERS
    together = max(1, most // numbers)
    step = max(1, most * size // (min(b, together) * numbers))
    room = _Room(A)
    for first in range(0, b, together):
        problems = slice(first, min(first + together, b))
        for start in range(0, size, step):
            length = min(step, size - start)

            def cut(x: Tensor, at: slice = problems, start: int = start, length: int = length) -> Tensor:
                return x[at].narrow(axis, start, length)

            yield Piece(room.flat(cut(A)), problems, cut)


class _Room:
    """Memory for one piece of some rows after the other."""

    def __init__(self, like: Tensor):
        self._held = like.new_empty(0, dtype=torch.float64)

    def flat(self, rows: Float[Tensor, "c m n d"]) -> Float[Tensor, "c m j"]:
        """The rows as they lie where that is possible, else a copy that the next one overwrites."""
        if _in_line(rows):
            return rows.flatten(2)
        if self._held.numel() < rows.numel():
            self._held = self._held.new_empty(rows.numel())
        return self._held[: rows.numel()].view(rows.shape).copy_(rows).flatten(2)


def _in_line(rows: Float[Tensor, "c m n d"]) -> bool:
    """Whether each row is float64 numbers one after the other."""
    n, d = rows.shape[2:]
    in_line = n == 1 or (rows.stride(2) == d * rows.stride(3) and rows.stride(3) == 1)
    return rows.dtype == torch.float64 and in_line


def _whole(A: Tensor) -> Piece:
    """All rows as one piece, in the graph."""
    return Piece(A.double().flatten(2), slice(None), lambda x: x)
