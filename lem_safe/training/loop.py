"""The training loop: AdamW under a warm-up and cosine schedule, an average of the weights, early stopping on held-out rows.

Everything random comes from one key, so equal seeds give equal weights on one machine. The held-out loss is measured on the
averaged weights, with the same noise every time, so that its differences are those of the weights.
"""

import copy
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lem_safe.energies.network import Trainable
from lem_safe.faults import BadInput, Fault, NumericalFailure
from lem_safe.keys import Key
from lem_safe.training.losses import Loss
from lem_safe.training.settings import TrainingSettings

CHECKS = 40
"""How often a training run looks at the held-out rows."""

HELD_OUT_ROWS = 4096
"""The size to which held-out rows are repeated, or cut, for one look."""

Progress = Callable[[int, int, float, float | None], None]
"""progress(step, total, loss, held_out): called at every step; held_out is the latest, None before the first look."""


class Check(NamedTuple):
    """One look: the step, the mean training loss since the last one, and the held-out loss of the averaged weights."""

    step: int
    loss: float
    held_out: float


class Fit(NamedTuple):
    """A trained energy (the averaged weights that did best on the held-out rows), that loss, and all looks."""

    energy: Trainable
    held_out: float
    history: tuple[Check, ...]


def quiet(step: int, total: int, loss: float, held_out: float | None) -> None:
    """A progress callback that says nothing."""


def fit(
    energy: Trainable, z: Float[Tensor, "n d"], loss: Loss, settings: TrainingSettings, key: Key, progress: Progress = quiet
) -> Fit:
    """Trains a copy of `energy` on the rows z; raises NumericalFailure, with step and value, where training diverges."""
    train, held_out = _split(z, settings.held_out, key.fold("split"))
    model, average = copy.deepcopy(energy), copy.deepcopy(energy).requires_grad_(False)
    weights: list[Tensor] = list(model.parameters())
    averages: list[Tensor] = list(average.parameters())
    optimizer = torch.optim.AdamW(weights, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: _rate(t, settings.steps))
    generator = key.fold("batches").generator()
    best, history, recent, stale = Fit(average, math.inf, ()), [], [], 0
    every = max(1, settings.steps // CHECKS)
    for step in range(1, settings.steps + 1):
        rows = torch.randint(train.shape[0], (settings.batch_size,), generator=generator)
        value = loss(model, train[rows], generator)
        optimizer.zero_grad()
        value.backward()
        norm = torch.nn.utils.clip_grad_norm_(weights, settings.clip)
        recent.append(_finite(float(value.detach()), float(norm), step))
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            torch._foreach_lerp_(averages, weights, 1 - min(settings.ema, step / (step + 10)))
        if step % every == 0 or step == settings.steps:
            score = _score(average, held_out, loss, key)
            history.append(Check(step, sum(recent) / len(recent), _finite(score, 0.0, step)))
            recent.clear()
            stale = 0 if score < best.held_out else stale + 1
            if stale == 0:
                best = Fit(copy.deepcopy(average), score, ())
        progress(step, settings.steps, float(value.detach()), history[-1].held_out if history else None)
        if stale >= settings.patience:
            break
    return best._replace(history=tuple(history))


def _split(z: Tensor, fraction: float, key: Key) -> tuple[Tensor, Tensor]:
    n = z.shape[0]
    count = max(1, round(fraction * n))
    if count >= n:
        raise BadInput(Fault(f"training: held_out = {fraction:g} of {n} rows leaves none to train on; use more rows"))
    order = key.permutation(n)
    held_out = z[order[:count]]
    repeats = math.ceil(HELD_OUT_ROWS / count)
    return z[order[count:]], held_out.repeat(repeats, 1)[:HELD_OUT_ROWS]


def _rate(step: int, steps: int) -> float:
    """Linear over the first twentieth (100 steps at most), then a half cosine down to a hundredth."""
    warm = min(100, steps // 20)
    if step < warm:
        return (step + 1) / (warm + 1)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _score(energy: Trainable, rows: Tensor, loss: Loss, key: Key) -> float:
    return float(loss(energy, rows, key.fold("held out").generator()).detach())


def _finite(loss: float, norm: float, step: int) -> float:
    if math.isfinite(loss) and math.isfinite(norm):
        return loss
    raise NumericalFailure(
        f"training diverged at step {step}: the loss is {loss:g} and its gradient's norm {norm:g}; lower training.learning_rate"
    )
