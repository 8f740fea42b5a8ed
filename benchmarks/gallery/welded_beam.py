"""Designs that hold: welded beams, beside a penalty of three weights and rejection."""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from torch import Tensor

from benchmarks.design_checks import welded_beam
from benchmarks.gallery import designs, pictures
from benchmarks.gallery.row import Role, Row, named
from benchmarks.gallery.running import Ran, fresh, ran, timed, unfiltered
from lem_safe.progress import Silent
from lem_safe.registry import load
from lem_safe.runs.problem import build

NAME = "welded_beam"
PROBLEM = "Designs that hold: formulas as rules"
HEADS = ("at a limit", "diversity", "from exact")
LOW, HIGH = np.array([0.125, 0.1, 0.1, 0.1]), np.array([2.0, 10.0, 10.0, 2.0])
LIMITS = np.array([13600, 30000, 1, 0.125, 0.25, 6000, *HIGH, *HIGH])
"""What each margin is compared with."""
WEIGHTS: dict[float, Role] = {1e2: "beside", 1e4: "today", 1e6: "beside"}
"""Weights of the penalty, and the one that short tables show."""


def lacks() -> str | None:
    return None


def margins(x: designs.Designs) -> Float[np.ndarray, "n m"]:
    """At most 0 where a design holds: the formulas, and the sizes of the published problem."""
    return np.concatenate([welded_beam(x), LOW - x, x - HIGH], 1)


def measure() -> list[Row]:
    """The gate, its samples without it, penalties, and rejection."""
    with fresh() as directory:
        done = ran(NAME, directory / "run")
        exact = unfiltered(NAME, directory / "exact", {"sampler.samples": 24_000})[4000:]
        exact = exact[~designs.invalid(margins(exact))]
        free, ours = done.free, done.samples
        kept = free[~designs.invalid(margins(free))]
        energy = build(load(NAME), device="cpu", progress=Silent()).energy

        def found(x: designs.Designs) -> tuple[int, dict[str, Any]]:
            m = margins(x)
            return int(designs.invalid(m).sum()), {
                "at a limit": f"{100 * designs.at_a_limit(m, LIMITS):.1f} %",
                "diversity": designs.diversity(x, exact),
                "from exact": designs.from_exact(x, exact),
            }

        bad, of_free = found(free)
        rows = [
            done.without(bad, of_free, f"{100 * bad / len(free):.0f} % invalid"),
            done.ours(*found(ours), "0 invalid, guaranteed by the filter"),
        ]
        penalised = {weight: timed(lambda weight=weight: penalty(energy, kept, weight)) for weight in WEIGHTS}
        rows += _penalties({weight: (*found(x), took) for weight, (x, took) in penalised.items()}, done, kept)
        rows.append(
            Row(NAME, "rejection", "beside", named("lem-safe"), len(kept), 0, done.before, found(kept)[1])
        )
        _draw(done, {weight: x for weight, (x, _) in penalised.items()})
    return rows


def _penalties(
    found: dict[float, tuple[int, dict[str, Any], float]], done: Ran, kept: designs.Designs
) -> list[Row]:
    """A row for each weight; a short table says of all of them what they leave invalid."""
    left = ", ".join(f"{100 * n / len(kept):.2g} %" for n, _, _ in found.values())
    told = f"weights of {', '.join(f'{w:,.0f}' for w in found)} leave {left} invalid"
    return [
        Row(
            NAME,
            f"penalty, weight {weight:,.0f}",
            WEIGHTS[weight],
            named("torch"),
            len(kept),
            n,
            done.before + took,
            measures,
            told if WEIGHTS[weight] == "today" else "",
        )
        for weight, (n, measures, took) in found.items()
    ]


def excess(x: Tensor) -> Tensor:
    """Σ of the squared excesses of each formula over its limit, each as a share of the limit."""
    weld, length, depth, width = x.unbind(1)
    half = (weld + depth) / 2
    arm = (length**2 / 4 + half**2).sqrt()
    direct = 6000 / (math.sqrt(2) * weld * length)
    twist = 6000 * (14 + length / 2) * arm / (math.sqrt(2) * weld * length * (length**2 / 12 + half**2))
    shear = (direct**2 + direct * twist * length / arm + twist**2).sqrt()
    load = 4.013 * 30e6 / 196 * depth * width**3 / 6 * (1 - depth / 28 * math.sqrt(0.625))
    over = [
        shear / 13600 - 1,
        504000 / (width * depth**2) / 30000 - 1,
        weld / width - 1,
        1 - weld / 0.125,
        65856000 / (30e6 * depth**3 * width) / 0.25 - 1,
        1 - load / 6000,
        *((x - torch.from_numpy(HIGH)) / torch.from_numpy(HIGH)).unbind(1),
        *((torch.from_numpy(LOW) - x) / torch.from_numpy(LOW)).unbind(1),
    ]
    return torch.stack([v.clamp(min=0) ** 2 for v in over]).sum(0)


def penalty(energy: Any, start: designs.Designs, weight: float, steps: int = 400) -> designs.Designs:
    """Samples of U + weight · excess by Langevin moves with a Metropolis test, whose step size half of the
    steps adapt to an acceptance of .6; from designs that hold.
    """
    generator = torch.Generator().manual_seed(0)
    scale, x = torch.from_numpy(start.std(0)), torch.from_numpy(start)

    def at(x: Tensor) -> tuple[Tensor, Tensor]:
        U, slope = energy.value_and_gradient(x.float())
        y = x.clone().requires_grad_()
        (pushed,) = torch.autograd.grad((value := excess(y)).sum(), y)
        return U.double() + weight * value.detach(), (slope.double() + weight * pushed) * scale

    U, slope = at(x)
    h = 0.05
    for step in range(steps):
        noise = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        y = x + scale * (-h * slope + math.sqrt(2 * h) * noise)
        U_y, slope_y = at(y)
        back = (x - y) / scale + h * slope_y
        log_ratio = U - U_y + noise.square().sum(1) / 2 - back.square().sum(1) / (4 * h)
        taken = (torch.rand(len(x), generator=generator).log() < log_ratio) & (y > 0).all(1)
        x, slope = (torch.where(taken[:, None], new, old) for new, old in ((y, x), (slope_y, slope)))
        U = torch.where(taken, U_y, U)
        if step < steps // 2:
            h *= math.exp(0.2 * (float(taken.double().mean()) - 0.6))
    return x.numpy()


def notes(rows: dict[str, dict[str, Any]]) -> list[str]:
    return [
        "*Inside* are designs that break a formula or a size, counted by `benchmarks/design_checks.py`, "
        "which shares no code with lem-safe. *At a limit* are those that hold with less than a hundredth of "
        "some limit to spare; *diversity* is the mean distance of two designs, over that of exact ones; "
        "*from exact* the sliced Wasserstein-2 distance from 20,000 other unfiltered samples of which the "
        "invalid are left out, over that between halves of these: chance is 1. The penalty is on the "
        "squared excess of each formula over its limit, as a share of the limit; its chain starts at valid "
        "designs.",
    ]


def _draw(done: Ran, penalised: dict[float, designs.Designs]) -> None:
    def panel(x: designs.Designs) -> Any:
        def paint(axis: Axes) -> None:
            pictures.scatter(axis, x[:, [2, 3]], designs.invalid(margins(x)), 2000, 4)
            axis.set(xlim=(2, 11), ylim=(0, 2.3), xlabel="depth, inches", ylabel="width, inches")

        return paint

    weight = next(w for w, role in WEIGHTS.items() if role == "today")
    titled = {
        "no constraint": done.free,
        "lem-safe": done.samples,
        f"penalty, weight {weight:,.0f}": penalised[weight],
    }
    pictures.draw(NAME, [(title, panel(x)) for title, x in titled.items()], width=3.9, height=3.3)
