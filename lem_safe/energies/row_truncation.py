"""Fitting a mixture of products to rows that rules have cut: the largest likelihood of what remains (E.31).

    p_θ(x | S) = p_θ(x) 1{x ∈ S} / Z_θ,   Z_θ = P_θ(S),   S where the rules hold.

A mixture that is fitted to such rows as if nothing were missing has mass on both sides of the edge of S, and
what is inside is too little near it. EM takes each row to come with the draws that were refused before it:
n (1 − Z)/Z draws of the current mixture outside S, for n rows. With N draws of which N_S are inside S each
one outside stands for n/N_S. The same random numbers make the draws of every iteration.

In the sums T of components that is a step by Z (T(rows) − T(draws in S)), short where Z is small; it is made
1/Z times as long, and shorter again where the likelihood falls.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from lem_safe.energies.row_fitting import Moments, Sums, maximised, moments, parts_of, responsible, summed
from lem_safe.energies.row_mixture import RowMixture

Holds = Callable[[Float[Tensor, "n D"]], Bool[Tensor, "n"]]
"""Where rows of latent points obey the rules."""

LEAST_SHARE = 0.01
"""The least Z_θ: below it, too few draws are inside to tell what is."""
DRAWS_PER_ROW, FEWEST, MOST = 8, 1 << 13, 1 << 15
"""Draws for each row, and how many at least and at most, powers of 2."""
COMPARED = 1 << 16
"""Draws by which Z_θ is estimated where mixtures are compared."""
EDGE = 1e-12
"""How near to 0 and 1 a uniform number may be."""
ITERATIONS, PATIENCE, TOLERANCE = 200, 10, 3e-5
"""Steps at most; they end where as many as PATIENCE gain less than TOLERANCE, in nats per row."""
NOISE = 1e-3
"""By how much an estimate of that may fall, in nats per row, before a step counts as too long."""


class Noise(NamedTuple):
    """The random numbers of draws, spread evenly: of components [N], numbers [N, d] and codes [N, c]."""

    component: Tensor
    numbers: Tensor
    codes: Tensor

    @classmethod
    def of(cls, made: RowMixture, n: int, seed: int) -> "Noise":
        """For n draws of mixtures over the same columns."""
        points = torch.quasirandom.SobolEngine(1 + made.numbers + made.codes, scramble=True, seed=seed)
        u = points.draw(n, dtype=torch.float64).clamp(EDGE, 1 - EDGE)
        return cls(
            u[:, 0].contiguous(), torch.special.ndtri(u[:, 1 : 1 + made.numbers]), u[:, 1 + made.numbers :]
        )

    def draws(self, made: RowMixture) -> Float[Tensor, "N D"]:
        """The draws of a mixture."""
        return made.draws(self.component, self.numbers, self.codes)


class Truncated:
    """The likelihood of rows in S. seed: of the draws that Z_θ is estimated by where mixtures are compared,
    others than those that they are fitted with.
    """

    def __init__(self, holds: Holds, seed: int):
        self.holds, self.seed = holds, seed

    def improved(self, made: RowMixture, x: Float[Tensor, "n D"]) -> RowMixture:
        """What EM for truncated rows reaches from a mixture."""
        return truncated(made, x, self.holds, self.seed + 1)

    def share(self, made: RowMixture) -> float:
        """Z_θ, estimated."""
        noise = Noise.of(made, COMPARED, self.seed)
        return float(self.holds(noise.draws(made)).double().mean())

    def nats(self, made: RowMixture, x: Float[Tensor, "n D"]) -> float:
        """The mean of log p_θ(x | S) over rows in S; −∞ where Z_θ is below LEAST_SHARE."""
        Z = self.share(made)
        return -float(made(x).mean()) - math.log(Z) if Z >= LEAST_SHARE else -math.inf


def truncated(begun: RowMixture, x: Float[Tensor, "n D"], holds: Holds, seed: int) -> RowMixture:
    """The mixture that EM for rows cut by `holds` reaches from `begun`: of all steps the one with the largest
    likelihood of x in S. `begun` itself where hardly a draw of it is in S.
    """
    noise = Noise.of(begun, draws_for(len(x)), seed)
    parts = _parts(x, begun)
    whole, best, ω, marks = moments(parts, begun.numbers, begun.sizes), None, math.inf, list[float]()
    made: RowMixture | None = begun
    for _ in range(ITERATIONS):
        here = None if made is None else _seen(made, parts, noise, holds)
        lost = here is None or (best is not None and here.nats < best.nats - NOISE)
        if best is None or (here is not None and here.nats > best.nats):
            best = here
        if best is None or best.share == 1 or (lost and ω == 1):
            break
        marks.append(best.nats)
        if len(marks) > PATIENCE and marks[-1] - marks[-1 - PATIENCE] < TOLERANCE:
            break
        ω = max(1.0, min(ω, 1 / best.share) * (0.5 if lost else 1))
        made = _stepped(best if lost or here is None else here, ω, whole)
    return begun if best is None else best.made


class Seen(NamedTuple):
    """A mixture, its Z_θ, the mean log p_θ(x | S) of the rows, and the sums over these, over its draws in S
    and outside; both of draws as many times as there are rows for one in S.
    """

    made: RowMixture
    share: float
    nats: float
    rows: Sums
    inside: Sums
    outside: Sums


def _seen(made: RowMixture, parts: Sequence[Tensor], noise: Noise, holds: Holds) -> Seen | None:
    """What a step needs of a mixture; None where Z_θ is below LEAST_SHARE."""
    y = noise.draws(made)
    held = holds(y)
    n, Z = sum(map(len, parts)), float(held.double().mean())
    if Z < LEAST_SHARE:
        return None
    rows, total = _summed(made, parts)
    weight = n / int(held.sum())
    inside, outside = (_summed(made, _parts(some, made), weight)[0] for some in (y[held], y[~held]))
    return Seen(made, Z, total / n - math.log(Z), rows, inside, outside)


def _stepped(at: Seen, ω: float, whole: Moments) -> RowMixture | None:
    """ω times the step of EM; None where that leads to no mixture."""
    sums = Sums(*(ω * r + o + (1 - ω) * i for r, o, i in zip(at.rows, at.outside, at.inside, strict=True)))
    if not bool((sums.many > 0).all()) or not bool((sums.hot >= 0).all()):
        return None
    try:
        return maximised(sums, whole, at.made.sizes)
    except RuntimeError:  # of a matrix that is no covariance
        return None


def draws_for(rows: int) -> int:
    """How many draws the fit to so many rows compares them with."""
    return int(min(max(2 ** math.ceil(math.log2(DRAWS_PER_ROW * rows)), FEWEST), MOST))


def _parts(x: Tensor, made: RowMixture) -> tuple[Tensor, ...]:
    return parts_of(x, len(made.weights), made.numbers)


def _summed(made: RowMixture, parts: Sequence[Tensor], weight: float = 1.0) -> tuple[Sums, float]:
    """The sums over rows, each with a weight, and the logarithm of their likelihood."""
    totals = list[Tensor]()
    shares = (weight * r for r in responsible(made, parts, totals))
    return summed(parts, shares, made.numbers, made.sizes), float(torch.cat(totals).sum())
