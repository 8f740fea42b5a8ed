"""Several constraints audited together: the level of each verdict so that all hold simultaneously with
probability 1 − α (A.4).

Bonferroni gives every constraint the level α/m; its bounds hold simultaneously. Holm orders the p-values and
lets the j-th smallest use α/(m − j + 1) as long as all before it met theirs: it decides at least as much,
with the same guarantee, but only its verdicts hold simultaneously, not bounds. The p-values are exact
binomial ones:

certify   P(Bin(n, β) ≤ k), against ρ(𝒰) ≥ β        violate   P(Bin(n, β) ≥ k), against ρ(𝒰) ≤ β

A constraint is wrongly certified only if ρ(𝒰) > β and wrongly violated only if ρ(𝒰) ≤ β: the two never share
an error.
"""

from collections.abc import Sequence
from typing import Literal

from lem_safe.bounds.binomial import at_least, at_most

Correction = Literal["bonferroni", "holm"]


def p_certify(count: int, n: int, beta: float) -> float:
    """The probability of at most `count` inside if ρ(𝒰) were β; 1 where β = 0, which nothing certifies."""
    return at_most(count, n, beta)


def p_violate(count: int, n: int, beta: float) -> float:
    """The probability of at least `count` inside if ρ(𝒰) were β."""
    return at_least(count, n, beta)


def rejected(p_values: Sequence[float], alpha: float, correction: Correction) -> list[bool]:
    """Which hypotheses are rejected with family-wise error at most alpha.

    >>> rejected([0.02, 0.03, 0.001], 0.05, "bonferroni"), rejected([0.02, 0.03, 0.001], 0.05, "holm")
    ([False, False, True], [True, True, True])
    """
    m = len(p_values)
    if correction == "bonferroni":
        return [p <= alpha / m for p in p_values]
    found = [False] * m
    for j, i in enumerate(sorted(range(m), key=lambda i: p_values[i])):
        if p_values[i] > alpha / (m - j):
            break
        found[i] = True
    return found
