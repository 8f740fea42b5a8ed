"""What a scenario can name, as rows for people: kind, what it is, and for a filter what it promises."""

import inspect

from lem_safe.scenario import bundled_scenarios, first_comment


def listing(what: str) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of one table: sets, energies, samplers, filters, losses, networks, data, surrogates or scenarios."""
    if what == "scenarios":
        return ["name", "what it shows"], [[name, first_comment(path)] for name, path in bundled_scenarios().items()]
    from lem_safe.catalogue import TABLES, promise

    members = TABLES[what].members
    rows = [[kind, " ".join((inspect.getdoc(member) or "").split("\n\n")[0].split())] for kind, member in members.items()]
    if what == "sets":
        algebra = [("any", "The union of regions."), ("all", "Their intersection."), ("not", "The complement of one.")]
        rows += [[f"{key}:", text] for key, text in algebra]
    if what != "filters":
        return ["kind", "what it is"], rows
    return ["kind", "promise", "what it is", "because"], [[kind, promise(kind)[0], text, promise(kind)[1]] for kind, text in rows]
