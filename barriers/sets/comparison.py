"""One comparison of a rule, left < right or left ≤ right: s = left − right, a level function.

Where either side is undefined (see `expression`) the row is inside, for the comparison and for its
complement: an undefined value does not pass. With negation pushed to the comparisons this is Kleene's
three-valued logic read
pessimistically: `x > 0 and log(x) < 1` is false at x = −1, whatever log(−1) is, and `not log(x) < 1` is as
unsafe there as `log(x) < 1`. The level is then a tiny negative number with gradient 0, so a surrogate φ(s) is
at least κ there, with gradient 0. Where float64 only over- or underflows, a rational comparison is made in
exact fractions (see `rational`), and its level is the largest one.
"""

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import Jet, float64_jet
from barriers.sets.algebra import complement
from barriers.sets.base import UnsafeSet
from barriers.sets.expression import Expression, Value, evaluate, kinked
from barriers.sets.rational import SMALL, below, divides_by_zero, rational, scales, underflows

UNDEFINED = -1e-36
"""The level of a row without a value: negative in float32 too, and still tiny after scaling by
`pull.STEEPEST`.
"""


class Comparison(UnsafeSet):
    """Where left < right (`strict`) or left <= right; the expressions in `also` must be defined too."""

    exact = False

    def __init__(
        self,
        left: Expression,
        right: Expression,
        strict: bool,
        dimension: int,
        also: tuple[Expression, ...] = (),
    ):
        super().__init__()
        self.left, self.right, self.strict, self.also, self.dimension = left, right, strict, also, dimension
        self.smooth = not kinked(left) and not kinked(right)
        sides = (left, right, *also)
        self.exactly = all(map(rational, sides)) and any(map(scales, sides))

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        left, right, defined = self.sides(x)
        limit = torch.finfo(x.dtype).max ** 0.75
        level = (left.number - right.number).clamp(-limit, limit)
        level = torch.where(defined, level, UNDEFINED)
        if self.exactly and not bool(defined.all()):
            rows, holds, known = self._compared(x, ~defined)
            level = level.clone()
            level[rows] = torch.where(known, torch.where(holds, level.new_tensor(-limit), limit), UNDEFINED)
        return level.to(x.dtype)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        with torch.no_grad():
            left, right, defined = self.sides(x)
            less = left.number < right.number if self.strict else left.number <= right.number
            inside = (less | ~defined).expand(x.shape[:-1])
            if self.exactly:
                doubtful = ~defined | ((left.number - right.number).abs() < SMALL)
                if bool(doubtful.any()):
                    rows, holds, known = self._compared(x, doubtful)
                    inside = inside.clone()
                    inside[rows] = holds | ~known
        return inside

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return float64_jet(self, x)

    def _compared(self, x: Tensor, doubtful: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of the doubtful rows, those that over- or underflow; whether each satisfies the comparison exactly,
        and whether it has a value.
        """
        x = x.detach().double()
        rows = doubtful.expand(x.shape[:-1]) & torch.isfinite(x).all(-1)
        chosen = x[rows]
        lost = ~self.sides(chosen)[2]
        for side in (self.left, self.right):
            lost = lost | underflows(side, chosen)
        for side in (self.left, self.right, *self.also):
            lost = lost & ~divides_by_zero(side, chosen)
        rows = rows.clone()
        rows[rows.clone()] = lost
        holds, known = below(self.left, self.right, self.strict, self.also, chosen[lost].cpu())
        return rows, torch.from_numpy(holds).to(x.device), torch.from_numpy(known).to(x.device)

    def sides(self, x: Tensor) -> tuple[Value, Value, Tensor]:
        """Both sides at every row, in float64, and whether everything that the rule uses has a
        value there.
        """
        x = x.double()
        left, right = evaluate(self.left, x), evaluate(self.right, x)
        defined = left.defined & right.defined
        for expression in self.also:
            defined = defined & evaluate(expression, x).defined
        return left, right, defined.expand(x.shape[:-1])


@complement.register
def _complement_of_comparison(unsafe: Comparison) -> UnsafeSet:
    return Comparison(unsafe.right, unsafe.left, not unsafe.strict, unsafe.dimension or 0, unsafe.also)
