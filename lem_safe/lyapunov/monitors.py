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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lem_safe.energies.base import Energy
from lem_safe.lyapunov.constants import fisher_floor
from lem_safe.lyapunov.generator import GENERATOR, means_of_parts
from lem_safe.lyapunov.mixing import effective_sample_size, split_rhat
from lem_safe.lyapunov.ratio import of_parts
from lem_safe.lyapunov.stein import stein_of_scores
from lem_safe.lyapunov.work import CALL, work

LOOKS, SELDOM = 40, 20
"""By default a run is looked at about LOOKS times, but not more often than every SELDOM steps, and seldomer
where that is dear.
"""
SHARE = 1 / 20
"""The most that all looks of a run may cost by default, as a part of its steps' work; the count may be off,
and a tenth is promised.
"""
FEW, FEWEST = 64, 16
"""Particles of a look: where FEW are too dear, looks become seldomer, and where one look at FEW is, it is of
as few as FEWEST.
"""
COUNTING = 3
"""Looks that the counting itself is taken to cost; the rest of it is in the margin between SHARE and a tenth.
"""
CHAINS, NUMBERS = 64, 4
"""Particles followed as chains, and coordinates followed of each beside U."""
DRAWS = 256
"""Looks that R̂ is made of, at the most, evenly spread."""
MIXING = 30
"""Calls that R̂ and ESS of one number followed cost."""

NAMES = (
    "energy",
    "ratio",
    "ratio_error",
    "kl_rate",
    "kl_rate_error",
    "fisher_floor",
    *(f"generator_{f}" for f in GENERATOR),
    *(f"generator_{f}_error" for f in GENERATOR),
    "stein",
    "stein_floor",
    "rhat",
    "ess",
    "accepted",
    "particles",
    "work",
)
"""What one look finds, in order; each is an array of trace.npz under monitor_NAME, beside monitor_step.
particles: how many were looked at.
work: what the look cost, counted in steps.
"""


class Look(NamedTuple):
    """What a stopping rule saw of the cloud after `step` steps: one number, and its standard error."""

    step: int
    value: float
    error: float


@dataclass
class Log:
    """Looks so far: `step` and one row of NAMES a look, and the numbers followed as chains, [chains, numbers]
    a look.

    rule: what the stopping rule saw, at looks of its own. accepted: sum and number of the acceptances since
    the last look.
    """

    step: list[int] = field(default_factory=list)
    rows: list[Float[np.ndarray, "c"]] = field(default_factory=list)
    chains: list[Float[np.ndarray, "m q"]] = field(default_factory=list)
    rule: list[Look] = field(default_factory=list)
    accepted: tuple[float, int] = (0.0, 0)

    def tally(self, accepted: Float[Tensor, "n"] | None) -> None:
        """Counts one step's chances of acceptance, where its sampler has them."""
        if accepted is not None:
            self.accepted = (self.accepted[0] + float(accepted.double().mean()), self.accepted[1] + 1)

    def column(self, name: str) -> Float[np.ndarray, "t"]:
        """One of NAMES over the looks."""
        return np.array([row[NAMES.index(name)] for row in self.rows], dtype=np.float64)

    def arrays(self) -> dict[str, np.ndarray]:
        """For trace.npz: monitor_step and monitor_NAME, stop_step, stop_value and stop_error; nothing where
        nothing was looked at.
        """
        found: dict[str, np.ndarray] = {}
        if self.step:
            found["monitor_step"] = np.array(self.step, dtype=np.float64)
            found |= {f"monitor_{name}": self.column(name) for name in NAMES}
        if self.rule:
            parts = np.array(self.rule, dtype=np.float64).T
            found |= dict(zip(("stop_step", "stop_value", "stop_error"), parts, strict=True))
        return found

    def state(self) -> dict[str, np.ndarray]:
        """For a checkpoint: everything."""
        found = {"log.accepted": np.array(self.accepted)}
        if self.rule:
            found["log.rule"] = np.array(self.rule, dtype=np.float64)
        if not self.step:
            return found
        return {
            "log.step": np.array(self.step),
            "log.rows": np.stack(self.rows),
            "log.chains": np.stack(self.chains),
            **found,
        }

    @staticmethod
    def restored(saved: Mapping[str, np.ndarray]) -> "Log":
        """The log of a checkpoint."""
        log = Log(
            rule=[Look(int(k), float(v), float(e)) for k, v, e in saved["log.rule"]]
            if "log.rule" in saved
            else []
        )
        if "log.accepted" in saved:
            log.accepted = (float(saved["log.accepted"][0]), int(saved["log.accepted"][1]))
        if "log.step" in saved:
            log.step, log.rows, log.chains = (
                [int(k) for k in saved["log.step"]],
                list(saved["log.rows"]),
                list(saved["log.chains"]),
            )
        return log


class Pace(NamedTuple):
    """Steps between looks, particles a look, and what one costs, in steps."""

    every: int
    samples: int
    cost: float


def pace(steps: int, most: int, cost: Callable[[int], float]) -> Pace:
    """How often to look in a run of so many steps, at `most` particles at the most, where a look at s of them
    costs as much as cost(s) steps.

    About LOOKS looks, at least SELDOM steps apart, at FEW particles, or twice as many, and twice again, while
    all looks, and the counting, cost at most SHARE of the steps. Where FEW are too dear for that, seldomer;
    at last only the one look at the end, of FEWEST particles, which a run always has, however short.
    """
    usual, s = max(SELDOM, math.ceil(steps / LOOKS)), min(FEWEST, most)
    spare, each = SHARE * steps, cost(s)
    while s < most:
        looks, more = COUNTING + (math.ceil(steps / usual) if s >= FEW else 1), min(2 * s, most)
        if (
            looks * 2 * each > spare or looks * (dearer := cost(more)) > spare
        ):  # only what may be affordable is counted: that costs a look
            break
        s, each = more, dearer
    affordable = max(1, math.floor(spare / each) - COUNTING)
    return Pace(max(usual, math.ceil(steps / affordable)), s, each)


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
