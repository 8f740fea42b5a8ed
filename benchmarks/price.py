"""What holding a tolerance costs: the KL that drift, step and gate paid in the bundled scenarios over the
least that any method pays (P.6, P.7), and that price beside nearest neighbours' estimate of KL, which it
replaced, where KL is known.

    python -m benchmarks price [--as price_before]

`paid` is a bound from below on the KL of the final cloud from the unfiltered one of the same steps, as
membership and distance tell it.
"""

import math
from itertools import chain
from typing import Any

import numpy as np
import torch
from scipy.spatial import cKDTree
from scipy.stats import norm

from barriers.projection import facts, thinned
from barriers.sets import HalfSpace
from lem_safe.comparison.compare import compare
from lem_safe.distances.kl_price import account, seen
from lem_safe.registry import load
from lem_safe.scenario import bundled_scenarios

FILTERS = ("drift", "step", "gate")
DIMENSIONS, SIZE, NEIGHBOURS = (1, 2, 5, 10, 20, 50), 4000, 5
BETA, OFFSET = 0.05, -1.0
"""The law whose KL is known: a standard normal one, projected onto at most BETA beyond OFFSET."""

PLAIN = [name for name, path in bundled_scenarios().items() if path.parent.name != "gallery"]


def neighbour_kl(x: np.ndarray, y: np.ndarray) -> float:
    """KL of the law of x from that of y by k-th neighbours [Wang, Kulkarni, Verdú 2009]: d/n Σ log(ν_i/ρ_i) +
    log(m/(n − 1)).
    """
    own = cKDTree(x).query(x, k=[NEIGHBOURS + 1])[0][:, 0]
    other = cKDTree(y).query(x, k=[NEIGHBOURS])[0][:, 0]
    return float(x.shape[1] * np.log(other / own).mean() + math.log(len(y) / (len(x) - 1)))


def known(d: int) -> dict[str, Any]:
    """The KL of a half-space's projection in d dimensions, by either method, from two independent clouds of
    SIZE.
    """
    p, region = float(norm.sf(OFFSET)), HalfSpace([1.0] + [0.0] * (d - 1), OFFSET)
    generator = torch.Generator().manual_seed(d)
    free = torch.randn(SIZE, d, generator=generator, dtype=torch.float64)
    many = torch.randn(10 * SIZE, d, generator=generator, dtype=torch.float64)
    uniforms = torch.rand(len(many), generator=generator, dtype=torch.float64)
    ours = many[thinned(region.contains(many)[:, None], [BETA], uniforms)][:SIZE]
    found = account(seen([region], ours), seen([region], free), [BETA])
    assert found.paid is not None
    return {
        "kind": "known",
        "dimension": d,
        "kl": facts(p, BETA).kl,
        "needed": found.needed.nats,
        "needed_error": found.needed.error,
        "paid": found.paid.nats,
        "paid_error": found.paid.error,
        "neighbours": neighbour_kl(ours.numpy(), free.numpy()),
    }


def scenario(name: str) -> list[dict[str, Any]]:
    """One bundled scenario as it is, under each filter; a filter that it does not admit is told."""
    found = compare(load(name), FILTERS)
    least = found.needed
    assert least is not None
    return [
        {
            "kind": "filter",
            "scenario": name,
            "filter": e.filter,
            "refused": e.refused,
            "over": e.over,
            "needed": least.nats,
            "needed_error": least.error,
            "largest": [r.largest for r in e.regions],
            "final": [r.final for r in e.regions],
            "beta": [r.beta for r in e.regions],
            "paid": e.price and e.price.paid,
            "paid_error": e.price and e.price.error,
            "gap_error": e.price and e.price.gap_error,
        }
        for e in found.entries
    ]


def measure() -> list[dict[str, Any]]:
    """Printed as they are found."""
    rows: list[dict[str, Any]] = []
    for found in chain(([known(d)] for d in DIMENSIONS), map(scenario, PLAIN)):
        for row in found:
            print(row, flush=True)
            rows.append(row)
    return rows
