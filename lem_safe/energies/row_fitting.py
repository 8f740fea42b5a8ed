"""Fitting a mixture of products to rows by EM; how many components, held-out rows decide (E.23)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lem_safe.energies.row_mixture import RowMixture

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


class Rows(NamedTuple):
    """Latent rows: their numbers [n, d] and, one-hot, their codes [n, S]."""

    z: Tensor
    hot: Tensor


def fitted_rows(
    x: Float[Tensor, "n D"],
    numbers: int,
    sizes: Sequence[int],
    most: int,
    seed: int,
    say: Callable[[str], None] = lambda line: None,
) -> RowMixture:
    """The mixture with the number of components, 1, 2, 4, ... up to `most`, that gives held-out rows the
    largest likelihood; PATIENCE more are tried after the best.
    """
    generator = torch.Generator().manual_seed(seed)
    x = x.double().cpu()[torch.randperm(len(x), generator=generator)[:MOST_ROWS]]
    held = max(1, round(HELD_OUT * len(x)))
    rest = x[held:] if len(x) > 2 * ROWS_PER_COMPONENT else x
    found, best, behind, k = None, -torch.inf, 0, 1
    while k <= max(1, min(most, len(rest) // ROWS_PER_COMPONENT)):
        made = em(rest, numbers, sizes, k, generator)
        score = -float(made(x[:held]).mean())
        say(f"{k} components: {score:.3f} nats on held-out rows")
        if found is None or score > best:
            found, best, behind = made, score, 0
        elif (behind := behind + 1) == PATIENCE:
            break
        k *= 2
    assert found is not None
    return found


def em(
    x: Float[Tensor, "n D"], numbers: int, sizes: Sequence[int], k: int, generator: torch.Generator
) -> RowMixture:
    """k components by EM from a few rounds of k-means."""
    rows = Rows(x[:, :numbers].contiguous(), one_hot(x[:, numbers:], sizes))
    weight, before = _begun(rows, k, generator), -torch.inf
    made = _maximised(rows, weight, sizes)
    for _ in range(ITERATIONS):
        logits = torch.cat([made._logits(part, made._whitened(part)) for part in made._parts(x)], 1)
        total = logits.logsumexp(0)
        made = _maximised(rows, (logits - total).exp().T, sizes)
        now = float(total.mean())
        if now - before < TOLERANCE:
            break
        before = now
    return made


def one_hot(codes: Float[Tensor, "n c"], sizes: Sequence[int]) -> Float[Tensor, "n S"]:
    """Each code as a row of zeros with a one in its place, one column after the other."""
    parts = [
        torch.nn.functional.one_hot(codes[:, j].round().long().clamp(0, size - 1), size).to(codes.dtype)
        for j, size in enumerate(sizes)
    ]
    return torch.cat(parts, 1) if parts else codes.new_zeros(len(codes), 0)


def _begun(rows: Rows, k: int, generator: torch.Generator) -> Float[Tensor, "n k"]:
    """Rows by the nearest of k centres, after a few rounds of k-means."""
    features = torch.cat(rows, 1)
    centres = features[torch.randperm(len(features), generator=generator)[:k]]
    for _ in range(STARTS):
        nearest = _nearest(features, centres)
        hot = torch.nn.functional.one_hot(nearest, k).to(features.dtype)
        many = hot.sum(0)[:, None]
        centres = torch.where(many > 0, hot.T @ features / many.clamp(min=1), centres)
    return torch.nn.functional.one_hot(_nearest(features, centres), k).to(features.dtype)


def _nearest(features: Tensor, centres: Tensor) -> Tensor:
    return torch.cat([torch.cdist(part, centres).argmin(1) for part in features.split(8192)])


def _maximised(rows: Rows, weight: Float[Tensor, "n k"], sizes: Sequence[int]) -> RowMixture:
    z, hot = rows
    n, d = z.shape
    many = weight.sum(0)
    means = (weight.T @ z + PRIOR * 0.01 * z.mean(0)) / (many + PRIOR * 0.01)[:, None]
    squares = (z[:, :, None] * z[:, None, :]).flatten(1)
    second = (weight.T @ squares).view(weight.shape[1], d, d)
    crossed = means[:, :, None] * (weight.T @ z)[:, None, :]
    spread = second - crossed - crossed.mT + many[:, None, None] * means[:, :, None] * means[:, None, :]
    pooled = torch.diag(z.var(0, unbiased=False)) * 0.1 if n > 1 and d else torch.eye(d, dtype=z.dtype)
    Σ = (spread + PRIOR * pooled) / (many + PRIOR)[:, None, None] + LEAST_VARIANCE * torch.eye(
        d, dtype=z.dtype
    )
    shares = (weight.T @ hot + PRIOR * hot.mean(0)) / (many + PRIOR)[:, None]
    w = (many + 1e-3) / (many + 1e-3).sum()
    return RowMixture(
        w, means, torch.linalg.cholesky((Σ + Σ.mT) / 2), shares.clamp(min=1e-300).log().T, sizes
    )
