"""The price of a tolerance in nats: the least KL from the unfiltered distribution of any method, the KL of a
filter, and the difference (P.6, P.7).

needed   KL(ρ‖ρ_U) ≥ −μ·β − log E_U e^{−μ·1}   for every μ ≥ 0 and every ρ with ρ(𝒰_k) ≤ β_k; the largest is
         the KL of the projection
paid     KL(ρ‖ρ_U) ≥ E_ρ f − log E_U e^f         for every f; the largest over sums f = Σ_k f_k of membership
         and distance, one per set

Both are lower bounds in any dimension, as only the masses of a few cells are estimated, and no density is.
The second is equal to the KL where the filtered distribution is a tilt e^{−U−Σμ_kφ_k(s_k)}, as the equilibria
of drift, step and gate are, up to the width of the cells. μ and f are fitted on four fifths of the rows and
evaluated on the remaining fifth, in turn, so that fitting causes no bias; the logarithm's own bias, ½Var/n,
is subtracted. What remains is Monte Carlo error, given as one standard error: of independent unfiltered
particles, and of filtered ones as if they were independent.

A kernel or neighbour estimate of KL is no substitute: in 20 dimensions it gives −1.2 for 1.3. Letters: n
rows, d columns, m sets, p features.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch
from barriers.projection import facts, tilt
from barriers.sets import UnsafeSet
from lem_safe.bounds.clopper_pearson import lower_bound

FOLDS, FEWEST = 5, 40
"""Parts of the rows; the number of distinct rows of either cloud below which nothing is estimated."""
SIDE = 5
"""Unfiltered rows on either side of a boundary below which its KL is not estimated."""
LEVELS, LEAST = (7 / 8, 1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32), 25
"""f has a kink where this share of the unfiltered mass on a side of the boundary is nearer to it; the number
of unfiltered rows on either side of a kink.
"""
ITERATIONS, TOLERANCE, RIDGE = 60, 1e-10, 0.01
FEATURED = 24
"""Sets that f is made of, where there are more: a bound from below all the same."""
MOST = 100_000
"""The largest number of rows of either cloud, evenly chosen from more."""


class Seen(NamedTuple):
    """A cloud's membership in the regions, and the distance with the sign of membership (0 where not finite).

    different: the number of distinct rows. Copies are not independent samples, and errors are those of this
    many.
    """

    inside: Bool[Tensor, "n m"]
    level: Float[Tensor, "n m"]
    different: int


class Needed(NamedTuple):
    """The least KL of any distribution within every tolerance.

    nats, error: a lower estimate and its standard error; None where these rows do not suffice (all are inside
    some set, or too few).
    at_least: a lower bound at the requested confidence: Clopper–Pearson's bound on a fraction, for the set
    that needs most.
    """

    nats: float | None
    error: float | None
    at_least: float


class Paid(NamedTuple):
    """The KL of a filtered distribution from the unfiltered one: a lower estimate with its standard error.

    membership: the part that follows from memberships alone.
    """

    nats: float
    error: float
    membership: float


class Account(NamedTuple):
    """needed, paid, and paid − needed with its error; None where not estimated.

    within: whether the filtered cloud meets every tolerance. Only then is `needed` a lower bound of what it
    paid.
    """

    needed: Needed
    paid: Paid | None
    gap: float | None
    gap_error: float | None
    within: bool


@torch.no_grad()
def seen(sets: Sequence[UnsafeSet], x: Float[Tensor, "n d"]) -> Seen:
    """Membership and distance of every row. A set without a distance gives its sign alone."""
    x = x[_spread(len(x))]
    inside = torch.stack([s.contains(x) for s in sets], 1).cpu()
    s = torch.stack([s(x).double() for s in sets], 1).cpu().abs().nan_to_num(0.0, posinf=0.0)
    return Seen(inside, torch.where(inside, -s, s), len(torch.unique(x, dim=0)))


def account(ours: Seen, free: Seen, betas: Sequence[float], confidence: float = 0.95) -> Account:
    """The KL that holding the tolerances needs, and that of the filtered cloud `ours`, from the unfiltered
    cloud `free`.
    """
    least, w = _needed(free, betas, confidence)
    within = bool((ours.inside.double().mean(0) <= torch.tensor(betas, dtype=torch.float64)).all())
    if min(ours.different, free.different) < FEWEST or not _has_rows_on_both_sides(free, betas):
        return Account(least, None, None, None, within)
    plain, fine = _by_features(_membership, ours, free), _by_features(_distance, ours, free)
    best = max(plain, fine, key=lambda found: found.nats)
    paid = Paid(max(best.nats, 0.0), best.error(), max(plain.nats, 0.0))
    if least.nats is None:
        return Account(least, paid, None, None, within)
    return Account(least, paid, paid.nats - least.nats, best.error(w), within)


def needed(free: Seen, betas: Sequence[float], confidence: float = 0.95) -> Needed:
    """The certified price of the tolerances from an unfiltered cloud (P.6); 0 where it already meets all of
    them.
    """
    return _needed(free, betas, confidence)[0]


def _needed(free: Seen, betas: Sequence[float], confidence: float) -> tuple[Needed, Tensor]:
    """The same with the relative weight e^{−μ·1}/E e^{−μ·1} of every row, from which errors are computed; all
    1 where unknown.
    """
    inside, β = free.inside, torch.tensor(betas, dtype=torch.float64)
    n, even = len(inside), torch.ones(len(inside), dtype=torch.float64)
    p, each = inside.double().mean(0).tolist(), 1 - (1 - confidence) / len(betas)
    at_least = max(
        facts(lower_bound(q * free.different, free.different, each), b).kl
        for q, b in zip(p, betas, strict=True)
    )
    if all(q <= b for q, b in zip(p, betas, strict=True)):
        return Needed(0.0, 0.0, at_least), even
    unresolved = Needed(None, None, at_least), even
    if free.different < FEWEST or max(p) == 1:
        return unresolved
    w, spent = even.clone(), 0.0
    try:
        for rest, part in _parts(n):
            μ = _multipliers(inside[rest], β)
            w[part] = (
                (-(inside[part] * μ)).nan_to_num(0.0).sum(1).exp()
            )  # 0·∞ for a row outside a set of β = 0
            spent += float((μ * β).nan_to_num(0.0).sum()) / FOLDS
    except ValueError:  # too few rows remain in four fifths
        return unresolved
    if not float(w.sum()) > 0:
        return unresolved
    log, w = float(w.mean().log()), w / w.mean()
    square = float(w.var()) / free.different
    return Needed(max(-spent - log - square / 2, 0.0), math.sqrt(square), at_least), w


def _has_rows_on_both_sides(free: Seen, betas: Sequence[float]) -> bool:
    """Whether every set with a price has enough unfiltered rows on either side."""
    counts, n = free.inside.sum(0).tolist(), len(free.inside)
    return all(k <= b * n or SIDE <= k <= n - SIDE for k, b in zip(counts, betas, strict=True))


def _multipliers(inside: Tensor, β: Tensor) -> Tensor:
    """μ of the projection of these rows, from the masses of the patterns of membership alone (G.4); infinite
    for β = 0.
    """
    patterns, counts = torch.unique(inside, dim=0, return_counts=True)
    possible = ~patterns[:, β == 0].any(1)
    μ = torch.where(β == 0, math.inf, torch.zeros_like(β))
    if bool((β > 0).any()):
        if not bool(possible.any()):
            raise ValueError("every row is inside a set with beta 0")
        kept = counts[possible].double()
        μ[β > 0] = tilt(patterns[possible][:, β > 0].double(), β[β > 0], kept / kept.sum()).multipliers
    return μ


class _Found(NamedTuple):
    """E_ρ f − log E_U e^f: f of the filtered rows, and the relative weights e^f/E e^f of the
    unfiltered ones.
    """

    nats: float
    f: Float[Tensor, "n"]
    weights: Float[Tensor, "n_free"]
    different: tuple[int, int]

    def error(self, others: Tensor | None = None) -> float:
        """One standard error; with `others`, of the difference from a bound of the same rows with these
        relative weights.
        """
        w = self.weights if others is None else self.weights - others
        return math.sqrt(float(self.f.var()) / self.different[0] + float(w.var()) / self.different[1])


Features = Callable[[Seen, Seen], Float[Tensor, "n p"]]
"""(cloud, unfiltered cloud) -> the terms of f at every row of the cloud."""


def _by_features(features: Features, ours: Seen, free: Seen) -> _Found:
    """The bound by the best f in the span of the features, each fifth of the rows with the f of the others
    (P.7).
    """
    a, b = features(ours, free), features(free, free)
    f, g = torch.zeros(len(a), dtype=torch.float64), torch.zeros(len(b), dtype=torch.float64)
    for (rest, part), (rest_free, part_free) in zip(_parts(len(a)), _parts(len(b)), strict=True):
        θ = _largest(a[rest].mean(0), b[rest_free])
        level = torch.logsumexp(b[rest_free] @ θ, 0) - math.log(int(rest_free.sum()))
        f[part], g[part_free] = a[part] @ θ - level, b[part_free] @ θ - level
    log = float(torch.logsumexp(g, 0)) - math.log(len(g))
    w = (g - log).exp()
    nats = float(f.mean()) - log - float(w.var()) / (2 * free.different)
    return _Found(nats, f, w, (ours.different, free.different))


def _largest(mean: Float[Tensor, "p"], b: Float[Tensor, "n p"]) -> Float[Tensor, "p"]:
    """argmax θ·mean − log mean e^{θ·b} − ½λ|θ|²: concave, by Newton with halved steps. The last term keeps θ
    finite where there are no rows.
    """
    λ, θ = RIDGE / len(b), torch.zeros_like(mean)
    if not len(θ):
        return θ

    def value(θ: Tensor) -> tuple[float, Tensor]:
        log = torch.logsumexp(b @ θ, 0)
        return float(θ @ mean - log - λ * θ @ θ / 2), (b @ θ - log).exp()

    at, w = value(θ)
    for _ in range(ITERATIONS):
        centre = w @ b
        slope = mean - centre - λ * θ
        H = (w[:, None] * b).T @ b - torch.outer(centre, centre) + torch.eye(len(θ), dtype=θ.dtype) * λ
        toward, t = torch.linalg.solve(H, slope), 1.0
        if float(slope @ toward) < TOLERANCE:
            break
        while (after := value(θ + t * toward))[0] < at and t > 1e-6:
            t /= 2
        θ, (at, w) = θ + t * toward, after
    return θ


def _membership(x: Seen, free: Seen) -> Float[Tensor, "n p"]:
    """1_k, for the sets of `_featured`."""
    return x.inside[:, _featured(free)].double()


def _featured(free: Seen) -> Tensor:
    """The sets with enough unfiltered rows on either side; of many, the FEATURED that divide them best."""
    counts = free.inside.sum(0)
    least = torch.minimum(counts, len(free.inside) - counts)
    chosen = least.argsort(descending=True, stable=True)[:FEATURED].sort().values
    return chosen[least[chosen] >= SIDE]


def _distance(x: Seen, free: Seen) -> Float[Tensor, "n p"]:
    """1_k and (1 − |s_k|/e)₊ on either side of the boundary, where a LEVEL of the unfiltered rows there is
    nearer than e: f is linear between such e.
    """
    columns = [_membership(x, free)]
    for k in range(x.inside.shape[1]) if x.inside.shape[1] <= FEATURED else _featured(free).tolist():
        for side in (False, True):
            mine = free.level[free.inside[:, k] == side, k].abs()
            for level in LEVELS:
                end = float(mine.quantile(level)) if level * len(mine) >= LEAST else 0.0
                if end > 0 and LEAST <= int((mine < end).sum()) <= len(mine) - LEAST:
                    hat = (1 - x.level[:, k].abs() / end).clamp(min=0)
                    columns.append(torch.where(x.inside[:, k] == side, hat, 0.0)[:, None])
    return torch.cat(columns, 1)


def _parts(n: int) -> list[tuple[Bool[Tensor, "n"], Bool[Tensor, "n"]]]:
    """For every fifth of n rows: the others, on which something is fitted, and the fifth, on which it is
    evaluated.
    """
    fold = torch.arange(n) % FOLDS
    return [(fold != k, fold == k) for k in range(FOLDS)]


def _spread(n: int) -> Tensor:
    """At most MOST of n indices, evenly."""
    return torch.arange(n) if n <= MOST else torch.linspace(0, n - 1, MOST, dtype=torch.float64).long()
