"""Each filter's promise under each sampler, where it differs from the filter's own.

Filters after the noise act last, on positions, whatever the proposals are: their promise holds under every
sampler. A drift filter bounds the mass inside after the noise of x + hu + √(2h)ξ (or, with a smoothing,
E[∇φ·u + Δφ], the rate of E φ along dx = u dt + √2 dW); for other noise, either the sampler gives it to the
filter (F.3) or the promise is lost. Each table below is tested in tests/laws/test_samplers.py or
tests/samplers/test_promises.py, and is the field `leaves` of its sampler's entry.
"""

from collections.abc import Mapping

from barriers.filters import Gate, MirrorStep, Promise, Tilt

Leaves = Mapping[str, Promise]
"""Promises by the kind of the filter."""

_TESTED = (
    "E.8: the Metropolis test undoes the filter's change: the distribution is ρ_U whatever the filter "
    "does to the drift"
)
_TILT = Tilt.promise.because.split("; with moves")[0]
_COUPLED = _TESTED + ", except that its multiplier differs slightly between a cloud and its proposals"
_STAYS = (
    "; a mirrored move has not passed the Metropolis test, so a particle that may not enter stays where it "
    "was, as under the gate, and the distribution is the gate's (G.3; with a smoothing the corrections are "
    "not tested, and the distribution has their bias)"
)

_UNTESTED = Promise(
    "none",
    "G.5 needs moves whose refusal leaves the rest as it was; here a refused move leaves its velocity, or "
    "there is no noise to try another one",
)

FLOW: Leaves = {
    "tilt": _UNTESTED,
    "drift": Promise(
        "in expectation",
        "F.3 with T = 0: without noise dB_φ/dt ≥ −αB_φ holds for the cloud itself, as h → 0; Euler's step "
        "misses it by order h²",
    ),
    "pointwise": Promise(
        "in expectation", "F.2: without noise it is a true barrier: each particle keeps s ≥ 0, as h → 0"
    ),
}


_EXACT = "; here the moves are tested, so the distribution is exact for every step size"


def _metropolis(gate: str) -> Leaves:
    """The promises under a Metropolis test; `gate`: the text on the gate."""
    return {
        "drift": Promise("none", _COUPLED),
        **{kind: Promise("none", _TESTED) for kind in ("pointwise", "penalty", "primal_dual")},
        "gate": Promise("every step, this cloud", Gate.promise.because + gate),
        "tilt": Promise("in equilibrium", _TILT + _EXACT),
        "step": Promise("every step, this cloud", MirrorStep.promise.because + _STAYS),
    }


MALA = _metropolis(
    "; and the distribution is the hard KL projection for every h, as n → ∞, for one set or "
    "sets that do not overlap (G.3)"
)
PARALLEL_TEMPERING = _metropolis(
    "; and, as swaps are gated like moves, the distribution is the hard KL projection, as n "
    "→ ∞, for one set or sets that do not overlap (G.3)"
)
MIXED = _metropolis(
    "; and, as fresh draws are gated like Langevin steps, the distribution is the hard KL projection, as n → "
    "∞, for one set or sets that do not overlap (G.3)"
)
BIRTH_DEATH: Leaves = {
    **_metropolis(
        "; and, as births are gated like moves, the distribution is the hard KL projection, as n → ∞, for "
        "one set or sets that do not overlap (G.3)"
    ),
    "tilt": Promise(
        "in equilibrium",
        "G.5: with the multipliers of the dual the distribution that the moves settle in is the KL "
        "projection, for overlapping sets too, exact for every step size and number of particles; but births "
        "make the particles of a cloud dependent until it has settled (E.13), so a bound counts clouds",
    ),
}
UNDERDAMPED: Leaves = {
    "tilt": _UNTESTED,
    "drift": Promise(
        "none",
        "E.7: positions move with their velocity, not with the filtered force, so E φ overshoots on the "
        "way; at rest the distribution is F.1's",
    ),
}
PRECONDITIONED: Leaves = {
    "drift": Promise(
        "in expectation",
        "F.3: the noise that is predicted is √(2h)L, M⁻¹ = LLᵀ, so the expected fraction inside after each "
        "step is at most β (exact for half-spaces), and the change of the drift is the smallest as M "
        "measures it",
    ),
    "step": Promise(
        "every step, this cloud",
        MirrorStep.promise.because
        + "; it mirrors without regard to the metric, so the distribution is not the KL "
        "projection",
    ),
}
ANNEALED: Leaves = {
    "drift": Promise(
        "in expectation",
        "F.3: the noise that is predicted is √(2hT_k), so at every temperature the expected fraction "
        "inside after each step is at most β (exact for half-spaces and boxes)",
    )
}
