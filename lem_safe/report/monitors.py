"""The monitors of a run, as plots and a paragraph: whether the cloud still changes, and how far it is from
the energy's distribution.
"""

from functools import partial

import numpy as np
from jaxtyping import Float, Num

from lem_safe.auditor.caveats import unsettled
from lem_safe.auditor.movement import Movement
from lem_safe.report.contents import Arrays, Contents
from lem_safe.report.curves import draw_looks
from lem_safe.report.style import SERIES, UNFILTERED, Draw

Series = list[tuple[str, str, Num[np.ndarray, "t"], Float[np.ndarray, "t"]]]

TESTS = ("generator_x", "generator_x2", "generator_u")
"""The monitors of the generator's test functions Σx, ‖x‖² and U (E.3)."""


def monitors(contents: Contents, label: str) -> tuple[list[Draw], str]:
    """The plots of the monitors and their caption; no plots where a run recorded none. label: the name of the
    run's samples.
    """
    watched = {
        name: found
        for name, found in (("unfiltered", contents.reference), (label, contents.trace))
        if "monitor_step" in found
    }
    if not watched:
        return [], ""
    draws: list[Draw] = [
        partial(draw_looks, ylabel="mean energy (nats)", series=_series(watched, "energy")),
        partial(
            draw_looks,
            ylabel="balance, E ΔU / E‖∇U‖²",
            series=_series(watched, "ratio"),
            level=(1.0, "equilibrium"),
        ),
        partial(
            draw_looks,
            ylabel="discrepancy (kernel Stein)",
            series=[*_series(watched, "stein"), *_floor(watched)],
        ),
    ]
    worst = [(who, SERIES[who], found["monitor_step"], _errors(found)) for who, found in watched.items()]
    draws.append(
        partial(draw_looks, ylabel="worst test mean Lf, in errors", series=worst, level=(4.0, "four errors"))
    )
    for name, ylabel, level in (
        ("nested_rhat", "nested R̂, by where they started", (1.0, "start forgotten"))
        if all("monitor_nested_rhat" in found for found in watched.values())
        else ("rhat", "R̂, chains against chains", (1.0, "chains agree")),
        ("accepted", "moves accepted", None),
    ):
        series = [s for s in _series(watched, name) if np.isfinite(s[-1]).any()]
        if series:
            draws.append(partial(draw_looks, ylabel=ylabel, series=series, level=level))
    return draws, _caption(contents, watched)


def _series(watched: dict[str, Arrays], name: str) -> Series:
    return [
        (who, SERIES[who], found["monitor_step"], found[f"monitor_{name}"]) for who, found in watched.items()
    ]


def _floor(watched: dict[str, Arrays]) -> Series:
    found = next(iter(watched.values()))
    return [
        (
            "chance alone",
            UNFILTERED if len(watched) == 1 else "0.5",
            found["monitor_step"],
            found["monitor_stein_floor"],
        )
    ]


def _errors(found: Arrays) -> Float[np.ndarray, "t"]:
    """The largest of the generator's means at each recorded step, in its own standard errors."""
    value = np.abs([found[f"monitor_{name}"] for name in TESTS])
    error = np.array([found[f"monitor_{name}_error"] for name in TESTS])
    return np.divide(value, error, out=np.zeros_like(value), where=error > 0).max(0)


def _caption(contents: Contents, watched: dict[str, Arrays]) -> str:
    last = list(watched.values())[-1]
    looks = len(last["monitor_step"])
    text = _answer(contents, last)
    text += (
        f" {looks} evaluations of a fixed part of the cloud{_cost(last, len(contents.trace['fraction']))}. "
        "What to check: the mean energy has stopped drifting; the balance is near 1; the "
        "discrepancy is near what chance alone makes it; the test means are within four errors; R̂ is near 1."
    )
    if len(watched) > 1:
        text += (
            " All but R̂ are relative to the unfiltered distribution: a filtered cloud follows another "
            "one, and "
            "settles beside these values."
        )
    stopped = contents.run.get("stopped") or {}
    if stopped.get("rule", "steps") != "steps":
        text += f" Stopping rule {stopped['rule']}: {stopped['reason']}."
        text += f" What that cannot see: {stopped['cannot_see']}." if "cannot_see" in stopped else ""
    return text


def _cost(last: Arrays, steps: int) -> str:
    """How many particles were evaluated, and at what share of the steps' work; empty for runs of older
    versions without this record.
    """
    if "monitor_work" not in last:
        return ""
    share = float(np.nansum(last["monitor_work"])) / steps
    return (
        f", {last['monitor_particles'][-1]:,.0f} particles, for {100 * share:.2g} % of the work of the "
        "steps, as counted"
    )


def _answer(contents: Contents, last: Arrays) -> str:
    """The answer to the panel's question by the monitors' last record, where there is one; a diagnostic."""
    found = contents.audit.get("movement")
    known = None if found is None else Movement(**found)
    if known is None or known.settled is None:
        return "Too few evaluations to compare particles with each other."
    ess = float(last["monitor_ess"][-1])
    draws = f"each number followed is worth about {ess:,.0f} independent draws"
    worth = draws if np.isfinite(ess) else "too few evaluations to say what the chains are worth"
    if known.settled:
        return f"No sign of it ({known.numbers}); {worth}: diagnostics, not certificates."
    return (
        f"Probably: {unsettled(known)} ({known.numbers}); {worth}: diagnostics, not certificates. More steps "
        "are the test."
    )
