"""When to stop the flow: R crosses 1 upward at the step where KL is smallest, if U is in nats (L.4, L.5)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lem_safe.distances.wasserstein import wasserstein2
from lem_safe.energies import Tempered
from lem_safe.lyapunov.density import FlowTrack, track_flow
from lem_safe.lyapunov.normal import isotropic
from lem_safe.lyapunov.ratio import upward_crossing
from lem_safe.report.style import Draw
from lem_safe.reproduce.claim import (
    CIRCLE,
    START,
    STD,
    Claim,
    Found,
    Setting,
    cloud,
    draws,
    eight,
    verdict_of,
)
from lem_safe.reproduce.flow import PAIRED, STEP, WHERE, K, followed, trained
from lem_safe.reproduce.pictures import curve_picture


def stopping(setting: Setting) -> Found:
    """k* of R_t against the argmin of exact KL and of W2; exact energy, then trained ones."""
    n, data = setting.particles, draws(setting.seed + 1000, PAIRED).numpy()
    grid = tuple(range(0, K + 1, 5))
    exact = {seed: followed(eight(), seed, n, keep=grid) for seed in setting.seeds}
    gaps = {seed: (upward_crossing(t.ratio), t.best) for seed, t in exact.items()}
    learned = {seed: followed(setting.train(trained(), seed), seed, n, keep=()) for seed in setting.seeds}
    learned_gaps = {seed: (upward_crossing(t.ratio), t.best) for seed, t in learned.items()}
    first = exact[setting.seed]
    w2 = {k: wasserstein2(x[:PAIRED].numpy(), data) for k, x in first.clouds.items()}
    best_w2, stop = min(w2, key=lambda k: w2[k]), gaps[setting.seed][0]
    near = min(grid, key=lambda k: abs(k - (stop or 0)))
    falls = {seed: _falls(t, data, gaps[seed][0] or 0, near) for seed, t in exact.items()}
    held = (
        all(a is not None and abs(a - b) <= 1 for a, b in gaps.values())
        and all(a is not None and abs(a - b) <= 3 for a, b in learned_gaps.values())
        and all(ratio >= 4 and there < end for ratio, there, end in falls.values())
    )
    return Found(
        verdict_of(held),
        f"k*/argmin KL over {len(gaps)} seeds: exact energy {_pairs(gaps)}; trained energies "
        f"{_pairs(learned_gaps)}. KL at "
        f"0, k*, {K}: "
        f"{first.kl[0]:.2f}, {first.kl[stop or 0]:.2f}, {first.kl[K]:.2f}; over the seeds it is "
        f"{min(r for r, _, _ in falls.values()):.1f} times "
        f"larger at {K} than at k*, or more. W2 is least later, near k = {best_w2} "
        f"({w2[best_w2]:.3f}; "
        f"{w2[near]:.3f} near k*, {w2[K]:.3f} at {K}). {WHERE}.",
        {
            "exact": {str(s): g for s, g in gaps.items()},
            "trained": {str(s): g for s, g in learned_gaps.items()},
            "falls": {str(s): f for s, f in falls.items()},
            "kl": first.kl.tolist(),
            "ratio": first.ratio.tolist(),
            "w2": {str(k): v for k, v in w2.items()},
        },
        _curves(first, w2, stop or 0),
        "KL is exact along the flow, because each particle carries the density of its cloud; no distance "
        "between samples is needed.",
    )


def _falls(track: FlowTrack, data: np.ndarray, stop: int, near: int) -> tuple[float, float, float]:
    """How many times larger KL is at the end than at k*, and W2 to the data near k* and at the end."""
    at_stop, at_end = (wasserstein2(track.clouds[k][:PAIRED].numpy(), data) for k in (near, K))
    return float(track.kl[K] / track.kl[stop]), at_stop, at_end


def _curves(track: FlowTrack, w2: Mapping[int, float], stop: int) -> tuple[Draw, ...]:
    """KL, R and W2 along the flow, with k* marked."""
    steps, marks = track.step.astype(float), {"k*": float(stop)}
    return (
        curve_picture(
            {"KL, exact": (steps, track.kl)},
            "KL along the flow",
            "step",
            "nats",
            marks | {"argmin KL": float(track.best)},
        ),
        curve_picture({"R": (steps[1:], track.ratio[1:])}, "R = E[ΔU] / E‖∇U‖²", "step", "", marks, top=4.0),
        curve_picture(
            {"W2": (np.array(list(w2)), np.array(list(w2.values())))}, "W2 to the data", "step", "", marks
        ),
    )


def _pairs(found: Mapping[int, tuple[int | None, int | None]]) -> str:
    return ", ".join(f"{a}/{b}" for a, b in found.values())


def temperature(setting: Setting) -> Found:
    """One V at three temperatures, e^{−V/ε}, and one cloud that follows −∇V: the rule on U = V/ε stops at the
    smallest KL of each.
    """
    V = eight()
    rows: dict[float, dict[str, Any]] = {}
    for ε, steps in ((1.0, K), (0.15, K), (0.01, 2 * K)):
        U = Tempered(V, ε)
        track = track_flow(
            U, cloud(setting.seed, setting.particles), isotropic(2, START).log_density, STEP * ε, steps
        )
        without = upward_crossing(track.ratio / ε)
        rows[ε] = {
            "k_star": upward_crossing(track.ratio),
            "argmin_kl": track.best,
            "without": without,
            "factor": 1 / ε,
        }
    stops = [r["k_star"] for r in rows.values()]
    held = (
        all(
            r["k_star"] is not None and r["argmin_kl"] is not None and abs(r["k_star"] - r["argmin_kl"]) <= 1
            for r in rows.values()
        )
        and len(set(stops)) == len(stops)
        and all(r["without"] == stops[0] for r in rows.values())
    )
    words = "; ".join(
        f"ε = {ε:g}: k* {r['k_star']}, argmin KL {r['argmin_kl']}, and {r['without']} by the ratio of V, "
        f"{r['factor']:.2f} times that of V/ε"
        for ε, r in rows.items()
    )
    return Found(
        "corrected" if held else "fails",
        f"{words}. V is the energy of {len(CIRCLE)} modes of std {STD:g}, the same cloud and the same flow.",
        {str(k): v for k, v in rows.items()},
        (),
        "Eq. 16 holds for an energy in nats; published networks have a temperature.",
    )


CLAIMS = (
    Claim(
        "stopping",
        "k* from R_t is where KL is least",
        "§3, Fig. 1",
        "k* = 49 agrees with the empirical optimum (k = 50)",
        "1 step on the exact energy, 3 on trained ones; KL at k* at most a quarter of KL at 200, and W2 "
        "smaller; every seed",
        stopping,
    ),
    Claim(
        "temperature",
        "The rule needs U in nats",
        "§3, eq. 16",
        "R_t = E[ΔU] / E‖∇U‖², with no temperature",
        "k* within 1 step of argmin KL for ε = 1, .15 and .01; the ratio without ε cannot tell them apart",
        temperature,
    ),
)
