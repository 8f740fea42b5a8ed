"""What is watched while a run goes on, every so many steps on a fixed subsample: energy, R and dKL/dt (L.4,
L.5), the generator's means (E.3), the kernel Stein discrepancy (L.8), the least Fisher information (L.1),
split R̂ and effective sample size over particles.

A look at s particles costs one gradient and one Laplacian of s particles, which where it is exact costs as
much as d/2 gradients, and s² kernel values of d numbers. That cost is counted (`work`) beside the one of a
step, and `pace` chooses how often to look and at how many particles, so that all looks together are at most
SHARE of the run. Nothing random is drawn, so a run with monitors is the run without them, and a look depends
on the cloud alone: resumed, it is the same number.
"""

import math
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lem_safe.energies.base import Energy
from lem_safe.lyapunov.constants import fisher_floor
from lem_safe.lyapunov.generator import GENERATOR, means_of_parts
from lem_safe.lyapunov.log import NAMES, Log
from lem_safe.lyapunov.mixing import effective_sample_size, split_rhat
from lem_safe.lyapunov.pace import pace
from lem_safe.lyapunov.ratio import of_parts
from lem_safe.lyapunov.stein import stein_of_scores
from lem_safe.lyapunov.work import CALL, work

CHAINS, NUMBERS = 64, 4
"""Particles followed as chains, and coordinates followed of each beside U."""
DRAWS = 256
"""Looks that R̂ is made of, at the most, evenly spread."""
MIXING = 30
"""Calls that R̂ and ESS of one number followed cost."""


class Monitor:
    """Looks at a cloud of n particles: evenly spaced rows of it, `samples` at the most, 0: none; every so
    many steps.

    cost: what a look costs, in steps, where that was counted: what it says of itself.
    """

    def __init__(self, energy: Energy, every: int, samples: int, cost: float = math.nan):
        self.energy, self.every, self.samples, self.cost = energy, every, samples, cost

    @staticmethod
    def paced(
        energy: Energy, x: Float[Tensor, "n d"], step: float, steps: int, every: int | None, samples: int
    ) -> "Monitor":
        """Looks as often as is asked, at as many particles; `every` None: as `pace` says, `samples` at the
        most.

        x: a cloud like those of the run, on which looks are counted. step: the work of one step.
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
        """What one look at a cloud like x costs, in the unit of `work`."""
        followed = 1 + min(x.shape[1], NUMBERS)
        return work(lambda: self.look(Log(), 1, x)) + followed * MIXING * CALL

    def due(self, step: int) -> bool:
        """Whether the cloud after `step` steps is looked at; the last of a run is besides."""
        return self.samples > 1 and step % self.every == 0

    def look(self, log: Log, step: int, x: Float[Tensor, "n d"]) -> None:
        """Appends one look to the log, unless this step has one or nothing is to be looked at."""
        z = some(x, self.samples)
        if (
            self.samples < 2 or len(z) < 2 or (log.step and log.step[-1] == step)
        ):  # one particle has no spread to speak of
            return
        U, gradient = self.energy.value_and_gradient(z)
        Δ, g, y = self.energy.laplacian(z).double(), gradient.double(), z.double()
        found = of_parts(U.double(), Δ, g.square().sum(1))
        means, stein = means_of_parts(y, g, Δ), stein_of_scores(z, -g)
        followed = torch.cat([U.double()[:, None], y[:, :NUMBERS]], 1)
        log.chains.append(some(followed, CHAINS).numpy(force=True))
        log.step.append(step)
        rhat, ess = mixing(log)
        total, count = log.accepted
        log.accepted = (0.0, 0)
        row = (
            found.energy,
            found.ratio,
            found.ratio_error,
            found.kl_rate,
            found.kl_rate_error,
            fisher_floor(y, g, Δ),
            *(m.value for m in means.values()),
            *(m.error for m in means.values()),
            stein.value,
            stein.floor,
            rhat,
            ess,
            total / count if count else math.nan,
            len(z),
            self.cost,
        )
        log.rows.append(np.array(row, dtype=np.float64))

    def notes(self, log: Log) -> list[str]:
        """How the last look stands, two numbers at a time, for a line with room for no more; those it did not
        find are left out.

        KL′ is dKL/dt of the flow, Lf the largest of the generator's means in standard errors, acc the part of
        the moves that was accepted.
        """
        if not log.rows:
            return []
        last = dict(zip(NAMES, log.rows[-1], strict=True))
        pairs = [
            [("U", last["energy"], ".4g"), ("KSD", last["stein"], ".2g")],
            [("R", last["ratio"], ".3g"), ("KL′", last["kl_rate"], ".2g")],
            [("Lf", worst_mean(last), ".1fσ"), ("acc", last["accepted"], ".2f")],
            [("R̂", last["rhat"], ".3f"), ("ESS", last["ess"], ".3g")],
        ]
        found = [", ".join(_said(*number) for number in pair if not math.isnan(number[1])) for pair in pairs]
        return [text for text in found if text]


def worst_mean(look: Mapping[str, float]) -> float:
    """The largest |E[Lf]| of a look, in its standard errors (E.3): above 4, this is not yet a cloud of ρ_U.
    NaN where none has an error.
    """
    found = [
        abs(look[f"generator_{f}"]) / look[f"generator_{f}_error"]
        for f in GENERATOR
        if look[f"generator_{f}_error"] > 0
    ]
    return max(found, default=math.nan)


def _said(name: str, value: float, form: str) -> str:
    unit = "σ" * form.endswith("σ")
    return f"{name} {value:{form.removesuffix('σ')}}{unit}"


def mixing(log: Log) -> tuple[float, float]:
    """The largest split R̂ and the smallest effective sample size of the numbers followed, over the later
    half of the looks.
    """
    late = log.chains[len(log.chains) // 2 :]
    late = late[:: math.ceil(len(late) / DRAWS) or 1]
    if len(late) < 4:
        return math.nan, math.nan
    draws = np.stack(late, axis=2)  # [chains, numbers, looks]
    each = [(split_rhat(draws[:, i]), effective_sample_size(draws[:, i])) for i in range(draws.shape[1])]
    known = [(r, e) for r, e in each if not math.isnan(r)]
    return (max(r for r, _ in known), min(e for _, e in known)) if known else (math.nan, math.nan)


def some(x: Tensor, most: int) -> Tensor:
    """Evenly spaced rows, at most so many: the same rows at every look."""
    n = x.shape[0]
    return x if n <= most else x[torch.linspace(0, n - 1, most, device=x.device).long()]
