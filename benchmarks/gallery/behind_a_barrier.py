"""Behind a barrier: a mode inside the region that the sampler never reaches; what the monitors say, and what
other starts and samplers change, beside primal-dual Langevin and the exact answer.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.patches import Circle

from benchmarks.gallery import pictures
from benchmarks.gallery.row import Row, named
from benchmarks.gallery.running import Ran, fresh, ran, timed
from lem_safe.lyapunov.mixing import split_rhat

NAME = "behind_a_barrier"
PROBLEM = "A failure, shown: behind a barrier"
HEADS = ("without", "mean of x", "R̂", "settled", "verdict")
MODES, SHARES, STD = np.array([[-3.0, 0.0], [3.0, 0.0]]), np.array([0.7, 0.3]), 0.5
CENTER, RADIUS, BETA = np.array([3.0, 0.0]), 2.0, 0.05
"""What the scenario says, again."""
TEMPERING = {"sampler.kind": "parallel_tempering", "sampler.temperatures": [4, 16]}
WIDE = {"sampler.init": {"kind": "gaussian", "mean": [0, 0], "std": [3, 1]}, "sampler.steps": 400}
OTHERS: dict[str, dict[str, Any]] = {
    "a start on both sides": WIDE,
    "tempering": TEMPERING,
    "tempering, both sides": {**TEMPERING, **WIDE, "audit.after_step": 200, "stop": {"kind": "steps"}},
    "birth–death": {"sampler.kind": "birth_death"},
    "birth–death, all steps": {
        "sampler.kind": "birth_death",
        "stop": {"kind": "steps"},
        "monitors.every": 250,
    },
}
"""What is changed of the scenario, by what it is called."""
Points = Float[np.ndarray, "n 2"]


def lacks() -> str | None:
    return None


def inside(x: Points) -> Bool[np.ndarray, "n"]:
    """Whether each point is in the region, in plain numpy."""
    return ((x - CENTER) ** 2).sum(1) <= RADIUS**2


def measure() -> list[Row]:
    """The failure, what else finds the mode, primal-dual Langevin, and the exact answer."""
    with fresh() as directory:
        done = ran(NAME, directory / "ours")
        others = {name: ran(NAME, directory / str(i), o) for i, (name, o) in enumerate(OTHERS.items())}
        rows = _rows(done, others)
        panels = {
            "one side": done,
            "both sides": others["a start on both sides"],
            "tempering": others["tempering"],
        }
        pictures.draw(NAME, [_panel(name, run) for name, run in panels.items()], width=4.0, height=3.0)
    return rows


def _rows(done: Ran, others: dict[str, Ran]) -> list[Row]:
    free, ours, tempered = done.free, done.samples, others["tempering"]
    (x, rhat), took = timed(lambda: primal_dual(4000, 1000))
    exact, drawn = timed(lambda: projected(200_000))
    n = int(inside(free).sum())
    found = int(inside(ours).sum())
    share = 100 * inside(tempered.samples).mean()
    true = 100 * inside(exact_draws(200_000)).mean()
    return [
        done.without(n, {"mean of x": float(free[:, 0].mean())}, f"{n} seen inside; {true:.0f} % are"),
        done.ours(
            found,
            _measures(done),
            f"{found} inside, and the monitors see nothing; with tempering {share:.2g} %",
        ),
        Row(
            NAME,
            "primal–dual Langevin",
            "today",
            named("numpy"),
            len(x),
            int(inside(x).sum()),
            took,
            {"mean of x": float(x[:, 0].mean()), "R̂": f"{rhat:.2f}"},
            f"{int(inside(x).sum())} inside, its multiplier at 0, R̂ {rhat:.2f}: the same failure",
        ),
        *(_other(name, run) for name, run in others.items()),
        Row(
            NAME,
            "exact",
            "beside",
            named("numpy"),
            len(exact),
            int(inside(exact).sum()),
            drawn,
            {"without": f"{true:.3g} %", "mean of x": float(exact[:, 0].mean())},
        ),
    ]


def _other(name: str, run: Ran) -> Row:
    x = run.samples
    return Row(
        NAME,
        name,
        "beside",
        named("lem-safe"),
        len(x),
        int(inside(x).sum()),
        run.seconds,
        _measures(run) | {"verdict": "passed" if run.run.report.passed else "failed"},
    )


def _measures(run: Ran) -> dict[str, Any]:
    """The unfiltered share inside, the mean of the samples, and what the monitors and the stop say."""
    facts = json.loads((Path(run.run.directory) / "run.json").read_text(encoding="utf-8"))
    rhat, stopped = facts["movement"]["nested_rhat"], facts["stopped"]
    settled = f"after {stopped['step']:,} steps" if stopped["rule"] == "settled" and stopped["step"] else "no"
    return {
        "without": f"{100 * inside(run.free).mean():.3g} %",
        "mean of x": float(run.samples[:, 0].mean()),
        "R̂": f"{rhat:.2f}",
        "settled": "not asked" if stopped["rule"] != "settled" else settled,
        "verdict": "passed" if run.run.report.passed else "failed",
    }


def gradient(x: Points) -> Points:
    """∇U of the mixture."""
    square = ((x[:, None] - MODES) ** 2).sum(2) / (2 * STD**2)
    weight = SHARES * np.exp(square.min(1, keepdims=True) - square)
    weight /= weight.sum(1, keepdims=True)
    return (x - weight @ MODES) / STD**2


def primal_dual(
    n: int, steps: int, h: float = 0.05, rate: float = 0.05, width: float = 0.1
) -> tuple[Points, float]:
    """Langevin under a multiplier on a smoothed indicator, which grows with the violation; and split R̂ of
    the first column over its second half.
    """
    rng = np.random.default_rng(0)
    x, multiplier, seen = MODES[0] + STD * rng.normal(size=(n, 2)), 0.0, []
    for step in range(steps):
        offset = x - CENTER
        distance = np.linalg.norm(offset, axis=1)
        soft = 1 / (1 + np.exp(np.clip((distance - RADIUS) / width, -50, 50)))
        slope = (-soft * (1 - soft) / width)[:, None] * offset / distance[:, None]
        x = x - h * (gradient(x) + multiplier * slope) + np.sqrt(2 * h) * rng.normal(size=x.shape)
        multiplier = max(0.0, multiplier + rate * (soft.mean() - BETA))
        if step >= steps // 2:
            seen.append(x[:100, 0])
    return x, split_rhat(np.stack(seen, 1))


def exact_draws(n: int) -> Points:
    """Independent draws of the mixture."""
    rng = np.random.default_rng(1)
    return MODES[rng.choice(2, n, p=SHARES)] + STD * rng.normal(size=(n, 2))


def projected(n: int) -> Points:
    """Draws of the KL projection: of those inside only as many as make the tolerance, the others all."""
    x = exact_draws(n)
    within = inside(x)
    out = int((~within).sum())
    keep = round(BETA / (1 - BETA) * out)
    return np.concatenate([x[~within], x[within][:keep]])


def notes(rows: dict[str, dict[str, Any]]) -> list[str]:
    return [
        "*Without* is the share inside of the unfiltered chain beside it, *mean of x* that of the first "
        "column. *R̂* is nested R̂, for primal–dual Langevin split R̂ of 100 of its chains; 1.05 is the usual "
        "threshold. *Settled* is the stopping rule's. *Exact* are independent draws of the mixture, of which "
        "those inside are left out until 5 % remain: the KL projection. Below *lem-safe, gate* are the same "
        "scenario with one change each: the start, the sampler, or the stop.",
    ]


def _panel(name: str, run: Ran) -> pictures.Panel:
    x = run.samples
    within = inside(x)

    def paint(axis: Axes) -> None:
        axis.add_patch(Circle((3, 0), RADIUS, color=pictures.REGION, linewidth=0))
        pictures.scatter(axis, x, within, 2500, 4)
        axis.set(xlim=(-5.2, 5.2), ylim=(-3, 3), aspect="equal")

    verdict = "passed" if run.run.report.passed else "FAILED"
    return f"{name}: {verdict}, {100 * within.mean():.2g} % inside", paint
