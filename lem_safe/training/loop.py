"""The training loop: AdamW under a warm-up and cosine schedule, an average of the weights, early stopping on
held-out rows.

All randomness comes from one key, so equal seeds give equal weights on one machine, interrupted and resumed
or not. The held-out number is measured on the averaged weights, with the same noise every time, so that its
differences are due to the weights.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor
from lem_safe.energies.network import Trainable
from lem_safe.errors import BadInput, Fault, NumericalFailure
from lem_safe.keys import Key
from lem_safe.processes.group import ALONE, Group
from lem_safe.training.journal import Entry, Journal
from lem_safe.training.learner import Learner, smoothed
from lem_safe.training.loss import Loss, score, stages
from lem_safe.training.settings import TrainingSettings

CHECKS = 40
"""The number of checks on the held-out rows in a training run."""

HELD_OUT_ROWS = 4096
"""The size to which held-out rows are repeated, or cut, for one check."""

Progress = Callable[[int, int, float, float | None], None]
"""progress(step, total, loss, held_out): called at every step; held_out is the latest, None before the first
check.
"""


class Check(NamedTuple):
    """One check: the step, the mean training loss since the last one, and the held-out number of the averaged
    weights.
    """

    step: int
    loss: float
    held_out: float


class Fit(NamedTuple):
    """A trained energy (the averaged weights that did best on the held-out rows), its held-out number, all
    checks, and the step it resumed from (0: not resumed).
    """

    energy: Trainable
    held_out: float
    history: tuple[Check, ...]
    resumed_from_step: int


def quiet(step: int, total: int, loss: float, held_out: float | None) -> None:
    """A progress callback that reports nothing."""


def fit(
    energy: Trainable,
    z: Float[Tensor, "n d"],
    loss: Loss,
    settings: TrainingSettings,
    key: Key,
    progress: Progress = quiet,
    journal: Journal | None = None,
    prepare: Callable[[Trainable, Tensor, int], Trainable] | None = None,
    group: Group = ALONE,
) -> Fit:
    """Trains a copy of `energy` on the rows z; raises NumericalFailure, with step and value, where training
    diverges.

    journal: continues an interrupted run with the same journal, to the same result. prepare: fits the parts
    of the energy that are not trained, to rows of the distribution that the loss targets, without the
    held-out rows. group: processes that train the same energy on the same rows, and evaluate it together;
    process 0 has the journal.
    """
    train, held_out = _split(z, settings, key)
    if prepare is not None:
        blur = key.fold("blurred").generator()
        energy = prepare(
            energy, loss.blurred(smoothed(train, settings.smoothing, blur), blur), key.fold("begun").value
        )
    learner = _begun(energy, settings, key.fold("batches"), journal, group)
    record, plan, begin = learner.record, stages(loss), learner.record.step
    every = max(1, settings.steps // CHECKS)
    try:
        while record.step < settings.steps and record.stale < settings.patience:
            stage = next(s for s in plan if record.step < s.until * settings.steps)
            value, norm = learner.advance(train, stage.loss)
            record.recent.append(_finite(value, norm))
            if record.step % every == 0 or record.step == settings.steps:
                _look(
                    learner,
                    score(loss, learner.average, held_out, key.fold("held out").generator()),
                    stage is plan[-1],
                )
            progress(record.step, settings.steps, value, record.history[-1][2] if record.history else None)
            if journal and journal.due:
                journal.write(learner.entry())
    except NumericalFailure as error:
        raise NumericalFailure(f"training diverged at step {record.step}: {error}") from error
    return Fit(learner.best, record.best, tuple(Check(*look) for look in record.history), begin)


def _look(learner: Learner, held_out: float, last_stage: bool) -> None:
    """Records the state of the run; patience counts in the last stage only."""
    record = learner.record
    record.history.append((record.step, sum(record.recent) / len(record.recent), _finite(held_out, 0.0)))
    record.recent.clear()
    record.stale = record.stale + 1 if last_stage else 0
    if held_out < record.best:
        record.best, record.stale = held_out, 0
        learner.keep()


def _begun(
    energy: Trainable, settings: TrainingSettings, key: Key, journal: Journal | None, group: Group
) -> Learner:
    """The learner, as the journal of process 0 left it."""
    wire = group.wire(group.size) if group.size > 1 else None
    entry = journal.read() if journal else None
    if group.size > 1:
        entry = _told(entry, group)
    fresh = partial(Learner, energy, settings, wire=wire)
    return _resumed(fresh(key.generator()), entry) or fresh(key.generator())


def _told(entry: Entry | None, group: Group) -> Entry | None:
    """The entry of process 0."""
    if group.leads:
        group.tell(entry)
        return entry
    heard: Entry | None = group.hear()
    return heard


def _resumed(learner: Learner, entry: Entry | None) -> Learner | None:
    try:
        if entry:
            learner.restore(entry)
        return learner
    except (
        KeyError,
        TypeError,
        ValueError,
        RuntimeError,
    ):  # not an entry of this run: begin anew
        return None


def _split(z: Tensor, settings: TrainingSettings, key: Key) -> tuple[Tensor, Tensor]:
    n, fraction = z.shape[0], settings.held_out
    count = max(1, round(fraction * n))
    if count >= n:
        raise BadInput(
            Fault(f"training: held_out = {fraction:g} of {n} rows leaves none to train on; use more rows")
        )
    order = key.fold("split").permutation(n)
    repeats = math.ceil(HELD_OUT_ROWS / count)
    held_out = z[order[:count]].repeat(repeats, 1)[:HELD_OUT_ROWS]
    return z[order[count:]], smoothed(held_out, settings.smoothing, key.fold("smoothing").generator())


def _finite(loss: float, norm: float) -> float:
    if math.isfinite(loss) and math.isfinite(norm):
        return loss
    raise NumericalFailure(
        f"the loss is {loss:g} and its gradient's norm {norm:g}; lower training.learning_rate"
    )
