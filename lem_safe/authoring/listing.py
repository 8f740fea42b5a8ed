"""What a scenario can name, as rows for people: kind, what it is, and for a filter what it promises, for a
sampler what remains of that.
"""

import inspect

from lem_safe.scenario import bundled_scenarios, first_comment


def listing(what: str) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of one table: sets, energies, samplers, filters, losses, networks, data, surrogates,
    stops or scenarios.
    """
    if what == "scenarios":
        return ["name", "what it shows"], [
            [name, first_comment(path)] for name, path in bundled_scenarios().items()
        ]
    from lem_safe.registry import TABLES, promise
    from lem_safe.samplers import promise_under

    members = TABLES[what].members
    rows = [[kind, summary(what, kind)] for kind in members]
    if what == "sets":
        algebra = [
            ("any", "The union of regions."),
            ("all", "The intersection of regions."),
            ("not", "The complement of a region."),
        ]
        rows += [[f"{key}:", text] for key, text in algebra]
    if what == "samplers":
        remains = {kind: [promise_under(kind, chosen) for chosen in ("gate", "drift")] for kind in members}
        heads = ["kind", "under gate, step, reject", "under drift", "what it is", "because"]
        return heads, [
            [kind, *(p.scope for p in remains[kind]), text, remains[kind][1].because] for kind, text in rows
        ]
    if what != "filters":
        return ["kind", "what it is"], rows
    return ["kind", "promise", "what it is", "because"], [
        [kind, promise(kind)[0], text, promise(kind)[1]] for kind, text in rows
    ]


def summary(what: str, kind: str) -> str:
    """The first paragraph of a member's docstring, on one line."""
    from lem_safe.registry import TABLES

    return " ".join((inspect.getdoc(TABLES[what].members[kind]) or "").split("\n\n")[0].split())
