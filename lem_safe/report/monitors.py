"""What was watched during a run, as pictures and a paragraph: is the cloud still on its way, and how far from the energy's law is it?"""

from functools import partial

import numpy as np
from jaxtyping import Float, Num

from lem_safe.report.contents import Arrays, Contents
from lem_safe.report.curves import draw_looks
from lem_safe.report.style import SERIES, UNFILTERED, Draw

Series = list[tuple[str, str, Num[np.ndarray, "t"], Float[np.ndarray, "t"]]]

TESTS = ("generator_x", "generator_x2", "generator_u")
"""The monitors of the generator's test functions Σx, ‖x‖² and U (E.3)."""


def monitors(contents: Contents, label: str) -> tuple[list[Draw], str]:
    """The pictures of the monitors and their caption; no pictures where a run recorded none. label: what the run's samples are called."""
    watched = {
        name: found for name, found in (("unfiltered", contents.reference), (label, contents.trace)) if "monitor_step" in found
    }
    if not watched:
        return [], ""
    draws: list[Draw] = [
        partial(draw_looks, ylabel="mean energy (nats)", series=_series(watched, "energy")),
        partial(draw_looks, ylabel="E ΔU / E‖∇U‖²", series=_series(watched, "ratio"), level=(1.0, "balance")),
        partial(draw_looks, ylabel="kernel Stein discrepancy", series=[*_series(watched, "stein"), *_floor(watched)]),
    ]
    worst = [(who, SERIES[who], found["monitor_step"], _errors(found)) for who, found in watched.items()]
    draws.append(partial(draw_looks, ylabel="largest |mean of Lf|, in errors", series=worst, level=(4.0, "four errors")))
    for name, ylabel, level in (("rhat", "split R̂", (1.0, "chains agree")), ("accepted", "moves accepted", None)):
        series = [s for s in _series(watched, name) if np.isfinite(s[-1]).any()]
        if series:
            draws.append(partial(draw_looks, ylabel=ylabel, series=series, level=level))
    return draws, _caption(contents, watched)


def _series(watched: dict[str, Arrays], name: str) -> Series:
    return [(who, SERIES[who], found["monitor_step"], found[f"monitor_{name}"]) for who, found in watched.items()]


def _floor(watched: dict[str, Arrays]) -> Series:
    found = next(iter(watched.values()))
    return [("chance alone", UNFILTERED if len(watched) == 1 else "0.5", found["monitor_step"], found["monitor_stein_floor"])]


def _errors(found: Arrays) -> Float[np.ndarray, "t"]:
    """The largest of the generator's means at each look, in its own standard errors."""
    value = np.abs([found[f"monitor_{name}"] for name in TESTS])
    error = np.array([found[f"monitor_{name}_error"] for name in TESTS])
    return np.divide(value, error, out=np.zeros_like(value), where=error > 0).max(0)


def _caption(contents: Contents, watched: dict[str, Arrays]) -> str:
    last = next(iter(watched.values()))
    looks = len(last["monitor_step"])
    text = (
        f"{looks} looks at a fixed part of the cloud. Where the samples follow the energy's law, the ratio is 1, the discrepancy is what "
        "chance alone makes it, the means of Lf (zero at equilibrium, for f = Σx, ‖x‖² and U) are within a few standard errors of 0, and "
        "curves that have settled stay settled."
    )
    if len(watched) > 1:
        text += " All are relative to the unfiltered law: a filtered cloud follows another one, and settles beside these values."
    ess, rhat = last["monitor_ess"][-1], last["monitor_rhat"][-1]
    if np.isfinite(rhat):
        text += f" At the end R̂ is {rhat:.3f} and each number followed is worth {ess:,.0f} independent draws: a diagnostic, not a certificate."
    stopped = contents.run.get("stopped") or {}
    if stopped.get("rule", "steps") != "steps":
        text += f" Stopping rule {stopped['rule']}: {stopped['reason']}."
    return text
