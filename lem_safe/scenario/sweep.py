"""`sweep: {filter.rate: [1, 5, 25]}`: one file, a grid of scenarios, all of which are checked before anything
runs.

A fault of a swept value is placed at the value; one of a combination at its key, with the combination in the
message.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

from lem_safe.errors import BadInput, Fault
from lem_safe.scenario.model import Scenario, Variant
from lem_safe.scenario.source import Override, Source

KEY = "sweep"
MOST = 128
"""The largest number of combinations of one sweep."""
FIXED = ("version", "name", KEY)
"""What all runs of a sweep share."""


def variants(
    source: Source, sweep: Mapping[str, Sequence[Any]], check: Callable[[Source], Scenario]
) -> list[Variant]:
    """Every combination, checked; raises BadInput with the faults of all of them."""
    faults = _of_keys(source, sweep)
    if faults:
        raise BadInput(faults)
    made: list[Variant] = []
    for turn in product(*(range(len(values)) for values in sweep.values())):
        chosen = {key: values[i] for (key, values), i in zip(sweep.items(), turn, strict=True)}
        own = source.without(KEY)
        for (key, value), i in zip(chosen.items(), turn, strict=True):
            own.override(key.split("."), Override(f"{key} = {value}", value, (KEY, key, i)))
        try:
            made.append(Variant(chosen, check(own)))
        except BadInput as bad:
            faults += [_with_combination(fault, chosen) for fault in bad.faults]
        if len(faults) > MOST:
            break
    if faults:
        raise BadInput(list({(f.file, f.line, f.column, f.message): f for f in faults}.values()))
    return made


def named(settings: Mapping[str, Any]) -> str:
    """A combination in words: filter.rate = 5, sampler.steps = 100."""
    return ", ".join(f"{key} = {_value(value)}" for key, value in settings.items())


def _with_combination(fault: Fault, chosen: Mapping[str, Any]) -> Fault:
    if fault.key is not None and fault.key.startswith(f"{KEY}."):
        return fault
    return replace(fault, message=f"{fault.message} (in the combination {named(chosen)})")


def _of_keys(source: Source, sweep: Mapping[str, Sequence[Any]]) -> list[Fault]:
    faults = []
    for key in sweep:
        outer = next((other for other in sweep if key.startswith(f"{other}.")), None)
        if key.split(".")[0] in FIXED:
            faults.append(
                source.fault(
                    (KEY, key), f"'{key}' is the same in all runs of a sweep; take it out", at_key=True
                )
            )
        elif outer is not None:
            faults.append(
                source.fault(
                    (KEY, key), f"'{key}' lies inside '{outer}'; sweep the one or the other", at_key=True
                )
            )
    if (count := prod(len(values) for values in sweep.values())) > MOST:
        faults.append(
            source.fault((KEY,), f"must have at most {MOST} combinations; got {count:,}", at_key=True)
        )
    return faults


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("kind") or "{" + ", ".join(f"{k}: {_value(v)}" for k, v in value.items()) + "}")
    return "[" + ", ".join(map(_value, value)) + "]" if isinstance(value, list) else str(value)
