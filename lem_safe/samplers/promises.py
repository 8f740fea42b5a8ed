"""What remains of a filter's promise under a sampler (barriers.filters.PROMISES is what it promises under
Langevin).

Filters after the noise act last, on positions, whatever proposed them: their promise remains under every
sampler. A drift filter bounds the mass inside after the noise of x + hu + √(2h)ξ (or, with a smoothing,
E[∇φ·u + Δφ], the rate of E φ along dx = u dt + √2 dW); elsewhere the noise is another one, and either the
sampler says so to the filter (F.3) or the promise is lost. Each row below is tested in
tests/laws/test_samplers.py or tests/samplers/test_promises.py.
"""

from barriers.filters import PROMISES
from barriers.filters.base import Promise

_TESTED = (
    "E.8: the Metropolis test undoes the filter's change: the distribution is ρ_U whatever the filter "
    "does to the drift"
)
_COUPLED = _TESTED + ", except that its multiplier differs slightly between a cloud and its proposals"
_STAYS = (
    "; a mirrored move has not passed the Metropolis test, so a particle that may not enter stays where it "
    "was, as under the gate, and the distribution is the gate's (G.3; with a smoothing the corrections are "
    "not tested, and the distribution has their bias)"
)

REMAINS: dict[tuple[str, str], Promise] = {
    ("flow", "drift"): Promise(
        "in expectation",
        "F.3 with T = 0: without noise dB_φ/dt ≥ −αB_φ holds for the cloud itself, as h → 0; Euler's step "
        "misses it by order h²",
    ),
    ("flow", "pointwise"): Promise(
        "in expectation", "F.2: without noise it is a true barrier: each particle keeps s ≥ 0, as h → 0"
    ),
    **{(sampler, "drift"): Promise("none", _COUPLED) for sampler in ("mala", "parallel_tempering")},
    **{
        (sampler, f): Promise("none", _TESTED)
        for sampler in ("mala", "parallel_tempering")
        for f in ("pointwise", "penalty", "primal_dual")
    },
    ("mala", "gate"): Promise(
        "every step, this cloud",
        PROMISES["gate"].because
        + "; and the distribution is the hard KL projection for every h, as n → ∞, for one set "
        "or sets that do not overlap (G.3)",
    ),
    ("parallel_tempering", "gate"): Promise(
        "every step, this cloud",
        PROMISES["gate"].because
        + "; and, as swaps are gated like moves, the distribution is the hard KL projection, as n → ∞, for "
        "one set or sets that do not overlap (G.3)",
    ),
    **{
        (sampler, "step"): Promise("every step, this cloud", PROMISES["step"].because + _STAYS)
        for sampler in ("mala", "parallel_tempering")
    },
    ("underdamped", "drift"): Promise(
        "none",
        "E.7: positions move with their velocity, not with the filtered force, so E φ overshoots on the "
        "way; at rest the distribution is F.1's",
    ),
    ("preconditioned", "drift"): Promise(
        "in expectation",
        "F.3: the noise that is predicted is √(2h)L, M⁻¹ = LLᵀ, so the expected fraction inside after each "
        "step is at most β (exact for "
        "half-spaces), and the change of the drift is the smallest as M measures it",
    ),
    ("preconditioned", "step"): Promise(
        "every step, this cloud",
        PROMISES["step"].because
        + "; it mirrors without regard to the metric, so the distribution is not the KL projection",
    ),
    ("annealed", "drift"): Promise(
        "in expectation",
        "F.3: the noise that is predicted is √(2hT_k), so at every temperature the expected fraction "
        "inside after each step is at most β "
        "(exact for half-spaces and boxes)",
    ),
}
"""(sampler, filter) -> what remains, where it is not what the filter says of itself."""


def promise_under(sampler: str, chosen: str) -> Promise:
    """What the filter of kind `chosen` promises under the sampler of kind `sampler`; nothing for a drift
    filter under an unknown sampler.
    """
    own = PROMISES[chosen]
    if (sampler, chosen) in REMAINS:
        return REMAINS[sampler, chosen]
    if own.scope == "in expectation" and sampler != "langevin":
        return Promise("none", f"nothing is known about the noise of the sampler {sampler}")
    return own
