"""The state of a training run: weights and their average, moments, the random stream, the best so far; saved
and restored exactly.
"""

import copy
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.energies.network import Trainable
from lem_safe.processes.wire import Wire
from lem_safe.training.journal import Entry
from lem_safe.training.loss import Loss
from lem_safe.training.settings import TrainingSettings
from lem_safe.training.shared import Shared, add_up


@dataclass
class Record:
    """The numbers of a run: steps done, losses since the last check, the best held-out number and how many
    checks ago it was.
    """

    step: int = 0
    best: float = math.inf
    stale: int = 0
    recent: list[float] = field(default_factory=list)
    history: list[tuple[int, float, float]] = field(default_factory=list)


class Learner:
    """AdamW on a copy of `energy`, an exponential moving average of its weights, and the best
    average so far. wire: of the processes that evaluate the energy together.
    """

    def __init__(
        self,
        energy: Trainable,
        settings: TrainingSettings,
        generator: torch.Generator,
        wire: Wire | None = None,
    ):
        self.model, self.average = copy.deepcopy(energy), copy.deepcopy(energy).requires_grad_(False)
        self.best, self.settings, self.generator, self.record = (
            copy.deepcopy(self.average),
            settings,
            generator,
            Record(),
        )
        self._wire = wire
        self._evaluated = self.model if wire is None else Shared(self.model, wire)
        self._weights: list[Tensor] = list(self.model.parameters())
        self._averages: list[Tensor] = list(self.average.parameters())
        self._optimizer = torch.optim.AdamW(
            self._weights, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )

    def advance(self, rows: Float[Tensor, "n d"], loss: Loss) -> tuple[float, float]:
        """One step on a batch drawn from rows, smoothed by h (T.4); returns the loss before it and the norm
        of its gradient.
        """
        settings, generator = self.settings, self.generator
        self.record.step += 1
        step = self.record.step
        z = rows[torch.randint(rows.shape[0], (settings.batch_size,), generator=generator)]
        value = loss(self._evaluated, smoothed(z, settings.smoothing, generator), generator)
        self._optimizer.zero_grad()
        value.backward()
        if self._wire is not None:
            add_up(self._weights, self._wire)
        norm = torch.nn.utils.clip_grad_norm_(self._weights, settings.clip)
        for group in self._optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate(step - 1, settings.steps)
        self._optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(self._averages, self._weights, 1 - min(settings.ema, step / (step + 10)))
        return float(value.detach()), float(norm)

    def entry(self) -> Entry:
        """The complete state for `restore`."""
        tensors = {"generator": self.generator.get_state()}
        for name, energy in self._energies().items():
            tensors |= {f"{name}.{key}": value for key, value in energy.state_dict().items()}
        for i, p in enumerate(self._weights):
            tensors |= {f"moments.{i}.{key}": value for key, value in self._optimizer.state[p].items()}
        return Entry(tensors, asdict(self.record))

    def restore(self, entry: Entry) -> None:
        """Restores the state of an entry; KeyError, TypeError or RuntimeError, without any change, where it
        does not fit.
        """
        record = Record(**entry.values)
        record.history = [(int(s), a, b) for s, a, b in record.history]
        moments = [_under(f"moments.{i}.", entry.tensors) for i in range(len(self._weights))]
        weights = {name: _under(f"{name}.", entry.tensors) for name in self._energies()}
        generator = entry.tensors["generator"]
        for name, energy in self._energies().items():
            energy.load_state_dict(weights[name])
        self.generator.set_state(generator)
        for p, moment in zip(self._weights, moments, strict=True):
            self._optimizer.state[p] = moment
        self.record = record

    def keep(self) -> None:
        """Stores the current average as the best so far."""
        self.best.load_state_dict(self.average.state_dict())

    def _energies(self) -> dict[str, Trainable]:
        return {"model": self.model, "average": self.average, "best": self.best}


def smoothed(z: Float[Tensor, "n d"], smoothing: float, generator: torch.Generator) -> Float[Tensor, "n d"]:
    """Rows of ρ * N(0, h²I), given rows of ρ (T.4); the rows themselves, without any draw, where h = 0."""
    return z + smoothing * torch.randn(z.shape, generator=generator, dtype=z.dtype) if smoothing > 0 else z


def rate(step: int, steps: int) -> float:
    """Linear over the first twentieth (100 steps at most), then a half cosine down to a hundredth."""
    warm = min(100, steps // 20)
    if step < warm:
        return (step + 1) / (warm + 1)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
