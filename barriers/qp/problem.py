"""The primal problem of a filter, batched (Q.1), and the few products through which all other code uses its
rows.

    min_u ½ Σ_j w_j (u_j − v_j)² + ½ Σ_k ρ_k s_k²   s.t.  A u ≤ c + s,  |u_j − v_j| ≤ speed_j

Without a slack penalty ρ the constraints are hard (s = 0), without `speed` the step is unbounded. Every
solution has the form u = v + clip(−W⁻¹Aᵀμ, ±speed) with multipliers μ ≥ 0, so only m numbers per problem are
unknown.

One layout serves a batch of vectors [b, 1, N] with rows [b, m, 1, N] and a cloud [1, n, d] with one row per
particle [1, m, n, d] (a view of [n, m, d]). Products accumulate in float64 over blocks, for any dtype of the
rows.
Letters: b problems, m constraints, n particles, d dimensions, N = n·d.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

BLOCK_NUMBERS = 1 << 21
"""The number of entries of the rows held in float64 at a time."""


class Problem(NamedTuple):
    """v, A, c and, where given, weights w, slack penalties ρ and speeds; checked, and expanded to one entry
    per problem.
    """

    v: Float[Tensor, "b n d"]
    A: Float[Tensor, "b m n d"]
    c: Float[Tensor, "b m"]
    w: Float[Tensor, "b n d"] | None
    slack: Float[Tensor, "b m"] | None
    speed: Float[Tensor, "b n d"] | None

    def each(self, change: Callable[[Tensor], Tensor]) -> "Problem":
        """The problem with the same function applied to every tensor."""
        v, A, c, *others = self
        return Problem(change(v), change(A), change(c), *(None if x is None else change(x) for x in others))

    def part(self, index: Tensor) -> "Problem":
        """The problems with these indices."""
        return self.each(lambda x: x[index])


class Found(NamedTuple):
    """A solver's solution: float64, outside the graph. free: None without a speed bound."""

    u: Float[Tensor, "b n d"]
    multipliers: Float[Tensor, "b m"]
    free: Bool[Tensor, "b n d"] | None
    relaxed: Bool[Tensor, "b"]


def pose(
    v: Tensor,
    A: Tensor,
    c: Tensor,
    weights: Tensor | None = None,
    slack: Tensor | float | None = None,
    speed: Tensor | float | None = None,
) -> Problem:
    """A problem in the common layout from v [b, n, d] and A [b, m, n, d]; arguments shared by the problems
    may lack the first axis.

    Raises ValueError where shapes do not fit, or a weight, penalty or speed is not positive.
    """
    b, n, d = v.shape
    if A.dim() != 4 or A.shape[0] != b or A.shape[2:] != v.shape[1:]:
        raise ValueError(
            f"project: rows {tuple(A.shape)} do not fit vectors {tuple(v.shape)}; expected [{b}, m, {n}, {d}]"
        )
    m = A.shape[1]
    return Problem(
        v,
        A,
        _expanded(c, (b, m), "bounds"),
        _positive(weights, v, (b, n, d), "weights"),
        _positive(slack, v, (b, m), "slack"),
        _positive(speed, v, (b, n, d), "speed"),
    )


def blocks(A: Tensor, *vectors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Pieces of A as float64 [b, m, j] and the matching pieces [b, j] of each vector [b, n, d]."""
    b, m, n, d = A.shape
    if A.numel() <= BLOCK_NUMBERS:
        yield (A.double().reshape(b, m, -1), *(x.double().reshape(b, -1) for x in vectors))
        return
    axis = 2 if n > 1 else 3
    size = A.shape[axis]
    step = max(1, BLOCK_NUMBERS // max(1, A.numel() // max(1, size)))
    for start in range(0, size, step):
        j = min(step, size - start)
        piece = A.narrow(axis, start, j).double().reshape(b, m, -1)
        yield (piece, *(x.narrow(axis - 1, start, j).double().reshape(b, -1) for x in vectors))


def rows_times(A: Float[Tensor, "b m n d"], x: Float[Tensor, "b n d"]) -> Float[Tensor, "b m"]:
    """A x."""
    total: Tensor | None = None
    for a, part in blocks(A, x):
        piece = (a @ part[:, :, None])[:, :, 0]
        total = piece if total is None else total + piece
    return x.new_zeros(A.shape[:2]).double() if total is None else total


def combination(A: Float[Tensor, "b m n d"], μ: Float[Tensor, "b m"]) -> Float[Tensor, "b n d"]:
    """Aᵀ μ."""
    b, _, n, d = A.shape
    parts = [(μ[:, None, :] @ a)[:, 0] for (a,) in blocks(A)]
    return torch.cat(parts, 1).reshape(b, n, d) if parts else μ.new_zeros(b, n, d)


def gram(A: Float[Tensor, "b m n d"], q: Float[Tensor, "b n d"] | None) -> Float[Tensor, "b m m"]:
    """A diag(q) Aᵀ; q = None: ones."""
    total: Tensor | None = None
    for a, *share in blocks(A) if q is None else blocks(A, q):
        piece = (a * share[0][:, None] if share else a) @ a.mT
        total = piece if total is None else total + piece
    return A.new_zeros(*A.shape[:2], A.shape[1]).double() if total is None else total


def inverse_weights(problem: Problem) -> Float[Tensor, "b n d"] | None:
    """1/w in float64, None for ones."""
    return None if problem.w is None else 1 / problem.w.double()


def push(problem: Problem, μ: Float[Tensor, "b m"]) -> Float[Tensor, "b n d"]:
    """W⁻¹Aᵀμ: how far μ moves each coordinate back, before the speed bound."""
    q = inverse_weights(problem)
    return combination(problem.A, μ) if q is None else combination(problem.A, μ) * q


def moved(problem: Problem, pushed: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
    """v − clip(pushed, ±speed), in float64."""
    if problem.speed is not None:
        pushed = torch.clamp(pushed, -problem.speed.double(), problem.speed.double())
    return problem.v.double() - pushed


def _expanded(given: Tensor, shape: tuple[int, ...], name: str) -> Tensor:
    """A tensor expanded outside the derivative, so that the gradient of a shared argument is a sum."""
    try:
        return given.expand(shape)
    except RuntimeError:
        raise ValueError(f"project: {name} {tuple(given.shape)} do not fit {list(shape)}") from None


def _positive(given: Tensor | float | None, like: Tensor, shape: tuple[int, ...], name: str) -> Tensor | None:
    if given is None:
        return None
    tensor = (
        given
        if isinstance(given, Tensor)
        else torch.tensor(float(given), dtype=torch.float64, device=like.device)
    )
    if not bool((tensor > 0).all()):
        raise ValueError(f"project: {name} must be > 0; got {float(tensor.min()):g}")
    return _expanded(tensor, shape, name)
