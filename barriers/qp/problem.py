"""The primal problem of a filter, batched (Q.1).

    min_u ½ Σ_j w_j (u_j − v_j)² + ½ Σ_k ρ_k s_k²   s.t.  A u ≤ c + s,  |u_j − v_j| ≤ speed_j

Without a slack penalty ρ the constraints are hard (s = 0), without `speed` the step is unbounded. Every
solution has the form u = v + clip(−W⁻¹Aᵀμ, ±speed) with multipliers μ ≥ 0, so only m numbers per problem are
unknown.

One layout serves a batch of vectors [b, 1, N] with rows [b, m, 1, N] and a cloud [1, n, d] with one row per
particle [1, m, n, d] (a view of [n, m, d]).
Letters: b problems, m constraints, n particles, d dimensions, N = n·d.
"""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.qp.rows import combination, gram, pieces, rows_times

__all__ = [
    "Found",
    "Problem",
    "combination",
    "gram",
    "inverse_weights",
    "moved",
    "moved_by",
    "pose",
    "push",
    "rows_times",
]


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
    """A solver's solution: float64, outside the graph. free: None without a speed bound. met: A u."""

    u: Float[Tensor, "b n d"]
    multipliers: Float[Tensor, "b m"]
    free: Bool[Tensor, "b n d"] | None
    relaxed: Bool[Tensor, "b"]
    met: Float[Tensor, "b m"] | None = None


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


def moved_by(
    problem: Problem, μ: Float[Tensor, "b m"], known: Float[Tensor, "b m"] | None = None
) -> tuple[Float[Tensor, "b n d"], Float[Tensor, "b m"]]:
    """u(μ) = v − W⁻¹Aᵀμ, without a speed bound, and A u(μ), where it is not known, the rows read once; not
    differentiable.
    """
    A, v, w = problem.A, problem.v, problem.w
    u = torch.empty(v.shape, dtype=torch.float64, device=v.device)
    product = torch.zeros(A.shape[:2], dtype=torch.float64, device=v.device)
    for piece in pieces(A):
        if w is None:
            piece.less(v, μ, out=piece.cut(u))
        else:
            part = piece.cut(u)
            torch.sub(piece.cut(v), piece.combination(μ).view(part.shape) / piece.cut(w), out=part)
        if known is None:
            product[piece.problems] += piece.times(u)
    return u, product if known is None else known


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
