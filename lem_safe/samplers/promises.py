"""What remains of a filter's promise under a sampler (barriers.filters.PROMISES is what it promises under Langevin).

Filters after the noise act last, on positions, whatever proposed them: their promise remains under every sampler. A drift filter bounds
E[∇φ·u + Δφ], the rate of E φ along dx = u dt + √2 dW; elsewhere the rate is another one, and either the sampler says so to the filter (F.3)
or the promise is lost. Each row below is tested in tests/laws/test_samplers.py or tests/test_samplers_filters.py.
"""

from barriers.filters import PROMISES
from barriers.filters.base import Promise

_TESTED = "E.8: the Metropolis test takes the filter's lean back: the law is ρ_U whatever the filter does to the drift"
_COUPLED = _TESTED + ", up to how its multiplier differs between a cloud and its proposals"

REMAINS: dict[tuple[str, str], Promise] = {
    ("flow", "drift"): Promise(
        "in expectation",
        "F.3 with T = 0: without noise dB/dt ≥ −αB holds for the cloud itself, as h → 0; Euler's step misses it by order h²",
    ),
    ("flow", "pointwise"): Promise("in expectation", "F.2: without noise it is a barrier: each particle keeps s ≥ 0, as h → 0"),
    **{(sampler, "drift"): Promise("none", _COUPLED) for sampler in ("mala", "parallel_tempering")},
    **{
        (sampler, f): Promise("none", _TESTED)
        for sampler in ("mala", "parallel_tempering")
        for f in ("pointwise", "penalty", "primal_dual")
    },
    ("mala", "gate"): Promise(
        "every step, this cloud", PROMISES["gate"].because + "; and its law is the hard KL projection for every h, as n → ∞ (G.3)"
    ),
    ("parallel_tempering", "gate"): Promise(
        "every step, this cloud",
        PROMISES["gate"].because + "; and, as swaps are gated like moves, its law is the hard KL projection, as n → ∞ (G.3)",
    ),
    ("underdamped", "drift"): Promise(
        "none",
        "E.7: positions move with their velocity, not with the filtered force, so E φ overshoots on the way; at rest the law is F.1's",
    ),
    ("preconditioned", "drift"): Promise(
        "in expectation", "F.3: the condition is E[∇φ·u + tr(M⁻¹∇²φ)], and KL non-increasing in the metric M, as n → ∞, h → 0"
    ),
    ("preconditioned", "step"): Promise(
        "every step, this cloud",
        PROMISES["step"].because + "; its correction knows no metric, so its law is not the tilt e^{−U−μφ}",
    ),
    ("annealed", "drift"): Promise(
        "in expectation", "F.3: the condition is E[∇φ·u + T_kΔφ], at every temperature, as n → ∞, h → 0"
    ),
}  # fmt: skip
"""(sampler, filter) -> what remains, where it is not what the filter says of itself."""


def promise_under(sampler: str, chosen: str) -> Promise:
    """What the filter of kind `chosen` promises under the sampler of kind `sampler`; nothing for a drift filter under an unknown sampler."""
    own = PROMISES[chosen]
    if (sampler, chosen) in REMAINS:
        return REMAINS[sampler, chosen]
    if own.scope == "in expectation" and sampler != "langevin":
        return Promise("none", f"nothing is known of the noise of the sampler {sampler}")
    return own
