"""The dual with a speed bound |u − v| ≤ speed: convex, once differentiable, quadratic on pieces (Q.1 with a
box).

    θ(μ) = max_u −[½‖u − v‖²_W + μᵀ(Au − c)] + ½ Σ μ²/ρ,   ∇θ = c − A u(μ) + μ/ρ,
        u(μ) = v + clip(−W⁻¹Aᵀμ, ±speed)

Semismooth Newton: on each piece the Hessian is H = A_F W⁻¹ A_Fᵀ + 1/ρ with F the unclipped coordinates, the
step is an m-variable dual QP, and the line search is exact. It is the inner loop of the proximal point
method: θ + ½ε‖μ − μ₀‖² in unit rows keeps H positive definite when every coordinate of a row is clipped; its
first round *is* the relaxed problem. One constraint is solved directly first, from the sorted multipliers at
which coordinates become clipped. Infeasibility is proved: ν ≥ 0 with min over the box of νᵀ(Au − c) > 0
(Farkas). Letters as in `problem`.
"""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.qp.active_set import RELAXATION, solve_on
from barriers.qp.dual import Infeasible, solve_dual
from barriers.qp.problem import Problem, combination, gram, inverse_weights, rows_times

Added = Callable[[Tensor], Tensor]
"""The sum of a float64 tensor over the parts of a problem whose coordinates are in several places."""

NEWTON_STEPS = 60
ROUNDS = 8
BISECTIONS = 50


class Bounded(NamedTuple):
    """Multipliers, and which problems have no solution and were relaxed."""

    multipliers: Float[Tensor, "b m"]
    relaxed: Bool[Tensor, "b"]


class _DualPoint(NamedTuple):
    """θ at scaled multipliers: ∇θ in unit rows, the piece (−1, 0 or 1 per coordinate: clipped, free,
    clipped), and the distance of μ from optimality.
    """

    slope: Float[Tensor, "b m"]
    piece: Float[Tensor, "b n d"]
    residual: Float[Tensor, "b"]


class _Scaled:
    """The dual in unit rows: μ stands for μ·length. A zero row without slack has no effect and
    is left out. added: of a problem of which this is a part; every sum over coordinates goes through it.
    """

    def __init__(self, problem: Problem, added: Added | None):
        assert problem.speed is not None
        self.whole, self.added = added is None, (lambda part: part) if added is None else added
        b, n, d = problem.v.shape
        q = inverse_weights(problem)
        self.A, self.v, self.speed = problem.A, problem.v.double(), problem.speed.double()
        self.q = torch.ones(b, n, d, dtype=torch.float64, device=self.v.device) if q is None else q
        G = self.added(gram(self.A, q))
        length = G.diagonal(dim1=1, dim2=2).sqrt()
        self.alive = (length > 1e-100) | torch.tensor(problem.slack is not None)
        self.length = torch.where(length > 1e-100, length, 1.0)
        self.softness = (
            torch.zeros_like(length)
            if problem.slack is None
            else 1 / (problem.slack.double() * self.length**2)
        )
        self.c = problem.c.double() / self.length
        self.excess = torch.where(
            self.alive, self.added(rows_times(self.A, self.v)) / self.length - self.c, 0.0
        )
        self.size = 1 + self.excess.abs().amax(1)

    def push(self, μ: Tensor) -> Tensor:
        return combination(self.A, μ / self.length) * self.q

    def clipped(self, push: Tensor) -> Tensor:
        return torch.clamp(push, -self.speed, self.speed)

    def at(self, μ: Tensor) -> _DualPoint:
        p = self.push(μ)
        slope = self.added(rows_times(self.A, self.clipped(p))) / self.length
        slope = slope - self.excess + self.softness * μ
        slope = torch.where(self.alive, slope, 1.0)
        return _DualPoint(
            slope, torch.where(p.abs() < self.speed, 0.0, p.sign()), torch.minimum(μ, slope).abs().amax(1)
        )

    def hessian(self, piece: Tensor) -> Tensor:
        H = self.added(gram(self.A, self.q * (piece == 0))) / (
            self.length[:, :, None] * self.length[:, None, :]
        )
        return H + torch.diag_embed(self.softness)

    def impossible(self, ν: Tensor) -> Tensor:
        """Whether ν ≥ 0 proves that no u in the box satisfies the rows."""
        ν = ν / ν.norm(dim=1, keepdim=True).clamp(min=1e-300)
        most = self.added((self.speed * combination(self.A, ν / self.length).abs()).sum((1, 2)))
        return (ν * self.excess).sum(1) - most > 1e-10 * self.size

    def same(self, one: Tensor, other: Tensor) -> Tensor:
        """Whether two pieces are the same, of every part."""
        return self.added((one != other).flatten(1).sum(1).double()) == 0


def solve_bounded(problem: Problem, raising: str = "relax", added: Added | None = None) -> Bounded:
    """The multipliers of problems with a speed bound, to rounding; raises Infeasible if requested (`raising`
    = "raise"). added: where `problem` has only a part of the coordinates.
    """
    dual = _Scaled(problem, added)
    μ = torch.zeros_like(dual.excess)
    softened, hopeless = μ, torch.zeros_like(dual.size, dtype=torch.bool)
    for round_ in range(ROUNDS):
        direct = round_ == 0 and μ.shape[1] == 1 and dual.whole
        μ, softened = _of_one(dual) if direct else (_newton(dual, μ), softened)
        at = dual.at(μ)
        hopeless = hopeless | (dual.impossible((-at.slope).clamp(min=0)) & (problem.slack is None))
        softened = μ if round_ == 0 and not direct else softened
        μ, residual = (μ, at.residual) if direct else _sharpened(dual, μ, at)
        if bool(((residual <= 1e-12 * dual.size) | hopeless).all()):
            break
    relaxed = hopeless | (residual > 1e-9 * (dual.size + μ.amax(1)))
    unmovable = ~dual.alive & (problem.c < 0)
    if raising == "raise" and bool((relaxed | unmovable.any(1)).any()):
        k = int((relaxed | unmovable.any(1)).nonzero()[0, 0])
        raise Infeasible(
            f"no velocity within the speed bound satisfies all {μ.shape[1]} constraints of problem {k}"
        )
    return Bounded(torch.where(relaxed[:, None], softened, μ) / dual.length, relaxed)


def _of_one(dual: _Scaled) -> tuple[Float[Tensor, "b 1"], Float[Tensor, "b 1"]]:
    """argmin_{μ≥0} of one constraint's θ(μ), and of θ(μ) + ½εμ², which takes its place where every coordinate
    is clipped: θ' is piecewise linear and increasing, and bends where a coordinate becomes clipped.
    """
    row = (dual.A.double().flatten(2)[:, 0] / dual.length).abs()
    speed, q = dual.speed.flatten(1), dual.q.flatten(1)
    ends, order = (speed / (row * q)).sort(dim=1)
    most, curvature = ((part.gather(1, order)) for part in (row * speed, row.square() * q))
    clipped = torch.nn.functional.pad(most.cumsum(1), (1, 0))  # by the coordinates that are, before each end
    free = torch.nn.functional.pad(curvature.flip(1).cumsum(1).flip(1), (0, 1)) + dual.softness
    excess = torch.where(dual.alive, dual.excess, 0.0)

    def solved(free: Tensor) -> Tensor:
        k = (clipped[:, :-1] + ends * free[:, :-1] <= excess).sum(1, keepdim=True)
        return ((excess - clipped.gather(1, k)) / free.gather(1, k)).clamp(min=0)

    hard, softened = solved(free), solved(free + RELAXATION)
    return torch.where(torch.isfinite(hard), hard, softened), softened


def _newton(dual: _Scaled, center: Tensor) -> Tensor:
    """argmin_{μ≥0} θ(μ) + ½ε‖μ − center‖²."""
    μ, at = center, dual.at(center)
    eye = RELAXATION * torch.eye(μ.shape[1], dtype=μ.dtype, device=μ.device)
    for _ in range(NEWTON_STEPS):
        slope = at.slope + RELAXATION * (μ - center)
        H = dual.hessian(at.piece) + eye
        target = solve_dual(H, (H @ μ[:, :, None])[:, :, 0] - slope).multipliers
        step = target - μ
        t = _exact_line_search(dual, μ, step, center)
        μ = (μ + t[:, None] * step).clamp(min=0)
        before, at = at, dual.at(μ)
        settled = dual.same(at.piece, before.piece) & (t == 1)
        if bool((settled | (step.abs().amax(1) <= 1e-15 * (1 + μ.amax(1)))).all()):
            break
    return μ


def _exact_line_search(dual: _Scaled, μ: Tensor, step: Tensor, center: Tensor) -> Tensor:
    """Where the derivative of θ along the step, piecewise linear and increasing, becomes 0; at most 1."""
    p, dp = dual.push(μ), dual.push(step)
    row = dp / dual.q
    rest = (step * (dual.softness * μ + RELAXATION * (μ - center) - dual.excess)).sum(1) + (
        step * ~dual.alive
    ).sum(1)
    bend = (step**2 * (dual.softness + RELAXATION)).sum(1)

    def derivative(t: Tensor) -> Tensor:
        return rest + t * bend + dual.added((row * dual.clipped(p + t[:, None, None] * dp)).sum((1, 2)))

    low, high = torch.zeros_like(rest), torch.ones_like(rest)
    over = derivative(high) > 1e-14 * dual.size * step.abs().sum(1)  # rounding of a sum of slope times step
    if not bool(over.any()):
        return high
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        rising = derivative(middle) > 0
        low, high = torch.where(rising, low, middle), torch.where(rising, middle, high)
    return torch.where(over, (low + high) / 2, 1.0)


def _sharpened(dual: _Scaled, μ: Tensor, at: _DualPoint) -> tuple[Tensor, Tensor]:
    """One Newton step of the hard problem on the pieces of the solution, kept where it lowers
    the residual.
    """
    active, H = (μ > 0) & dual.alive, dual.hessian(at.piece)
    better = solve_on(H, (H @ μ[:, :, None])[:, :, 0] - at.slope, active).clamp(min=0)
    residual = dual.at(better).residual
    take = residual <= at.residual
    return torch.where(take[:, None], better, μ), torch.where(take, residual, at.residual)
