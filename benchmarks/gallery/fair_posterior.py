"""A posterior under a policy: draws of a logistic regression whose groups may differ by five points, under a
bound on how many draws may break it, beside primal-dual Langevin under a bound on the mean, rejection, and
the exact answers by importance weights; and what `benchmarks.posteriors` found of two other posteriors.
"""

import json
import math
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from matplotlib.axes import Axes

from benchmarks.gallery import pictures
from benchmarks.gallery.row import Role, Row, named
from benchmarks.gallery.running import Ran, called, timed
from benchmarks.markdown import table
from benchmarks.posteriors import NAMES, Estimate, in_shares, weighted, z_scores
from lem_safe.scenario import bundled_programs

NAME = "fair_posterior"
PROBLEM = "A posterior under a policy: loans, schools, volatility"
HEADS = ("mean gap", "fit", "largest z")
DRAWS = 400_000
"""Of the normal distribution at the mode, weighted to the posterior, that stand for the exact answer."""
STEPS, STEP, DUAL_RATE = 1500, 0.05, 20.0
"""Of primal-dual Langevin, in the metric of the mode."""
OTHERS = {
    "eight_schools-eight_schools_noncentered": "eight schools: spread τ > 10",
    "garch-garch11": "GARCH(1, 1): near the edge of stationarity, α₁ + β₁ > 0.95",
}
"""What `benchmarks.posteriors` has beside, in words."""

Rows = Float[np.ndarray, "n 4"]


def lacks() -> str | None:
    return None


class Exact:
    """The posterior as weighted draws of a normal distribution 1.3 times as wide as that of its mode."""

    def __init__(self, program: dict[str, Any]):
        self.program, self.limit, self.beta = program, program["LIMIT"], program["BETA"]
        middle, covariance = program["mode"]()
        generator = torch.Generator().manual_seed(1)
        noise = torch.randn(DRAWS, len(middle), generator=generator, dtype=torch.float64)
        rows = middle + 1.3 * noise @ torch.linalg.cholesky(covariance).T
        log = program["log_density"](rows) + 0.5 * noise.square().sum(1)
        self.x, self.gap = rows.numpy(), program["gap"](rows).numpy()
        self.weights = (log - log.max()).exp().numpy()
        self.weights /= self.weights.sum()
        self.free = float(self.weights @ (self.gap > self.limit))

    def under_share(self, share: float) -> Float[np.ndarray, "N"]:
        """The weights of the KL projection onto a share inside (P.1)."""
        μ = math.log(self.free / (1 - self.free) * (1 - share) / share)
        return self.weights * np.where(self.gap > self.limit, math.exp(-μ), 1.0)

    def under_mean(self) -> Float[np.ndarray, "N"]:
        """The weights e^{−λg} of the KL projection onto a mean gap of the limit, λ by bisection."""
        low, high = 0.0, 1000.0
        for _ in range(60):
            λ = (low + high) / 2
            w = self.weights * np.exp(-λ * (self.gap - self.limit))
            low, high = (λ, high) if w @ (self.gap - self.limit) > 0 else (low, λ)
        return w

    def largest_z(self, x: Rows, weights: Float[np.ndarray, "N"], share: float | None = None) -> float:
        """The largest difference of a coefficient's mean from the weighted draws', over its standard error.
        share: of a coupled cloud, whose sides of the limit have fixed shares.
        """
        inside = self.inside(x)
        ours: Estimate = weighted(x, np.ones(len(x))) if share is None else in_shares(x, inside, share)
        return float(np.abs(z_scores(ours, weighted(self.x, weights))).max())

    def inside(self, x: Rows) -> Bool[np.ndarray, "n"]:
        return (self.program["gap"](torch.from_numpy(x)) > self.limit).numpy()


class Counted:
    """Rows of the gallery, each beside the weights of what it should be."""

    def __init__(self, exact: Exact):
        self.exact, self.program = exact, exact.program
        self.best = float(_fit(self.program, exact.x) @ exact.weights)

    def inside(self, x: Rows) -> int:
        return int(self.exact.inside(x).sum())

    def found(self, x: Rows, z: float | None) -> dict[str, Any]:
        return {
            HEADS[0]: float(self.program["gap"](torch.from_numpy(x)).mean()),
            HEADS[1]: float(_fit(self.program, x).mean()) - self.best,
            HEADS[2]: z,
        }

    def row(
        self, method: str, role: Role, by: str, x: Rows, z: float | None, seconds: float, told: str = ""
    ) -> Row:
        return Row(NAME, method, role, named(by), len(x), self.inside(x), seconds, self.found(x, z), told)

    def drawn(self, method: str, weights: Float[np.ndarray, "N"], n: int = 20_000) -> Row:
        """The exact answer, as draws of it."""
        rng = np.random.default_rng(0)
        x = self.exact.x[rng.choice(len(weights), size=n, p=weights / weights.sum())]
        return self.row(method, "beside", "numpy", x, None, 0.0)


def measure() -> list[Row]:
    """The tilt, its draws without it, primal-dual Langevin on the mean, the gate, rejection, and what both
    bounds are exactly.
    """
    program = runpy.run_path(str(bundled_programs()[NAME]))
    done = called(NAME, "tilt", lambda p: program["sample"](progress=p, with_report=False))
    gated = called(NAME, "gate", lambda p: program["sample"](filter="gate", progress=p, with_report=False))
    averaged, took = timed(lambda: primal_dual(program))
    counted = Counted(Exact(program))
    titled = {"no constraint": done.free, "PD-LMC, mean gap": averaged, "lem-safe": done.samples}
    _draw(program, titled)
    return [*_main(counted, done, averaged, took), *_beside(counted, done, gated)]


def _main(counted: Counted, done: Ran, averaged: Rows, took: float) -> list[Row]:
    exact, free, ours = counted.exact, done.free, done.samples
    share = float(exact.inside(ours).mean())  # a tilt aims below its tolerance, as a certificate needs
    broken = [100 * counted.inside(x) / len(x) for x in (free, averaged)]
    mean = float(exact.program["gap"](torch.from_numpy(averaged)).mean())
    return [
        done.without(
            counted.inside(free),
            counted.found(free, exact.largest_z(free, exact.weights)),
            f"{broken[0]:.0f} % of the draws break the policy",
        ),
        done.ours(
            counted.inside(ours),
            counted.found(ours, exact.largest_z(ours, exact.under_share(share))),
            f"{100 * share:.1f} % break it, certified below {100 * exact.beta:g} %",
        ),
        counted.row(
            *("PD-LMC, mean gap", "today", "torch", averaged),
            *(exact.largest_z(averaged, exact.under_mean()), took),
            f"a mean gap of {mean:.3f}, which {broken[1]:.0f} % of the draws exceed",
        ),
    ]


def _beside(counted: Counted, done: Ran, gated: Ran) -> list[Row]:
    exact, gate = counted.exact, gated.samples
    kept = done.free[~exact.inside(done.free)]
    fair, filled = exact.under_share(exact.beta), float(exact.inside(gate).mean())
    at = exact.largest_z(gate, fair, filled), exact.largest_z(kept, exact.under_share(1e-12))
    return [
        counted.row("lem-safe, gate", "beside", "lem-safe", gate, at[0], gated.seconds),
        counted.row("rejection", "beside", "lem-safe", kept, at[1], done.before),
        counted.drawn(f"exact: {100 * exact.beta:g} % may break it", fair),
        counted.drawn("exact: the mean gap", exact.under_mean()),
    ]


def _fit(program: dict[str, Any], x: Rows) -> Float[np.ndarray, "n"]:
    return np.asarray(program["log_density"](torch.from_numpy(x)).numpy())


def primal_dual(program: dict[str, Any], n: int = 4000) -> Rows:
    """Langevin steps of U + λg in the metric of the mode, with λ ← [λ + η(mean g − limit)]₊ after each."""
    middle, covariance = program["mode"]()
    L = torch.linalg.cholesky(covariance)
    generator = torch.Generator().manual_seed(0)
    x = middle + torch.randn(n, len(middle), generator=generator, dtype=torch.float64) @ L.T
    λ = 0.0
    for _ in range(STEPS):
        y = x.detach().requires_grad_()
        gap = program["gap"](y)
        (slope,) = torch.autograd.grad((program["log_density"](y) - λ * gap).sum(), y)
        ξ = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        x = x + STEP * slope @ covariance + (2 * STEP) ** 0.5 * ξ @ L.T
        λ = max(0.0, λ + DUAL_RATE * float(gap.detach().mean() - program["LIMIT"]))
    return x.numpy()


def notes(rows: dict[str, dict[str, Any]]) -> list[str]:
    return [
        "*Inside* are draws whose groups differ by more than the limit. *Fit* is the mean log density of "
        "the draws less that of the posterior, in nats. *Largest z* is the largest difference of a "
        "coefficient's mean from what it should be, over its standard error: of weighted draws of a "
        "normal distribution at the mode, for each method under its own bound, share or mean. *PD-LMC* "
        "bounds the mean gap by the same limit, with a multiplier that follows it (Chamon et al., 2024). "
        "*Rejection* leaves out every draw that breaks the policy. The last two lines are draws of what "
        "each bound is exactly: the distributions nearest to the posterior (KL) under it.",
        *_others(),
    ]


def _others() -> list[str]:
    """What was found of other posteriors, against published reference draws."""
    results = json.loads((Path(__file__).parents[1] / "results.json").read_text(encoding="utf-8"))
    rows = results["benchmarks"]["posteriors"]["rows"]
    order = [r for name in OTHERS for r in rows if r["posterior"] == name]
    return [
        "",
        "Two posteriors of posteriordb under a policy, against published reference draws "
        "([measurements](../measurements.md#posteriors-under-a-constraint) has all):",
        "",
        *table(
            ["posterior and policy", "method", "tolerated", "break it", "largest z"],
            [
                [
                    OTHERS[r["posterior"]],
                    NAMES[r["filter"]],
                    "" if r["filter"] == "none" else f"{100 * r['beta']:g} %",
                    f"{100 * r['inside']:.2f} %",
                    f"{r['largest_z']:.1f}",
                ]
                for r in order
            ],
            words=("posterior and policy", "method"),
        ),
    ]


def _draw(program: dict[str, Any], titled: dict[str, Rows]) -> None:
    edges = np.linspace(-0.1, 0.25, 71)
    limit = program["LIMIT"]

    def panel(x: Rows) -> Any:
        gap = program["gap"](torch.from_numpy(x)).numpy()

        def paint(axis: Axes) -> None:
            at = (edges[1:] + edges[:-1]) / 2
            shares = np.histogram(gap, edges)[0] / len(gap)
            axis.axvspan(limit, edges[-1], color=pictures.REGION, linewidth=0, alpha=0.5)
            axis.bar(at, shares, 0.005, color=np.where(at > limit, pictures.INSIDE, pictures.OUTSIDE))
            axis.axvline(gap.mean(), color="0.2", linewidth=1)
            axis.set(xlabel="gap between the groups", ylabel="share of the draws", ylim=(0, 0.13))

        return paint

    def share(x: Rows) -> float:
        return 100 * float((program["gap"](torch.from_numpy(x)) > limit).double().mean())

    panels = [(f"{title}: {share(x):.0f} % break it", panel(x)) for title, x in titled.items()]
    pictures.draw(NAME, panels, width=3.9, height=3.2)
