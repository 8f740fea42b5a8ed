"""The conclusions of a comparison, in sentences computed from its numbers: which filters kept the tolerance,
which is nearest, at what price.

A baseline that wins is named first, with its cost: draws, time, or the lack of a promise.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lem_safe.report.prices import nats

NOISE = 3.0
"""Distances closer than this many standard deviations of the floor are considered equal."""
FAR = 30.0
"""Distances beyond this many standard deviations, and beyond twice the floor, are considered far."""


def findings(facts: Mapping[str, Any]) -> list[str]:
    """The sentences, at most five. facts: Comparison.to_dict()."""
    ran = [e for e in facts["entries"] if e["refused"] is None]
    if not ran:
        return ["Every filter was refused here."]
    return [
        sentence
        for sentence in (
            _kept(ran),
            _nearest(ran, facts),
            _far(ran, facts),
            _kl_needed_and_paid(ran, facts),
            _cheapest(ran),
        )
        if sentence
    ]


def by_chance(facts: Mapping[str, Any]) -> str:
    """The floor in words; its mean rounded to the digits that its scatter allows.

    >>> by_chance({"floor": {"mean": 0.2264, "std": 0.0213}})
    '0.23 ± 0.02'
    >>> by_chance({"floor": {"mean": -1.6e-7, "std": 0.001}})
    '0 ± 0.001'
    """
    mean, std = facts["floor"]["mean"], facts["floor"]["std"]
    digits = 0 if std <= 0 else -math.floor(math.log10(std))
    return f"{round(mean, digits) + 0.0:.6g} ± {std:.1g}"


def _kept(ran: Sequence[Mapping[str, Any]]) -> str:
    within = [e["filter"] + " (in the end)" * (e["largest"] is None) for e in ran if not e["over"]]
    over = [e for e in ran if e["over"]]
    text = (
        f"Within the tolerance at every step: {_names(within)}."
        if within
        else "None kept the tolerance at every step."
    )
    if over:
        worst = max(over, key=lambda e: _most(e) / max(e["beta"], 1e-12))
        text += (
            f" Over it: {_names([e['filter'] for e in over])}; most of all {worst['filter']}, "
            f"{100 * _most(worst):.3g} % inside "
        )
        text += f"{worst['constraint']} where {100 * worst['beta']:.3g} % is tolerated."
    return text


def _nearest(ran: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> str:
    """Which filter is nearest to the projection; none where chance explains the distances."""
    measured = sorted((e for e in ran if e["distance"] is not None), key=lambda e: e["distance"])
    kept = [e for e in measured if not e["over"]]
    if not kept:
        return ""
    same = [e for e in kept if _within(e, facts)]
    std, chance = facts["floor"]["std"], f"chance alone makes {by_chance(facts)}"
    if same:
        text = (
            f"{_names([e['filter'] for e in same])} cannot be distinguished from the exact projection "
            f"({facts['measure']} "
        )
        text += f"{same[0]['distance']:.2g}, where {chance})"
        blind = [e["filter"] for e in measured if e["over"] and _within(e, facts)]
        if blind:
            return (
                f"{text}. Nor can {_names(blind)}, over the tolerance: with so few samples such small "
                "distances decide nothing."
            )
        if len(same) > 1:
            return f"{text}: none of them is the nearest."
        return f"{text}, at the price of {_price(same[0], facts)}."
    first = kept[0]
    text = (
        f"Of these, {first['filter']} is nearest to the exact projection ({facts['measure']} "
        f"{first['distance']:.2g}, where {chance}), "
    )
    text += f"at the price of {_price(first, facts)}."
    equal = [e["filter"] for e in kept[1:] if e["distance"] - first["distance"] <= NOISE * math.sqrt(2) * std]
    return text + (f" Chance alone cannot tell it from {_names(equal)}." if equal else "")


def _within(e: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    """Whether a sample of the projection itself of this size may well be this far from it."""
    mean, std = e.get("chance") or (facts["floor"]["mean"], facts["floor"]["std"])
    return bool(e["distance"] <= mean + NOISE * std)


def _far(ran: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> str:
    found = [e["distance"] for e in ran if e["distance"] is not None]
    mean, std = facts["floor"]["mean"], facts["floor"]["std"]
    if not found or min(found) <= max(2 * mean, mean + FAR * std):
        return ""
    return (
        f"All are far from it ({min(found):.2g} or more, where chance alone makes {by_chance(facts)}): the "
        "chain has not reached the energy's "
        f"distribution in {facts['steps']:,} steps, so the distances speak of the chain and not of the "
        "filters."
    )


def _kl_needed_and_paid(ran: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> str:
    """The KL that holding the tolerances needs, and the multiples of it for the filters that hold them in the
    end.
    """
    least, priced = facts.get("needed"), [e for e in ran if e.get("price") and e["price"]["gap"] is not None]
    if not least or least["nats"] is None or not priced:
        return ""
    if least["nats"] <= 0:
        return "Holding the tolerance needs no KL: the unfiltered samples are within it."
    said = [f"{e['filter']} {e['price']['paid'] / least['nats']:.2g}" for e in priced]
    return (
        f"Holding the tolerance needs a KL of {nats(least['nats'], least['error'])} from the unfiltered "
        "distribution; paid, in multiples of "
        f"that, at least: {', '.join(said)}."
    )


def _cheapest(ran: Sequence[Mapping[str, Any]]) -> str:
    held = [e for e in ran if not e["over"] and e["promise"] == "every step, this cloud"]
    if not held:
        return ""
    first = min(held, key=lambda e: e["cost"])
    return (
        f"Of those that promise every step, {first['filter']} is the cheapest: {first['cost']:.2f} "
        "times a step without a filter."
    )


def _price(e: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """The cost of a filter, as far as the table contains it."""
    if e["filter"] == "thinning":
        lost = facts["samples"] - e["kept"]
        return f"{lost:,} of {facts['samples']:,} draws, and of no promise while sampling"
    promise = "no promise that it stays so" if e["promise"] == "none" else f"its promise: {e['promise']}"
    return f"{e['cost']:.2f} times a step without a filter; {promise}"


def _most(e: Mapping[str, Any]) -> float:
    return float(e["final"] if e["largest"] is None else e["largest"])


def _names(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
