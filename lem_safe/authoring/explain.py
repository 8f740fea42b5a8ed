"""A scenario in plain sentences: what will be sampled, what is required, what its filter promises, and what
the audit can conclude.

It uses the specification and the tables; nothing is trained, but points are tried in the regions, and with a
clock a few steps are timed, or numpy's speed is.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from barriers.budget import budget
from barriers.filters import FILTERS, couples, last_of
from lem_safe.authoring.columns import of_columns
from lem_safe.authoring.cost import cost
from lem_safe.authoring.paragraphs import in_parts
from lem_safe.authoring.speeds import Clock
from lem_safe.authoring.starting_words import start_in_words
from lem_safe.authoring.timings import Timings
from lem_safe.formatting import level
from lem_safe.lyapunov import STOPS
from lem_safe.registry import TABLES, chosen_couples, never_passes
from lem_safe.registry import columns as columns_of
from lem_safe.runs.feasibility import never_together
from lem_safe.runs.own_rows import own_rows
from lem_safe.samplers import SAMPLERS, promise_under
from lem_safe.scenario import Scenario, leaves_room, named


def explain(
    scenario: Scenario,
    clock: Clock | None = None,
    kept: Timings | None = None,
    estimating: Clock | None = None,
) -> str:
    """The explanation, with a heading and one or two paragraphs per topic. kept, clock, estimating: for the
    cost in seconds (`cost`).
    """
    parts = {
        "What is sampled": [_energy(scenario), *of_columns(scenario), _sampling(scenario)],
        "What is asked": [
            *(_constraint(scenario, i) for i in range(len(scenario.constraints))),
            *map("{}.".format, own_rows(scenario)),
            *_together(scenario),
        ],
        "What the filter promises": _filter(scenario),
        "What the audit will say": _audit(scenario),
        "What the exit status means": [_status(scenario)],
        "What it costs": [cost(scenario, clock, kept, estimating)],
    }
    if scenario.variants:
        parts["What is swept"] = [_sweep(scenario)]
    return in_parts(parts)


def in_words(spec: Any) -> str:
    """A region's specification as a noun phrase.

    >>> in_words({"kind": "ball", "center": [2, 0], "radius": 0.8})
    'the ball of radius 0.8 around (2, 0)'
    >>> in_words({"any": ["pillar", {"not": "strip"}]})
    'pillar or everything outside strip'
    """
    if isinstance(spec, str):
        return spec
    if "not" in spec:
        return f"everything outside {in_words(spec['not'])}"
    for key, word in (("any", " or "), ("all", " and also ")):
        if key in spec:
            return word.join(map(in_words, spec[key]))
    say = SHAPES.get(spec["kind"])
    if say is not None:
        return say(spec)
    keys = ", ".join(f"{key} {_shown(value)}" for key, value in spec.items() if key != "kind")
    return f"a region of kind {spec['kind']}" + (f" ({keys})" if keys else "")


SHAPES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "ball": lambda s: f"the ball of radius {_shown(s['radius'])} around {_shown(s['center'])}",
    "half_space": lambda s: (
        f"the half-space where {_shown(s['normal'])} · x is at least {_shown(s['offset'])}"
    ),
    "slab": lambda s: (
        f"the slab where {_shown(s['normal'])} · x is from {_shown(s['lower'])} to {_shown(s['upper'])}"
    ),
    "rule": lambda s: f"all points with{'out' * (s.get('where') is None)} {s.get('where') or s['require']}",
    "grow": lambda s: (
        f"{in_words(s['region'])}, grown by {_shown(s['by'])}"
        if {"region", "by"} <= set(s)
        else "a grown region"
    ),
    "occupancy": lambda s: (
        f"the occupied cells of the map {'drawn in rows' if isinstance(s['map'], list) else s['map']}"
        + (f", unknown cells {s.get('unknown', 'occupied')}" if "lower" not in s else "")
        + f"; everything off the map is {s.get('off_map', 'free')}"
    ),
    "anywhere": lambda s: (
        f"every path that is inside {in_words(s['set'])} at a waypoint"
        + (
            " or on the way between two"
            if s.get("between", "segments") == "segments"
            else "; what happens between two waypoints is not checked"
        )
    ),
    "speed": lambda s: (
        "every path with a step "
        + " or ".join(
            f"{word} than {_shown(s[key])}"
            for key, word in (("above", "faster"), ("below", "slower"))
            if s.get(key) is not None
        )
    ),
    "curvature": lambda s: (
        f"every path that turns more tightly than {_shown(s['above'])} (1/radius), or back"
    ),
    "separation": lambda s: (
        f"every path on which two of {s['agents']} agents are less than {_shown(s['below'])} apart at a time"
        + ", between waypoints too" * (s.get("between", "segments") == "segments")
    ),
}
"""Kinds with their own sentence; the others are described by their keys."""


def _energy(scenario: Scenario) -> str:
    d = _columns(scenario)
    text = (
        f"The distribution exp(-U) over {len(d)} column{'s' * (len(d) != 1)} ({_listed(d)}), U in nats. "
        f"{_of_energy(scenario.energy)}"
    )
    for penalty in scenario.penalties:
        text += (
            f" From it {penalty.weight:g} times another energy is subtracted (kind "
            f"{penalty.energy['kind']}), which makes its modes rarer."
        )
    return text


def _of_energy(spec: Mapping[str, Any]) -> str:
    kind = spec["kind"]
    if kind == "trained":
        data, steps = spec["data"], spec.get("training", {}).get("steps")
        source = str(data.get("path") or data.get("table") or data["kind"])
        by = f" by {steps:,} training steps" if steps else ""
        text = f"U is learned from the data '{source}'{by}, unless the same training is in the cache."
        if cut := spec.get("truncated"):
            text += (
                f" It is fitted to rows that are truncated by {_listed(cut['by'])}: they are taken to "
                "have none inside because of how they came about, and nothing is learned of there."
            )
        return text
    if kind in ("checkpoint", "exported"):
        return f"U is read from {spec.get('path')}."
    return f"U is given: {kind.replace('_', ' ')}. {TABLES['energies'].members[kind].summary}"


def _sampling(scenario: Scenario) -> str:
    s = scenario.sampler
    start = start_in_words(scenario, _shown)
    moves = f"{s.steps:,} steps of size {s.step_size:g} with the sampler {s.kind}"
    text = f"{s.samples:,} particles start {start} and take {moves}"
    text += f", all randomness from seed {scenario.seed}. The {s.samples:,} samples are where they end."
    if scenario.audit.replicas > 1:
        text += (
            f" {scenario.audit.replicas:,} such clouds, independent of one another, make "
            f"{_samples(scenario):,} samples."
        )
    why = f", because float32 cannot hold them: {scenario.why_double}" if scenario.why_double else ""
    text += f" Numbers are {scenario.dtype}{why}."
    rule = scenario.stop.get("kind", "steps")
    return (
        text
        if rule == "steps"
        else f"{text} The stopping rule {rule} may end the run earlier; {STOPS[rule].cannot_see}."
    )


def _samples(scenario: Scenario) -> int:
    """The number of samples that the audit counts: those of every cloud."""
    return scenario.sampler.samples * scenario.audit.replicas


def _constraint(scenario: Scenario, i: int) -> str:
    c, n = scenario.constraints[i], _samples(scenario)
    return (
        f"At most {_percent(c.beta)} of the samples, {budget(c.beta, n):,} of {n:,}, may lie inside "
        f"{c.set}: {in_words(scenario.unsafe[c.set])}."
    )


def _together(scenario: Scenario) -> list[str]:
    """Why the tolerances cannot hold together, where they cannot."""
    why = never_together(scenario)
    return [] if why is None else [f"But {why}."]


def _filter(scenario: Scenario) -> list[str]:
    kind = scenario.filter["kind"]
    texts = [FILTERS[kind].said(kind)]
    last = last_of(scenario.filter)["kind"]
    if last != kind:
        texts.append(f"The last one here is {last}. {FILTERS[last].said(last)}")
    sampler, remains = scenario.sampler.kind, promise_under(scenario.sampler.kind, last)
    apart = SAMPLERS[sampler].couples and last != "none" and not couples(scenario.filter)
    if apart or remains.scope != FILTERS[last].promise.scope:
        texts.append(f"Under {sampler} what remains is: {remains.scope}. {remains.because}.")
    aimed = zip(scenario.constraints, scenario.aimed(), strict=True)
    lower = [f"{_percent(aim)} in {c.set}" for c, aim in aimed if aim < c.beta]
    if lower:
        why = leaves_room(
            scenario.filter, claimed=not chosen_couples(scenario) or scenario.audit.replicas > 1
        )
        texts.append(f"It aims lower than what is tolerated ({', '.join(lower)}){why}.")
    return texts


def _audit(scenario: Scenario) -> list[str]:
    audit = scenario.audit
    since = "every step" if audit.after_step == 0 else f"every step from {audit.after_step:,} on"
    texts = [
        f"It counts, in float64 and by geometry alone, the final samples and {since} of the run. These "
        "counts are facts about this run."
    ]
    sure = level(audit.confidence)
    shared = (
        f", the error shared by {len(scenario.constraints)} constraints"
        if len(scenario.constraints) > 1
        else ""
    )
    replicas = audit.replicas
    bounds = f"It also bounds the distribution behind them with {sure} confidence{shared}"
    if replicas > 1:
        texts.append(f"{bounds}, counting {replicas} independent clouds and not their particles.")
    elif not chosen_couples(scenario):
        texts.append(f"{bounds}, if the samples are independent; no audit can check that.")
    else:
        by = "filter" if couples(scenario.filter) else "sampler"
        because = f"the {by} makes the particles depend on each other, so they are not independent draws"
        texts.append(f"It claims no bound on the distribution behind them: {because}.")
    texts.append(
        "It says nothing about step-size bias, about modes the run has not visited, or about regions that "
        "are not named."
    )
    return texts


def _status(scenario: Scenario) -> str:
    also = "" if scenario.audit.require == "passed" else " and every bound certifies it"
    text = (
        f"0 if every count is within its tolerance{also}, 1 if not, 2 if something here cannot be run, "
        "3 if the numbers diverge."
    )
    why = never_passes(scenario)
    return text if why is None else f"{text} But 0 cannot be reached: {why}."


def _sweep(scenario: Scenario) -> str:
    values = "; ".join(
        f"{key}: {', '.join(_value(key, v) for v in values)}"
        for key, values in (scenario.sweep or {}).items()
    )
    return (
        f"{len(scenario.variants)} runs, one for each combination of {values}. What is said above is "
        "the file as it stands without them."
    )


def _value(key: str, value: Any) -> str:
    return named({key: value}).removeprefix(f"{key} = ")


def _columns(scenario: Scenario) -> tuple[str, ...]:
    return tuple(scenario.columns) if scenario.columns else columns_of(scenario.energy)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        if len(value) > 6 or (value and isinstance(value[0], list | tuple)):
            return f"[{len(value)} entries]"
        return f"({', '.join(map(_shown, value))})"
    if isinstance(value, Mapping):
        return in_words(value) if "kind" in value else "{...}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _listed(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.6g} %"
