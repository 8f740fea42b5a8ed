"""PD-LMC, primal–dual Langevin Monte Carlo as published (Chamon, Karimi, Korba 2024), on its own example in
one dimension: N(0, 1) truncated to [1, 3].

    x ← x − h(x + λg′(x)) + √(2h) ξ,   λ ← [λ + ηg(x)]₊,   g(x) = 4[(x − 1)(x − 3)]₊ − .005

one chain from x = 0, λ = 0, of 5e6 steps with h = 1e-3 and η = 1e-3; η = .2 is what the same authors use in
two dimensions. The second half is kept. The chain is a loop over Python floats written for this example
alone, its noise drawn beforehand: less than .2 µs a step, a twentieth of what arrays of one number take. The
distribution that a chain has is the average over 192 independent ones of 1e6 steps, the columns of one array.

Ours: 8,192 particles, which are more independent draws than that chain is worth, under MALA that refuses
every move out of the interval, from its middle or from 0, and under MALA from 0, thinned afterwards.
"""

import math
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import truncnorm

from benchmarks.answer_truths import INTERVAL, Masses, beyond, exact, floor, total_variation
from lem_safe.keys import Key

H, LIMIT, STEPS, DUALS = 1e-3, 0.005, 5_000_000, (1e-3, 0.2)
CHAINS, LENGTHS = 192, (10_000, 30_000, 100_000, 300_000, 1_000_000)
"""Chains whose average is taken, and the numbers of steps of which the second half is kept."""
EVERY, DRAWN = 50, 10_000
"""How often these are looked at, and for how many steps noise is drawn at once."""
N, CLOUDS, SIZES = 8192, 8, (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)


class Chain(NamedTuple):
    """The positions of a chain, and the seconds of processor time that it took."""

    x: Float[np.ndarray, "steps"]
    seconds: float


def one_chain(steps: int, dual: float, seed: int) -> Chain:
    """One chain, as fast as Python runs it."""
    rng, x, λ = np.random.default_rng(seed), 0.0, 0.0
    scale, out, began = math.sqrt(2 * H), np.empty(steps), time.process_time()
    for start in range(0, steps, DRAWN):
        xs: list[float] = []
        for ξ in (scale * rng.standard_normal(min(DRAWN, steps - start))).tolist():
            u = x - H * x if 1.0 <= x <= 3.0 else x - H * (x + λ * (8.0 * x - 16.0))
            x = u + ξ
            e = 4.0 * (x - 1.0) * (x - 3.0)
            λ += dual * ((e if e > 0.0 else 0.0) - LIMIT)
            if λ < 0.0:
                λ = 0.0
            xs.append(x)
        out[start : start + len(xs)] = xs
    return Chain(out, time.process_time() - began)


def many_chains(steps: int, dual: float, chains: int, seed: int) -> Iterator[tuple[int, np.ndarray]]:
    """The positions of independent chains, every so many steps."""
    rng, x, λ = np.random.default_rng(seed), np.zeros(chains), np.zeros(chains)
    for start in range(0, steps, DRAWN):
        noise = math.sqrt(2 * H) * rng.standard_normal((min(DRAWN, steps - start), chains))
        for k, ξ in enumerate(noise, start + 1):
            e = 4 * (x - 1) * (x - 3)
            x = x - H * (x + λ * (e > 0) * (8 * x - 16)) + ξ
            λ = np.maximum(λ + dual * (np.maximum(4 * (x - 1) * (x - 3), 0) - LIMIT), 0)
            if k % EVERY == 0:
                yield k, x


def independent(x: Float[np.ndarray, "steps"], parts: int = 100) -> float:
    """How many independent draws have a mean as precise as that of these correlated ones, by batch means."""
    means = x[: len(x) // parts * parts].reshape(parts, -1).mean(1)
    return float(parts * x.var() / means.var(ddof=1))


def rows() -> list[dict[str, Any]]:
    """PD-LMC by dual step, then ours; every time is one of processor time."""
    masses = exact(INTERVAL)
    return [*(_published(dual, masses) for dual in DUALS), *_ours(masses)]


def _published(dual: float, masses: Masses) -> dict[str, Any]:
    one = one_chain(STEPS, dual, seed=1)
    kept = one.x[STEPS // 2 :]
    draws = independent(kept)
    halves = {length: np.zeros(INTERVAL.cells) for length in LENGTHS}
    last: list[np.ndarray] = []
    for k, x in many_chains(LENGTHS[-1], dual, CHAINS, seed=2):
        for length in LENGTHS:
            if length // 2 < k <= length:
                halves[length] += _counts(x)
        if k > LENGTHS[-1] // 2:
            last.append(x)
    least = {length: floor(masses, 2 * CHAINS * draws * length / STEPS) for length in LENGTHS}
    row = {
        "name": f"interval: PD-LMC, η {dual:g}",
        "part": "interval",
        "method": f"PD-LMC, η {dual:g}",
        "seconds": round(one.seconds, 3),
        "steps": STEPS,
        "independent": round(draws),
        "one_answer": round(total_variation(_counts(kept), masses), 4),
        "outside": round(float(((kept < 1) | (kept > 3)).mean()), 4),
        "floor": round(least[LENGTHS[-1]], 4),
        "by_length": {
            str(length): round(beyond(total_variation(counts, masses), least[length]), 4)
            for length, counts in halves.items()
        },
        **moments(np.stack(last, 1)),
    }
    print(row, flush=True)
    return row


def _counts(x: Float[np.ndarray, "n"]) -> Any:
    return INTERVAL.counts(torch.from_numpy(x)[:, None])


def moments(x: Float[np.ndarray, "chains steps"]) -> dict[str, float]:
    """The errors of mean and variance, and how many standard errors they are, from independent rows."""
    center, found = truncnorm.mean(1, 3), {}
    for name, values, expected in (
        ("mean", x, center),
        ("variance", (x - center) ** 2, truncnorm.var(1, 3)),
    ):
        each = values.mean(1)
        error = float(each.mean() - expected)
        found[f"{name}_error"] = round(error, 5)
        found[f"{name}_z"] = round(error / float(each.std(ddof=1) / math.sqrt(len(each))), 1)
    return found


def _ours(masses: Masses) -> list[dict[str, Any]]:
    from benchmarks.time_to_answer import course, refused, row, thinned

    middle = INTERVAL._replace(start=lambda key, n: torch.full((n, 1), 2.0))
    cases = {
        "reject + MALA, from 2": (middle, refused),
        "reject + MALA, from 0": (INTERVAL, refused),
        "thinning, from 0": (INTERVAL, thinned),
    }
    found = []
    for name, (truth, made) in cases.items():
        courses = {f"h {h:g}": course(truth, masses, made(h), N, CLOUDS) for h in SIZES}
        about = row("interval", truth, name, courses, floor(masses, N * CLOUDS), N)
        longer = truth._replace(longest=math.inf)
        ends = [list(made(SIZES[2])(longer, Key(seed), N, [300]))[-1][2] for seed in range(40)]
        one = [total_variation(truth.counts(x), masses) for x in ends]
        rows = min(map(len, ends))
        about |= moments(np.stack([x[:rows, 0].double().numpy() for x in ends]))
        away = torch.cat(ends)
        about["outside"] = round(float(((away < 1) | (away > 3)).double().mean()), 6)
        found.append(about | {"independent": rows, "one_answer": round(float(np.mean(one)), 4)})
        print(found[-1], flush=True)
    return found
