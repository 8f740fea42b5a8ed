"""Parity between two groups: the mean of an outcome may differ by at most ε, |E[φ|A] − E[φ|B]| ≤ ε
(demographic parity).

    E[φ|A] = E[φa]/E[a],    E[φ|B] = E[φb]/E[b],    statistics (φa, a, φb, b),    rows   B = ε − gap   and
        B = ε + gap.

The readout is a ratio, so its Jacobian depends on the cloud: it is the only nonlinear readout here. The
memberships a, b ≥ 0 are functions of the particle, hard or soft; a drift filter needs all three twice
differentiable (B.5), so soft ones, for example σ(−s/w) of a set.
"""

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet, autodiff_jet, value_and_gradient
from barriers.functionals.base import Barrier, StatisticsJet, side_by_side
from barriers.functionals.moment import Function


class GroupParity(Barrier):
    """`outcome` has the same mean in both groups within `tolerance`; outcome and memberships map [n, d] to
    [n].

    limits = [ε, ε]: gap and −gap are observed. Raises ValueError for a cloud in which a group has no member.
    """

    batched = True

    def __init__(self, outcome: Function, group_a: Function, group_b: Function, tolerance: float):
        super().__init__()
        if not 0 < tolerance < float("inf"):
            raise ValueError(f"GroupParity: tolerance must be > 0; got {tolerance:g}")
        self.outcome, self.group_a, self.group_b = outcome, group_a, group_b
        self.register_buffer("limits", torch.full((2,), float(tolerance), dtype=torch.float64))

    @classmethod
    def example(cls) -> "GroupParity":
        def outcome(x: Tensor) -> Tensor:
            return torch.sigmoid((0.8 * x[:, 0] + x[:, 1]) / 0.5)

        return cls(
            outcome,
            lambda x: torch.sigmoid(x[:, 0] / 0.3),
            lambda x: torch.sigmoid(-x[:, 0] / 0.3),
            tolerance=0.1,
        )

    def statistics(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        φ, a, b = self.outcome(x), self.group_a(x), self.group_b(x)
        return side_by_side([φ * a, a, φ * b, b])

    def jet(self, x: Float[Tensor, "n d"]) -> StatisticsJet:
        φ, a, b = (autodiff_jet(f, x) for f in (self.outcome, self.group_a, self.group_b))
        jets = (_product(φ, a), a, _product(φ, b), b)
        return StatisticsJet(*map(side_by_side, zip(*jets, strict=True)))

    def gradients(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k d"]]:
        (φ, dφ), (a, da), (b, db) = (
            value_and_gradient(f, x) for f in (self.outcome, self.group_a, self.group_b)
        )
        φ_, a_, b_ = φ[:, None], a[:, None], b[:, None]
        gradient = side_by_side([φ_ * da + a_ * dφ, da, φ_ * db + b_ * dφ, db])
        return side_by_side([φ * a, a, φ * b, b]), gradient

    def readout(self, mean: Float[Tensor, "*r k"]) -> Float[Tensor, "*r m"]:
        if bool((mean[..., [1, 3]] <= 0).any()):
            raise ValueError(
                "GroupParity: a group has no member in this cloud; draw more particles or use soft "
                "memberships"
            )
        a, in_a, b, in_b = mean.unbind(-1)
        gap = a / in_a - b / in_b
        return self.limits - torch.stack([gap, -gap], -1)


def _product(f: Jet, g: Jet) -> Jet:
    """The jet of fg: ∇ = f∇g + g∇f, Δ = fΔg + 2∇f·∇g + gΔf."""
    cross = (f.gradient * g.gradient).sum(1)
    return Jet(
        f.value * g.value,
        f.value[:, None] * g.gradient + g.value[:, None] * f.gradient,
        f.value * g.laplacian + 2 * cross + g.value * f.laplacian,
    )
