"""Fitting a mixture of products to rows by EM; how many components, held-out rows decide (E.23).

EM goes through the rows a part at a time and keeps sums, so beside the rows it needs little memory.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from typing import NamedTuple, Protocol

from jaxtyping import Float, Int

from barriers.arrays import Tensor, torch
from lem_safe.energies.row_mixture import AT_ONCE, RowMixture
from lem_safe.errors import BadInput, Fault

HELD_OUT = 0.1
MOST_ROWS = 100_000
"""Rows that are fitted to, at most, drawn at random."""
ROWS_PER_COMPONENT, PATIENCE = 20, 2
ITERATIONS, TOLERANCE = 60, 1e-3
"""Steps of EM at most; the gain in nats per row below which it ends."""
PRIOR = 1.0
"""How many rows the pooled covariance and the shares of the codes count for in each component."""
LEAST_VARIANCE = 1e-4
STARTS = 6
"""Rounds of k-means that EM starts from."""

HARDLY = (
    "these regions hold all but a hundredth of what a mixture of the rows draws, so it cannot be fitted to "
    "what remains: leave out the one that determines columns by others, which `derived` can compute"
)


class Sums(NamedTuple):
    """What a maximisation needs of rows that belong to k components by weights: the sums of these weights
    [k], and the weighted sums of numbers [k, d], of their products [k, d²], and of codes [k, S].
    """

    many: Tensor
    first: Tensor
    second: Tensor
    hot: Tensor

    @classmethod
    def of(cls, z: Float[Tensor, "n d"], hot: Float[Tensor, "n S"], weight: Float[Tensor, "n k"]) -> "Sums":
        """The sums over some rows."""
        squares = (z[:, :, None] * z[:, None, :]).flatten(1)
        return cls(weight.sum(0), weight.T @ z, weight.T @ squares, weight.T @ hot)

    def plus(self, other: "Sums") -> "Sums":
        """The sums over these rows and others."""
        return Sums(*(a + b for a, b in zip(self, other, strict=True)))


class Moments(NamedTuple):
    """Of all rows: means of the numbers and the variances that components begin with [d], shares of the codes
    [S].
    """

    mean: Tensor
    pooled: Tensor
    shares: Tensor


class Likelihood(Protocol):
    """What rows tell of a mixture."""

    def improved(self, made: RowMixture, x: Float[Tensor, "n D"]) -> RowMixture:
        """A mixture of as many components under which rows are likelier."""

    def nats(self, made: RowMixture, x: Float[Tensor, "n D"]) -> float:
        """The mean logarithm of their density."""


def fitted_rows(
    x: Float[Tensor, "n D"],
    numbers: int,
    sizes: Sequence[int],
    most: int,
    seed: int,
    say: Callable[[str], None] = lambda line: None,
    likelihood: Likelihood | None = None,
) -> RowMixture:
    """The mixture with the number of components, 1, 2, 4, ... up to `most`, that gives held-out rows the
    largest likelihood; PATIENCE more are tried after the best. likelihood: that of rows of which some are
    never seen, by which a mixture that EM has found is also improved.
    """
    generator = torch.Generator().manual_seed(seed)
    x = x.cpu()[torch.randperm(len(x), generator=generator)[:MOST_ROWS]].double()
    held = max(1, round(HELD_OUT * len(x)))
    rest = x[held:] if len(x) > 2 * ROWS_PER_COMPONENT else x
    found, best, behind, k = None, -torch.inf, 0, 1
    while k <= max(1, min(most, len(rest) // ROWS_PER_COMPONENT)):
        made = em(rest, numbers, sizes, k, generator)
        made = made if likelihood is None else likelihood.improved(made, rest)
        score = -float(made(x[:held]).mean()) if likelihood is None else likelihood.nats(made, x[:held])
        say(f"{k} components: {score:.3f} nats on held-out rows")
        if found is None or score > best:
            found, best, behind = made, score, 0
        elif (behind := behind + 1) == PATIENCE:
            break
        k *= 2
    assert found is not None
    if best == -torch.inf:
        raise BadInput(Fault(HARDLY, key="energy.truncated.by"))
    return found


def parts_of(x: Float[Tensor, "n D"], k: int, numbers: int) -> tuple[Tensor, ...]:
    """Rows in parts, as many in each as k components of so many numbers leave room for."""
    return x.split(max(256, AT_ONCE // max(1, k * max(1, numbers), numbers**2)))


def em(
    x: Float[Tensor, "n D"], numbers: int, sizes: Sequence[int], k: int, generator: torch.Generator
) -> RowMixture:
    """k components by EM from a few rounds of k-means."""
    parts = parts_of(x, k, numbers)
    whole = moments(parts, numbers, sizes)
    nearest = _begun(x, k, numbers, sizes, generator).split(len(parts[0]))
    hot = (torch.nn.functional.one_hot(own, k).double() for own in nearest)
    made, before = maximised(summed(parts, hot, numbers, sizes), whole, sizes), -torch.inf
    for _ in range(ITERATIONS):
        totals = list[Tensor]()
        sums = summed(parts, responsible(made, parts, totals), numbers, sizes)
        made = maximised(sums, whole, sizes)
        now = float(torch.cat(totals).mean())
        if now - before < TOLERANCE:
            break
        before = now
    return made


def responsible(made: RowMixture, parts: Sequence[Tensor], totals: list[Tensor]) -> Iterator[Tensor]:
    """The components' probabilities given each row, a part at a time; log-likelihoods are added to totals."""
    for part in parts:
        logits = made._logits(part, made._whitened(part))
        totals.append(logits.logsumexp(0))
        yield (logits - totals[-1]).exp().T


def summed(parts: Sequence[Tensor], weights: Iterable[Tensor], numbers: int, sizes: Sequence[int]) -> Sums:
    """The sums over all parts."""
    each = (
        Sums.of(part[:, :numbers], one_hot(part[:, numbers:], sizes), weight)
        for part, weight in zip(parts, weights, strict=True)
    )
    return reduce(Sums.plus, each)


def moments(parts: Sequence[Tensor], numbers: int, sizes: Sequence[int]) -> Moments:
    z = torch.cat([part[:, :numbers] for part in parts])
    hot = sum(
        (one_hot(part[:, numbers:], sizes).sum(0) for part in parts), torch.zeros(sum(sizes), dtype=z.dtype)
    )
    pooled = 0.1 * z.var(0, unbiased=False) if len(z) > 1 and numbers else torch.ones(numbers, dtype=z.dtype)
    return Moments(z.mean(0), pooled, hot / len(z))


def one_hot(codes: Float[Tensor, "n c"], sizes: Sequence[int]) -> Float[Tensor, "n S"]:
    """Each code as a row of zeros with a one in its place, one column after the other."""
    parts = [
        torch.nn.functional.one_hot(codes[:, j].round().long().clamp(0, size - 1), size).to(codes.dtype)
        for j, size in enumerate(sizes)
    ]
    return torch.cat(parts, 1) if parts else codes.new_zeros(len(codes), 0)


def _begun(
    x: Float[Tensor, "n D"], k: int, numbers: int, sizes: Sequence[int], generator: torch.Generator
) -> Int[Tensor, "n"]:
    """The nearest of k centres to each row, after a few rounds of k-means."""
    features = torch.cat([x[:, :numbers], one_hot(x[:, numbers:], sizes)], 1)
    centres = features[torch.randperm(len(features), generator=generator)[:k]]
    for _ in range(STARTS):
        nearest = _nearest(features, centres)
        many = torch.bincount(nearest, minlength=k)[:, None]
        sums = torch.zeros_like(centres).index_add_(0, nearest, features)
        centres = torch.where(many > 0, sums / many.clamp(min=1), centres)
    return _nearest(features, centres)


def _nearest(features: Tensor, centres: Tensor) -> Tensor:
    return torch.cat([torch.cdist(part, centres).argmin(1) for part in features.split(8192)])


def maximised(sums: Sums, whole: Moments, sizes: Sequence[int]) -> RowMixture:
    many, first, second, hot = sums
    k, d = first.shape
    means = (first + PRIOR * 0.01 * whole.mean) / (many + PRIOR * 0.01)[:, None]
    crossed = means[:, :, None] * first[:, None, :]
    outer = means[:, :, None] * means[:, None, :]
    spread = second.view(k, d, d) - crossed - crossed.mT + many[:, None, None] * outer
    own = (spread + PRIOR * torch.diag(whole.pooled)) / (many + PRIOR)[:, None, None]
    Σ = own + LEAST_VARIANCE * torch.eye(d, dtype=first.dtype)
    shares = (hot + PRIOR * whole.shares) / (many + PRIOR)[:, None]
    w = (many + 1e-3) / (many + 1e-3).sum()
    return RowMixture(
        w, means, torch.linalg.cholesky((Σ + Σ.mT) / 2), shares.clamp(min=1e-300).log().T, sizes
    )
