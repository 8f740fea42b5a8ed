"""What is monitored during a run, at regular steps on a fixed subsample: energy, R and dKL/dt (L.4, L.5), the
generator's means (E.3), the kernel Stein discrepancy (L.8), a lower bound of the Fisher information (L.1),
split R̂ and effective sample size over particles, nested R̂ and drift (L.11).

Recording s particles costs one gradient and one Laplacian of s particles (an exact Laplacian costs as much as
d/2 gradients) and s² kernel values of d numbers. This cost (`work`) is compared with that of a step, and
`pace` chooses how often to record and how many particles, so that monitoring costs at most SHARE of the run.
Nothing random is drawn, so monitors do not change a run, and a record depends on the cloud alone, so a
resumed run records the same numbers.
"""

import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int64

from barriers.arrays import Tensor, torch
from lem_safe.energies.base import Energy
from lem_safe.lyapunov.constants import fisher_floor
from lem_safe.lyapunov.forgetting import drift, nested_rhat
from lem_safe.lyapunov.generator import GENERATOR, Mean, means_of_parts
from lem_safe.lyapunov.log import Log
from lem_safe.lyapunov.mixing import effective_sample_size, split_rhat
from lem_safe.lyapunov.pace import pace
from lem_safe.lyapunov.ratio import of_parts
from lem_safe.lyapunov.stein import stein_of_scores
from lem_safe.lyapunov.work import CALL, work

CHAINS, NUMBERS = 64, 4
"""Particles followed as chains, and the coordinates followed of each in addition to U."""
DRAWS = 256
"""The largest number of recorded steps, evenly spaced, that R̂ is computed from."""
MIXING = 30
"""Calls that R̂ and ESS of one quantity cost."""


class Monitor:
    """Records a cloud every `every` steps, at up to `samples` evenly spaced rows; 0 samples: never.

    cost: the counted cost of one record, in steps; NaN where not counted.
    """

    def __init__(self, energy: Energy, every: int, samples: int, cost: float = math.nan):
        self.energy, self.every, self.samples, self.cost = energy, every, samples, cost

    @staticmethod
    def paced(
        energy: Energy, x: Float[Tensor, "n d"], step: float, steps: int, every: int | None, samples: int
    ) -> "Monitor":
        """A monitor with the requested interval and number of particles; `every` None: chosen by `pace`, with
        at most `samples` particles.

        x: a cloud like those of the run, used to count the cost. step: the work of one step.
        """
        most = min(samples, len(x))
        if most < 2:
            return Monitor(energy, every or steps, samples)

        def cost(s: int) -> float:
            return Monitor(energy, 1, s).work(x) / step

        if every is not None:
            return Monitor(energy, every, most, cost(most))
        return Monitor(energy, *pace(steps, most, cost))

    def work(self, x: Float[Tensor, "n d"]) -> float:
        """The cost of recording one cloud like x, in the unit of `work`."""
        followed = 1 + min(x.shape[1], NUMBERS)
        return work(lambda: self.look(Log(), 1, x)) + followed * MIXING * CALL

    def due(self, step: int) -> bool:
        """Whether the cloud after `step` steps is recorded; the last step of a run always is."""
        return self.samples > 1 and step % self.every == 0

    def begin(self, log: Log, x: Float[Tensor, "n d"]) -> None:
        """Remembers where the monitored particles start."""
        z = some(x, self.samples)
        if len(z) > 1:
            U, _ = self.energy.value_and_gradient(z)
            log.start = _followed(U, z.double()).numpy(force=True)

    def look(self, log: Log, step: int, x: Float[Tensor, "n d"]) -> None:
        """Appends one record to the log, unless this step has one or nothing is monitored."""
        z = some(x, self.samples)
        if (
            self.samples < 2 or len(z) < 2 or (log.step and log.step[-1] == step)
        ):  # one particle has no variance
            return
        U, gradient = self.energy.value_and_gradient(z)
        Δ, g, y = self.energy.laplacian(z).double(), gradient.double(), z.double()
        found = of_parts(U.double(), Δ, g.square().sum(1))
        k = y.shape[1] - self.energy.codes  # codes have no slope to follow
        means, stein = _of_slopes(z[:, :k], g[:, :k], Δ)
        followed = _followed(U, y)
        log.chains.append(some(followed, CHAINS).numpy(force=True))
        log.step.append(step)
        rhat, ess = mixing(log)
        nested, moved = forgetting(log, followed.numpy(force=True))
        total, count = log.accepted
        log.accepted = (0.0, 0)
        row = (
            found.energy,
            found.ratio,
            found.ratio_error,
            found.kl_rate,
            found.kl_rate_error,
            fisher_floor(y[:, :k], g[:, :k], Δ) if k else math.nan,
            *(m.value for m in means.values()),
            *(m.error for m in means.values()),
            *stein,
            rhat,
            ess,
            nested,
            moved,
            total / count if count else math.nan,
            len(z),
            self.cost,
        )
        log.rows.append(np.array(row, dtype=np.float64))

    def notes(self, log: Log) -> list[str]:
        """The last record as short texts, at most two quantities each; NaN quantities are left out.

        KL′ is dKL/dt of the flow, Lf the largest of the generator's means in standard errors, acc the mean
        acceptance probability.
        """
        if not log.rows:
            return []
        last = log.last()
        pairs = [
            [("U", last["energy"], ".4g"), ("KSD", last["stein"], ".2g")],
            [("R", last["ratio"], ".3g"), ("KL′", last["kl_rate"], ".2g")],
            [("Lf", worst_mean(last), ".1fσ"), ("acc", last["accepted"], ".2f")],
            [("R̂", last["nested_rhat"], ".3f"), ("ESS", last["ess"], ".3g")],
        ]
        found = [
            ", ".join(_formatted(*number) for number in pair if not math.isnan(number[1])) for pair in pairs
        ]
        return [text for text in found if text]


def worst_mean(look: Mapping[str, float]) -> float:
    """The largest |E[Lf]| of a record, in its standard errors (E.3): above 4 the cloud is not yet distributed
    as ρ_U. NaN where none has an error.
    """
    found = [
        abs(look[f"generator_{f}"]) / look[f"generator_{f}_error"]
        for f in GENERATOR
        if look[f"generator_{f}_error"] > 0
    ]
    return max(found, default=math.nan)


def _formatted(name: str, value: float, form: str) -> str:
    unit = "σ" * form.endswith("σ")
    return f"{name} {value:{form.removesuffix('σ')}}{unit}"


def _of_slopes(z: Tensor, g: Tensor, Δ: Tensor) -> tuple[dict[str, Mean], tuple[float, float]]:
    """The generator's means, and the Stein discrepancy with its floor; NaN where there is no number."""
    if not z.shape[1]:
        return dict.fromkeys(GENERATOR, Mean(math.nan, math.nan)), (math.nan, math.nan)
    stein = stein_of_scores(z, -g)
    return means_of_parts(z.double(), g, Δ), (stein.value, stein.floor)


def _followed(U: Float[Tensor, "s"], y: Float[Tensor, "s d"]) -> Float[Tensor, "s q"]:
    """The quantities followed of every particle: U and the first coordinates."""
    return torch.cat([U.double()[:, None], y[:, :NUMBERS]], 1)


def forgetting(log: Log, now: Float[np.ndarray, "s q"]) -> tuple[float, float]:
    """Nested R̂ against the start, and the drift since a record in the first half, of the record just added,
    which is marked where its number is a power of two.
    """
    earlier = log.earlier()
    log.mark(now)
    same = log.start is not None and len(log.start) == len(now)
    nested = nested_rhat(now, log.start) if log.start is not None and same else math.nan
    return nested, math.nan if earlier is None or len(earlier) != len(now) else drift(now, earlier)


def mixing(log: Log) -> tuple[float, float]:
    """The largest split R̂ and the smallest effective sample size of the quantities followed, over the later
    half of the recorded steps.
    """
    late = log.chains[len(log.chains) // 2 :]
    late = late[:: math.ceil(len(late) / DRAWS) or 1]
    if len(late) < 4:
        return math.nan, math.nan
    draws = np.stack(late, axis=2)  # [chains, numbers, records]
    each = [(split_rhat(draws[:, i]), effective_sample_size(draws[:, i])) for i in range(draws.shape[1])]
    known = [(r, e) for r, e in each if not math.isnan(r)]
    return (max(r for r, _ in known), min(e for _, e in known)) if known else (math.nan, math.nan)


def some(x: Tensor, most: int) -> Tensor:
    """At most `most` evenly spaced rows; the same rows at every call."""
    n = x.shape[0]
    return x if n <= most else x[spaced(n, most).to(x.device)]


def spaced(n: int, most: int) -> Int64[Tensor, "k"]:
    """`most` evenly spaced ones of n rows, n > most; float32 tells rows apart up to 2²⁴ of them."""
    exact = torch.float32 if n <= 1 << 24 else torch.float64
    return torch.linspace(0, n - 1, most, dtype=exact).long()
