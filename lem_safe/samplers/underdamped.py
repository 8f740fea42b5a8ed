"""Underdamped Langevin dynamics, dx = v dt, dv = u dt − γv dt + √(2γ) dW, by BAOAB with one gradient per step
(E.7).

    p = v + hu(x),    v' = cp + √(1 − c²) ξ,  c = e^{−γh},    x' = x + ½h(p + v').

The half kick at the end of one BAOAB step and the half kick at the beginning of the next are combined, so the
positions are BAOAB's own (Leimkuhler & Matthews 2013) and the stored velocity lacks half a kick. On a
quadratic of stiffness λ the discrete chain has, exactly,

    var x = 1/λ,    var v = 1,    cov(x, v) = h/2,        stable for h²λ < 4.

Where a step filter changes a position, the momentum is changed too; otherwise it would push against the
filter forever. A particle that was returned to its previous place leaves it again with −p, which retraces its
step and keeps balance with the accepted moves; one that was mirrored at a boundary has its velocity mirrored
too; one that was moved by δ in another way gets an additional velocity δ/h, as from a force: a correction
−μ∇φ of every step is then the force −(μ/h²)∇φ, and the multiplier is reported in those units.
"""

import math
from typing import Annotated, ClassVar, NamedTuple

from annotated_types import Gt
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.filters import MirrorStep, StepChain, StepOverClouds
from barriers.filters.base import FilterInfo, StepFilter
from lem_safe.energies.unrolled import refuse_half_a_graph
from lem_safe.keys import Key
from lem_safe.samplers.base import Info, State
from lem_safe.samplers.blocks import gradient
from lem_safe.samplers.heat import smooth_form
from lem_safe.samplers.hooks import begin, filtered_drift, filtered_step, observed, told
from lem_safe.samplers.parameters import DriftHook, EnergyOf, StepHook


class Momentum(NamedTuple):
    """The velocity of every particle, half a kick before that of BAOAB; 0 at the start of a run."""

    velocity: Float[Tensor, "n d"]


class Underdamped:
    """Langevin dynamics with inertia (BAOAB). Positions are exact on a Gaussian; a step of h moves as far as
    an overdamped step of h²/2, but keeps its direction.
    """

    particlewise = True
    example: ClassVar[dict[str, object]] = {
        "kind": "underdamped",
        "samples": 5000,
        "steps": 2000,
        "step_size": 0.05,
        "friction": 1.0,
    }

    def __init__(
        self,
        energy: EnergyOf,
        step_size: Annotated[
            float,
            Gt(0),
            Doc("Time step h, in sampler coordinates; compare it with √(2h) of the overdamped samplers."),
        ],
        friction: Annotated[
            float, Gt(0), Doc("γ: how fast a velocity is forgotten, per unit of time.")
        ] = 1.0,
        drift_filter: DriftHook = None,
        step_filter: StepHook = None,
    ):
        if not step_size > 0:
            raise ValueError(f"Underdamped: step_size must be > 0; got {step_size:g}")
        if not 0 < friction < math.inf:
            raise ValueError(f"Underdamped: friction must be > 0; got {friction:g}")
        self.energy, self.step_size, self.step_filter = energy, float(step_size), step_filter
        self.drift_filter = smooth_form(drift_filter)
        self._rebound = mirrored if _mirrors(step_filter) else rebound
        self.friction = float(friction)

    def init(self, x: Float[Tensor, "n d"]) -> State:
        return begin(x, self.drift_filter, self.step_filter, Momentum(torch.zeros_like(x)))

    def step(self, key: Key, state: State) -> tuple[State, Info]:
        x, h, c = state.x, self.step_size, math.exp(-self.friction * self.step_size)
        refuse_half_a_graph(self.energy, x)
        g = gradient(self.energy, x)
        u, drift_memory, drift_info = filtered_drift(self.drift_filter, x, -g, state.drift_memory)
        p = state.own.velocity + h * u
        v = c * p + math.sqrt(1 - c * c) * key.fold("noise").normal(x)
        y = x + 0.5 * h * (p + v)
        z, step_memory, step_info = filtered_step(self.step_filter, key, x, y, h, state.step_memory)
        after = State(z, drift_memory, step_memory, Momentum(self._rebound(x, y, z, p, v, h)))
        surrogate = observed(self.drift_filter, z, drift_info, step_info)
        as_a_force = _as_a_force(step_info, self.step_filter, h)
        return after, told(self.energy, x, g, drift_info, as_a_force, surrogate)


def rebound(
    x: Float[Tensor, "n d"],
    y: Float[Tensor, "n d"],
    z: Float[Tensor, "n d"],
    p: Float[Tensor, "n d"],
    v: Float[Tensor, "n d"],
    h: float,
) -> Float[Tensor, "n d"]:
    """The velocity after a step from x, proposed to y and filtered to z: v where unchanged, −p where z = x,
    else v + (z − y)/h.
    """
    returned = (z == x).all(1, keepdim=True) & (z != y).any(1, keepdim=True)
    return torch.where(returned, -p, v + (z - y) / h)


def mirrored(
    x: Float[Tensor, "n d"],
    y: Float[Tensor, "n d"],
    z: Float[Tensor, "n d"],
    p: Float[Tensor, "n d"],
    v: Float[Tensor, "n d"],
    h: float,
) -> Float[Tensor, "n d"]:
    """As `rebound`, but for a particle mirrored from y to z the velocity is v − 2(v·n)n, n along z − y, if
    its step went the other way.
    """
    n = torch.nn.functional.normalize(z - y, dim=1)
    back = ((y - x) * n).sum(1, keepdim=True) < 0
    turned = torch.where(back, v - 2 * (v * n).sum(1, keepdim=True) * n, v)
    return torch.where((z == x).all(1, keepdim=True) & (z != y).any(1, keepdim=True), -p, turned)


def _mirrors(step_filter: StepFilter | None) -> bool:
    """Whether corrections are mirror images."""
    if isinstance(step_filter, StepOverClouds):
        return _mirrors(step_filter.inner)
    members = step_filter.filters if isinstance(step_filter, StepChain) else (step_filter,)
    return any(isinstance(f, MirrorStep) for f in members)


def _as_a_force(info: FilterInfo | None, step_filter: StepFilter | None, h: float) -> FilterInfo | None:
    """The info with multipliers of a surrogate as forces, divided by h² instead of h; those of a count are
    logarithms.
    """
    if info is None or step_filter is None or _mirrors(step_filter):
        return info
    corrects = step_filter.limits.isfinite().to(info.multipliers.device)
    return info._replace(multipliers=torch.where(corrects, info.multipliers / h, info.multipliers))
