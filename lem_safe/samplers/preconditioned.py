"""Langevin dynamics in a constant metric M: x' = x − hM⁻¹∇U(x) + √(2h) L ξ, M⁻¹ = LLᵀ (E.10).

Its equilibrium is ρ_U as h → 0, for any M; M determines the rate of convergence, that at which the flow
contracts in the metric (E.11). On a quadratic with stiffness K the discrete chain has variance 1/(λ(1 −
hλ/2)) along every eigenvector of LᵀKL; with M = K that is K⁻¹/(1 − h/2), however ill-conditioned K is.

A drift filter works in the metric too: it bounds E[∇φ·u + tr(M⁻¹∇²φ)], and its change of the drift is the
smallest in the norm of M (F.3).
"""

import math
from typing import Annotated, ClassVar, NamedTuple

from annotated_types import Gt
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor
from barriers.filters.whole import HERE
from lem_safe.energies.unrolled import refuse_half_a_graph
from lem_safe.keys import Key
from lem_safe.samplers.base import Info, State
from lem_safe.samplers.blocks import gradient, times
from lem_safe.samplers.heat import stretched
from lem_safe.samplers.hooks import begin, filtered_drift, filtered_step, observed, told
from lem_safe.samplers.metric import Contraction, MetricName, contraction, factor_at, given_factor
from lem_safe.samplers.parameters import DriftHook, EnergyOf, StepHook, WholeCloud


class Metric(NamedTuple):
    """The factor L of M⁻¹ = LLᵀ."""

    factor: Float[Tensor, "d d"]


class Preconditioned:
    """Langevin dynamics in a constant metric: long steps in flat directions, short steps in stiff ones."""

    spreads = True
    example: ClassVar[dict[str, object]] = {
        "kind": "preconditioned",
        "samples": 5000,
        "steps": 500,
        "step_size": 0.1,
        "metric": "hessian",
    }

    def __init__(
        self,
        energy: EnergyOf,
        step_size: Annotated[
            float, Gt(0), Doc("Step size h, relative to the scale of M, so about 0.1 whatever the units.")
        ],
        metric: Annotated[
            MetricName | list[list[float]],
            Doc(
                "M: `covariance` is the inverse covariance of the starting cloud (with init: {kind: data}, "
                "the data's), `hessian` the "
                "Hessian at the mode nearest to it, or a symmetric positive definite matrix in sampler "
                "coordinates."
            ),
        ] = "covariance",
        drift_filter: DriftHook = None,
        step_filter: StepHook = None,
        whole: WholeCloud = HERE,
    ):
        if not step_size > 0:
            raise ValueError(f"Preconditioned: step_size must be > 0; got {step_size:g}")
        self.energy, self.step_size, self.drift_filter, self.step_filter = (
            energy,
            float(step_size),
            drift_filter,
            step_filter,
        )
        self.metric, self._given = metric, given_factor("Preconditioned", metric, energy)
        self.whole = whole

    @property
    def particlewise(self) -> bool:
        """True in a metric that is given; otherwise each cloud finds its own."""
        return self._given is not None

    def init(self, x: Float[Tensor, "n d"]) -> State:
        return begin(x, self.drift_filter, self.step_filter, Metric(self._factor(x).to(x)))

    def contraction(self, state: State) -> Contraction:
        """How fast the flow contracts in this run's metric, at the particles of a state (E.11)."""
        return contraction(self.energy, state.own.factor, state.x)

    def step(self, key: Key, state: State) -> tuple[State, Info]:
        x, h, L = state.x, self.step_size, state.own.factor
        refuse_half_a_graph(self.energy, x)
        g = gradient(self.energy, x)
        v, drift_memory, drift_info = filtered_drift(
            stretched(self.drift_filter, L), x, times(-g, L), state.drift_memory
        )
        y = x + times(h * v + math.sqrt(2 * h) * key.fold("noise").normal(x), L.T)
        y, step_memory, step_info = filtered_step(self.step_filter, key, x, y, h, state.step_memory)
        after = State(y, drift_memory, step_memory, state.own)
        surrogate = observed(self.drift_filter, y, drift_info, step_info)
        return after, told(self.energy, x, g, drift_info, step_info, surrogate)

    def _factor(self, x: Tensor) -> Tensor:
        if self._given is not None:
            return self._given
        return factor_at(self.energy, self.metric, self.whole.joined(x).rows[0])
