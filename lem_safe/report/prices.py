"""The price of the tolerances in words: the least KL of any method, a lower bound for this filter, and the
difference (P.6, P.7).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from barriers.arrays import torch
from lem_safe.distances.kl_price import Account, Needed, account, needed, seen
from lem_safe.formatting import level
from lem_safe.report.contents import Contents


class Cost(NamedTuple):
    """One line of the table: what was compared, the number, and its value under chance alone or theory."""

    name: str
    value: str
    beside: str


def prices(contents: Contents) -> list[Cost]:
    """What the tolerances need of any method, a lower bound for this filter, and the difference."""
    constraints, confidence = contents.audit["constraints"], float(contents.audit["confidence"])
    regions, betas = (
        [contents.regions[c["set"]] for c in constraints],
        [float(c["beta"]) for c in constraints],
    )
    free, ours = (
        seen(regions, torch.as_tensor(np.asarray(x, dtype=np.float64)))
        for x in (contents.reference["x"], contents.x)
    )
    found = account(ours, free, betas, confidence)
    rows = [
        Cost(
            "least KL any method pays",
            least(found.needed),
            moved(constraints, free.inside.double().mean(0).tolist()),
        )
    ]
    if len(constraints) > 1:
        each = [
            needed(free._replace(inside=free.inside[:, [k]]), [β], confidence) for k, β in enumerate(betas)
        ]
        rows += [
            Cost(f"of it for {c['set']} alone", least(e), moved([c], [float(p)]))
            for c, e, p in zip(constraints, each, free.inside.double().mean(0), strict=True)
        ]
    rows[0] = rows[0]._replace(beside=f"{rows[0].beside}; {certainly(found.needed, confidence)}")
    return rows + paid(found)


def paid(found: Account) -> list[Cost]:
    """The KL of the filter and the difference, in words; empty where there are too few samples."""
    if found.paid is None:
        return []
    name, gap = "KL this filter paid, at least", "gap to the least KL"
    rows = [
        Cost(
            name,
            f"{nats(found.paid.nats, found.paid.error)}",
            f"by membership alone {found.paid.membership:.3g}",
        )
    ]
    if not found.within:
        return [*rows, Cost(gap, "none", "over a tolerance, so it need not pay the least")]
    if found.gap is None or found.gap_error is None or found.needed.nats is None:
        return rows
    times = (
        f"{found.paid.nats / found.needed.nats:.2g} times the least"
        if found.needed.nats > 0
        else "nothing was needed"
    )
    return [*rows, Cost(gap, nats(found.gap, found.gap_error), times)]


def nats(value: float, error: float) -> str:
    """A number with its standard error, both to the error's second digit.

    >>> nats(0.058312, 0.00412), nats(0.0, 0.0), nats(-0.0004, 0.002), nats(2.4, 0.31)
    ('0.0583 ± 0.0041 nats', '0 nats', '-0.0004 ± 0.0020 nats', '2.40 ± 0.31 nats')
    """
    if error <= 0:
        return f"{value:.3g} nats"
    digits = max(1 - math.floor(math.log10(error)), 0)
    return f"{round(value, digits) + 0.0:.{digits}f} ± {error:.{digits}f} nats"


def least(found: Needed) -> str:
    """The least KL with its error; where it cannot be estimated, a lower bound."""
    if found.nats is not None and found.error is not None:
        return nats(found.nats, found.error)
    return f"more than {found.at_least:.3g} nats" if found.at_least > 0 else "not known from so few samples"


def certainly(found: Needed, confidence: float) -> str:
    """The lower bound with its confidence."""
    return f"at least {found.at_least:.3g} nats with {level(confidence)} confidence"


def moved(constraints: Sequence[Mapping[str, Any]], fractions: Sequence[float]) -> str:
    """How much of the mass exceeds the tolerance of the set with the largest excess."""
    most = max(p - c["beta"] for p, c in zip(fractions, constraints, strict=True))
    return f"moves {100 * max(most, 0):.3g}\N{NO-BREAK SPACE}% of the mass"
