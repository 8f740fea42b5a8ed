"""Posteriors under a constraint, against importance-weighted reference draws: posteriordb's eight schools,
GARCH(1, 1) and kid scores.

    LEM_SAFE_SUITES=DIRECTORY python -m benchmarks posteriors
    LEM_SAFE_SUITES=DIRECTORY python -m benchmarks.posteriors [--samples N] [--steps N] [NAME...]

DIRECTORY holds `posteriordb/`, data and 10 × 1,000 reference draws of each posterior as published there;
nothing of it is part of this repository. Each posterior is sampled by `lem_safe.sample` from a start around
its mode that knows nothing of the draws, under `mala` in the metric of the mode, with a gate and with a tilt;
and, as a method of others beside it, by primal–dual Langevin with a ramp in place of the indicator, which is
neither exact for a step size nor for the indicator.

The KL projection onto P(inside) <= β weighs each reference draw by e^{−μ} inside the region and by 1 outside
(P.1). The mean of every parameter, and the fraction inside, are compared with those of the weighted draws: z
is the difference over its standard error, of both samples together. Particles of a gate fill the two sides of
the boundary in fixed shares, so their error is that within the sides; μ of a tilt is the one that its pilot
learned.
"""

import argparse
import json
import math
import os
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.optimize import minimize
from torch import Tensor

import lem_safe
from benchmarks.markdown import table
from benchmarks.posterior_models import EightSchools, Garch, KidScore, Model

SUITES = "LEM_SAFE_SUITES"
Rows = Float[np.ndarray, "n k"]


class Case(NamedTuple):
    """A posterior, its region as a function of the parameters (negative inside), the tolerance, unconstrained
    coordinates from which its mode is found, and the width of the ramp that primal–dual Langevin needs, in
    the units of the function.
    """

    name: str
    data: str
    model: Callable[[Any], Model]
    text: str
    margin: Callable[[Any], Any]
    beta: float
    guess: tuple[float, ...]
    width: float
    samples: int = 10_000
    steps: int = 300


CASES = (
    Case(
        "garch-garch11",
        "garch",
        Garch,
        "α₁ + β₁ > .95",
        lambda p: 0.95 - p[:, 2] - p[:, 3],
        0.05,
        (5.0, 0.0, 0.0, 0.0),
        0.02,
        4000,
    ),
    Case(
        "kidiq-kidscore_momiq",
        "kidiq",
        KidScore,
        "β₂ < .5",
        lambda p: p[:, 1] - 0.5,
        0.01,
        (0.0, 1.0, 3.0),
        0.01,
    ),
    Case(
        "eight_schools-eight_schools_noncentered",
        "eight_schools",
        EightSchools,
        "τ > 10",
        lambda p: 10.0 - p[:, -1],
        0.01,
        (*[0.0] * 9, 1.0),
        0.5,
        steps=1000,  # τ goes near 0, where the density of log τ has a long tail
    ),
)


class Estimate(NamedTuple):
    """Means of the parameters, and the squares of their standard errors."""

    mean: Float[np.ndarray, "k"]
    square: Float[np.ndarray, "k"]


def weighted(x: Rows, w: Float[np.ndarray, "n"]) -> Estimate:
    """Of independent rows with weights, normalised by their sum."""
    w = w / w.sum()
    mean = w @ x
    return Estimate(mean, (w**2) @ (x - mean) ** 2)


def in_shares(x: Rows, inside: Bool[np.ndarray, "n"], share: float) -> Estimate:
    """Of rows that are independent on each side of the boundary, where `share` of the mass is inside; of all
    rows where a side has fewer than two.
    """
    if not 2 <= inside.sum() <= len(x) - 2:
        return weighted(x, np.ones(len(x)))
    parts = [(share, x[inside]), (1 - share, x[~inside])]
    mean = sum(s * part.mean(0) for s, part in parts)
    return Estimate(mean, sum(s**2 * part.var(0, ddof=1) / len(part) for s, part in parts))


def z_scores(a: Estimate, b: Estimate) -> Float[np.ndarray, "k"]:
    """The differences over their standard errors; 0 for a number that is fixed in both."""
    error = np.sqrt(a.square + b.square)
    return np.divide(a.mean - b.mean, error, out=np.zeros_like(error), where=error > 0)


def lacks() -> str | None:
    """What is not here; None where the draws are."""
    return None if SUITES in os.environ else f"{SUITES} does not name the directory of the reference draws"


def _read(name: str) -> Any:
    path = Path(os.environ[SUITES]) / "posteriordb" / f"{name}.json.zip"
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(archive.namelist()[0]))


def reference(case: Case, model: Model) -> Rows:
    """The published draws, one column per parameter, all chains."""
    chains = _read(f"{case.name}.draws")
    return np.concatenate([np.array([chain[name] for name in model.parameters]).T for chain in chains])


def start(case: Case, model: Model, n: int) -> Tensor:
    """Rows of a normal distribution twice as wide as the posterior at its mode, that are outside of the
    region.
    """

    def fall(z: Any) -> tuple[float, Any]:
        row = torch.tensor(z, dtype=torch.float64, requires_grad=True)
        U = -model.log_density(row[None])[0]
        return U.item(), torch.autograd.grad(U, row)[0].numpy()

    mode = torch.from_numpy(minimize(fall, case.guess, jac=True, method="BFGS").x)
    H = -torch.autograd.functional.hessian(lambda row: model.log_density(row[None])[0], mode)
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(4 * n, len(mode), generator=generator, dtype=torch.float64)
    rows = mode + 2 * noise @ torch.linalg.cholesky(torch.linalg.inv(H)).T
    return rows[case.margin(model.natural(rows)) > 0][:n]


def sampled(case: Case, model: Model, filter: Any, n: int, steps: int) -> tuple[lem_safe.Run, float]:
    """The run and its seconds, unfiltered samples beside it included."""
    adapt = {"steps": steps // 3, "target": 0.9}  # at .574 some of a start in the tails would stay there
    sampler: dict[str, Any] = {"kind": "mala", "metric": "hessian", "adapt": adapt}
    step_size = 0.2
    if filter["kind"] == "primal_dual":
        sampler, step_size, steps, n = (
            {"kind": "preconditioned", "metric": "hessian"},
            0.02,
            4 * steps,
            n // 4,
        )
    began = time.monotonic()
    run = lem_safe.sample(
        lem_safe.energy(model.log_density, log_density=True, name=case.name),
        {"region": lem_safe.Constraint(lambda z: case.margin(model.natural(z)), smooth=True)},
        beta=case.beta,
        filter=filter,
        sampler=sampler,
        steps=steps,
        step_size=step_size,
        init=start(case, model, n),
        columns=model.columns,
        monitors={"samples": 0},
        seed=1,
    )
    return run, time.monotonic() - began


def measure(
    samples: int | None = None, steps: int | None = None, names: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """One row per posterior and filter, the unfiltered ones from beside the gate."""
    if (why := lacks()) is not None:
        raise SystemExit(f"benchmarks.posteriors: {why}")
    return [
        row
        for case in CASES
        if not names or case.name in names
        for row in _rows(case, samples or case.samples, steps or case.steps)
    ]


def _rows(case: Case, samples: int, steps: int) -> list[dict[str, Any]]:
    model = case.model(_read(f"{case.data}.data"))
    draws = reference(case, model)
    found = []
    ramp = {"kind": "sigmoid", "width": case.width}
    pushed = {"kind": "primal_dual", "dual_rate": 0.05, "smoothing": ramp}
    for filter in ({"kind": "gate"}, {"kind": "tilt"}, pushed):
        run, seconds = sampled(case, model, filter, samples, steps)
        x = _parameters(model, run.samples)
        took = {"seconds": round(seconds, 1), "steps": len(run.trace["step"])}
        if filter["kind"] == "gate":
            free = _parameters(model, run.unfiltered)
            found.append(_row(case, model, "none", free, draws, None) | took)
        row = _row(case, model, filter["kind"], x, draws, run.multipliers["region"])
        found.append(row | took | {"passed": run.report.passed})
    return found


def _parameters(model: Model, z: Any) -> Rows:
    return model.natural(torch.as_tensor(np.asarray(z), dtype=torch.float64)).numpy()


def _row(case: Case, model: Model, kind: str, x: Rows, draws: Rows, μ: float | None) -> dict[str, Any]:
    inside, hit = case.margin(x) <= 0, case.margin(draws) <= 0
    names = (*model.parameters, "P(inside)")
    x, draws = np.column_stack([x, inside]), np.column_stack([draws, hit])
    plain = weighted(draws, np.ones(len(draws)))
    ours, expected = weighted(x, np.ones(len(x))), plain
    if kind == "tilt":
        assert μ is not None
        expected = weighted(draws, np.where(hit, math.exp(-μ), 1.0))
    elif kind != "none":
        expected, ours = in_shares(draws, hit, case.beta), in_shares(x, inside, float(inside.mean()))
    z = z_scores(ours, expected)
    worst = int(np.abs(z).argmax())
    return {
        "posterior": case.name,
        "region": case.text,
        "filter": kind,
        "beta": case.beta,
        "free": round(float(hit.mean()), 4),
        "inside": round(float(inside.mean()), 5),
        "expected_inside": round(float(expected.mean[-1]), 5),
        "multiplier": None if kind == "none" or μ is None else round(μ, 4),
        "samples": len(x),
        "parameters": len(model.parameters),
        "largest_z": round(float(np.abs(z).max()), 2),
        "of": names[worst],
        "z": dict(zip(names, np.round(z, 2).tolist(), strict=True)),
        "z_unweighted": round(float(np.abs(z_scores(ours, plain)[:-1]).max()), 2),
    }


NAMES = {"none": "none", "gate": "gate", "tilt": "tilt", "primal_dual": "primal–dual Langevin"}


def section(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines of docs/measurements.md."""
    exact = [r for r in rows if r["filter"] != "primal_dual"]
    worst = max(r["largest_z"] for r in exact)
    return [
        "Posteriors of posteriordb, sampled by `lem_safe.sample` under `mala` in the metric of their mode, "
        "against the published reference draws, each weighted by e^{−μ} inside the region: the KL "
        "projection. *Largest z* is the largest difference of a parameter's mean, or of the fraction inside, "
        "over its standard error, and its name; "
        f"without primal–dual Langevin it is {worst:.1f} at most. *Unweighted* is the same of the means "
        "against the draws as they are: what the constraint changes. A tilt aims below its tolerance, as a "
        "pass needs, and its draws are weighted by its own μ. Primal–dual Langevin (P.3) bounds a ramp "
        "instead of the indicator, without a Metropolis test; its μ, at a dual rate of .05, overshoots where "
        "the distribution follows slowly. Seconds by a clock on one thread of a shared "
        "machine, warm-up, pilot and unfiltered samples included.",
        "",
        *table(
            [
                "posterior and region",
                "filter",
                "tolerated",
                "draws inside",
                "inside",
                "samples",
                "largest z",
                "unweighted",
                "steps",
                "seconds",
            ],
            [
                [
                    f"{r['posterior'].split('-')[0]}: {r['region']}",
                    NAMES[r["filter"]],
                    "" if r["filter"] == "none" else f"{100 * r['beta']:g} %",
                    f"{100 * r['free']:.2f} %",
                    f"{100 * r['inside']:.2f} %",
                    f"{r['samples']:,}",
                    f"{r['largest_z']:.1f} ({r['of']})",
                    f"{r['z_unweighted']:.1f}",
                    str(r["steps"]),
                    f"{r['seconds']:.0f}",
                ]
                for r in rows
            ],
        ),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int)
    parser.add_argument("--steps", type=int)
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    print(json.dumps(measure(**vars(arguments)), indent=1, ensure_ascii=False))
