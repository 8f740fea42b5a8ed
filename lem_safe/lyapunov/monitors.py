"""What is watched while a run goes on, every so many steps on a fixed subsample: energy, R and dKL/dt (L.4, L.5), the generator's means
(E.3), the kernel Stein discrepancy (L.8), the least Fisher information (L.1), split R̂ and effective sample size over particles.

A look at s particles costs one gradient and one Laplacian of s particles and s² kernel values; nothing random is drawn, so a run with
monitors is the run without them, and a look depends on the cloud alone: resumed, it is the same number.
"""

import math
from collections.abc import Mapping
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

LOOKS, SELDOM = 40, 20
"""By default a run is looked at about LOOKS times, but not more often than every SELDOM steps: what keeps the cost below a tenth."""
CHAINS, NUMBERS = 64, 4
"""Particles followed as chains, and coordinates followed of each beside U."""
DRAWS = 256
"""Looks that R̂ is made of, at the most, evenly spread."""

NAMES = (
    "energy", "ratio", "ratio_error", "kl_rate", "kl_rate_error", "fisher_floor", *(f"generator_{f}" for f in GENERATOR),
    *(f"generator_{f}_error" for f in GENERATOR), "stein", "stein_floor", "rhat", "ess", "accepted",
)  # fmt: skip
"""What one look finds, in order; each is an array of trace.npz under monitor_NAME, beside monitor_step."""


class Look(NamedTuple):
    """What a stopping rule saw of the cloud after `step` steps: one number, and its standard error."""

    step: int
    value: float
    error: float


@dataclass
class Log:
    """Looks so far: `step` and one row of NAMES a look, and the numbers followed as chains, [chains, numbers] a look.

    rule: what the stopping rule saw, at looks of its own. accepted: sum and number of the acceptances since the last look.
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
        """For trace.npz: monitor_step and monitor_NAME, stop_step, stop_value and stop_error; nothing where nothing was looked at."""
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
        return {"log.step": np.array(self.step), "log.rows": np.stack(self.rows), "log.chains": np.stack(self.chains), **found}

    @staticmethod
    def restored(saved: Mapping[str, np.ndarray]) -> "Log":
        """The log of a checkpoint."""
        log = Log(rule=[Look(int(k), float(v), float(e)) for k, v, e in saved["log.rule"]] if "log.rule" in saved else [])
        if "log.accepted" in saved:
            log.accepted = (float(saved["log.accepted"][0]), int(saved["log.accepted"][1]))
        if "log.step" in saved:
            log.step, log.rows, log.chains = (
                [int(k) for k in saved["log.step"]],
                list(saved["log.rows"]),
                list(saved["log.chains"]),
            )
        return log


class Monitor:
    """Looks at a cloud of n particles: evenly spaced rows of it, `samples` at the most.

    every: steps between looks; None: about LOOKS in a run of `steps` steps, at least SELDOM apart. samples: 0 looks at nothing.
    """

    def __init__(self, energy: Energy, steps: int, every: int | None, samples: int):
        self.energy, self.samples = energy, samples
        self.every = every or max(SELDOM, math.ceil(steps / LOOKS))

    def due(self, step: int) -> bool:
        """Whether the cloud after `step` steps is looked at; the last of a run is besides."""
        return self.samples > 1 and step % self.every == 0

    def look(self, log: Log, step: int, x: Float[Tensor, "n d"]) -> None:
        """Appends one look to the log, unless this step has one or nothing is to be looked at."""
        z = some(x, self.samples)
        if self.samples < 2 or len(z) < 2 or (log.step and log.step[-1] == step):  # one particle has no spread to speak of
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
            found.energy, found.ratio, found.ratio_error, found.kl_rate, found.kl_rate_error, fisher_floor(y, g, Δ),
            *(m.value for m in means.values()), *(m.error for m in means.values()), stein.value, stein.floor, rhat, ess,
            total / count if count else math.nan,
        )  # fmt: skip
        log.rows.append(np.array(row, dtype=np.float64))

    def note(self, log: Log) -> str:
        """How the last look stands, for the progress line."""
        if not log.rows:
            return ""
        last = dict(zip(NAMES, log.rows[-1], strict=True))
        text = f"U {last['energy']:.4g}, R {last['ratio']:.3g}, KSD {last['stein']:.3g}"
        return text if math.isnan(last["rhat"]) else f"{text}, R̂ {last['rhat']:.3f}"


def mixing(log: Log) -> tuple[float, float]:
    """The largest split R̂ and the smallest effective sample size of the numbers followed, over the later half of the looks."""
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
