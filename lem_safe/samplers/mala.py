"""The Metropolis-adjusted Langevin algorithm: a Langevin step accepted with the probability that makes ρ_U
exact (E.8).

Under the gate its equilibrium is the KL projection of ρ_U with the hard indicator, exactly, for every step
size, as n → ∞ (G.3). Under a drift filter it is ρ_U itself: the test compensates the filter's change of the
drift, so nothing of the filter's promise remains.

In a metric M, M⁻¹ = LLᵀ, proposals are x − hM⁻¹∇U + √(2h) L ξ, tested in the coordinates L⁻¹x (E.25): long
steps in flat directions, short steps in stiff ones, and the same equilibrium.
"""

from functools import partial
from typing import Annotated, ClassVar

from annotated_types import Gt
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.filters.whole import HERE
from lem_safe.keys import Key
from lem_safe.samplers.adaptation import before_warm_up, tuned_step
from lem_safe.samplers.base import Info, State
from lem_safe.samplers.hooks import begin, filtered_step, observed, root_mean_square
from lem_safe.samplers.metric import MetricName, factor_at, given_factor
from lem_safe.samplers.metropolis import UNKNOWN, Evaluated, as_a_whole, carried, langevin_move
from lem_safe.samplers.parameters import Adapt, DriftHook, EnergyOf, StepHook, WholeCloud


class Mala:
    """Langevin with a Metropolis test: no bias from the step size, one gradient per step."""

    spreads = True
    example: ClassVar[dict[str, object]] = {
        "kind": "mala",
        "samples": 5000,
        "steps": 1000,
        "step_size": 0.1,
        "adapt": {"steps": 500, "target": 0.574},
    }

    def __init__(
        self,
        energy: EnergyOf,
        step_size: Annotated[
            float, Gt(0), Doc("Step size h, in sampler coordinates; with `adapt`, the first guess.")
        ],
        adapt: Adapt = None,
        drift_filter: DriftHook = None,
        step_filter: StepHook = None,
        metric: Annotated[
            MetricName | list[list[float]] | None,
            Doc(
                "M, for directions of very different scale: `hessian` is the Hessian at the mode nearest to "
                "the start, `covariance` the inverse covariance of the starting cloud, or a symmetric "
                "positive definite matrix in sampler coordinates. Then the step size is relative to its "
                "scale, about 0.5 whatever the units. None by default: the identity."
            ),
        ] = None,
        whole: WholeCloud = HERE,
    ):
        if not step_size > 0:
            raise ValueError(f"Mala: step_size must be > 0; got {step_size:g}")
        self.energy, self.step_size, self.drift_filter, self.step_filter = (
            energy,
            float(step_size),
            drift_filter,
            as_a_whole(step_filter),
        )
        self.adapt, self.metric, self.whole = adapt, metric, whole
        self._given = None if metric is None else given_factor("Mala", metric, energy)

    @property
    def particlewise(self) -> bool:
        """True where no cloud chooses a step size, in a warm-up, or a metric, from its start."""
        return self.adapt is None and not isinstance(self.metric, str)

    def init(self, x: Float[Tensor, "n d"]) -> State:
        L = self._given
        if isinstance(self.metric, str):
            L = factor_at(self.energy, self.metric, self.whole.joined(x).rows[0])
        own = UNKNOWN if L is None else Evaluated(factor=L.to(x))
        state = begin(x, self.drift_filter, self.step_filter, own)
        return state if self.adapt is None else before_warm_up(state, self.step_size)

    def step(self, key: Key, state: State) -> tuple[State, Info]:
        if self.adapt is None:
            return self._step(key, state, self.step_size)
        return tuned_step(self._step, self.adapt, self.step_size, key, state, self.whole)

    def _step(self, key: Key, state: State, h: float) -> tuple[State, Info]:
        x, noise = state.x, key.fold("noise").normal(state.x)
        uniforms = key.fold("accept").uniform(x[:, 0])
        moved = langevin_move(
            self.energy,
            x,
            h,
            torch.ones_like(uniforms),
            noise,
            uniforms,
            known=state.own,
            drift_filter=self.drift_filter,
            memory=state.drift_memory,
        )
        before, after = moved.before, moved.after
        y, step_memory, step_info = filtered_step(self.step_filter, key, x, after.x, h, state.step_memory)
        info = Info(
            before.energy.mean,
            moved.drift_info,
            step_info,
            partial(root_mean_square, before.gradient),
            accepted=moved.chance,
            surrogate=observed(self.drift_filter, y, moved.drift_info, step_info),
        )
        own = carried(before, after, y)._replace(factor=state.own.factor)
        return State(y, moved.drift_memory, step_memory, own), info
