"""What a filter promises inside a loop whose moves it knows nothing of, in words."""

KINDS = ("gate", "step", "tilt", "reject")
"""The filters that act on moves alone, and so in any loop."""

_ANY = (
    "It asks nothing of the moves: they may come from any kernel, one that changes at every call (a "
    "schedule, a diffusion's reverse step, a network in training) included"
)
_ONE_KERNEL = (
    "That the distribution in equilibrium is the KL projection of the kernel's own is not part of this: it "
    "needs one kernel that is reversible for one distribution, at every call"
)

PROMISES = {
    "gate": "From a start within the budgets, no call returns more than ⌊βn⌋ of the n particles inside a "
    f"region, for these particles, by induction over the calls (G.2). {_ANY}. {_ONE_KERNEL} (G.3).",
    "reject": "No particle that is outside a region ever enters it, whatever beta is, by induction over the "
    f"calls (G.2 with a budget of 0). {_ANY}. The distribution changes more than the tolerance asks for.",
    "step": "From a start within the budgets, no call returns more than ⌊βn⌋ of the n particles inside a "
    f"region, for these particles, by induction over the calls (D.4). {_ANY}. Particles that may not enter "
    f"are mirrored at the boundary, which leaves a distribution near it as it is for small symmetric moves "
    f"only. {_ONE_KERNEL} (D.5).",
    "smooth": "From a start with E φ <= κβ, every call returns particles with E φ <= κβ, and so at most the "
    f"fraction beta of them inside, by induction over the calls (D.3). {_ANY}. {_ONE_KERNEL}.",
    "tilt": "Each particle is filtered for itself, so particles that were independent stay so; no count is "
    "bounded. For one kernel that is reversible for one distribution, the particles settle in the KL "
    "projection that the multipliers belong to (G.5). For a kernel that changes from call to call nothing "
    "is promised of the fraction inside: use the gate.",
}
"""By kind; `smooth` is the filter `step` with a smoothing."""


def promise_of(kind: str, smooth: bool) -> str:
    """The promise of a filter of this kind."""
    return PROMISES["smooth" if kind == "step" and smooth else kind]
