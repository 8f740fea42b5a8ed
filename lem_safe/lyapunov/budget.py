"""The stopping rule `budget`: Langevin dynamics run for the time τ_Lang that KL needs to fall to the
requested value (L.3), given the bias that the step size leaves (L.10).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor
from barriers.specification import Context
from lem_safe.energies.log_sobolev import Constant, holley_stroock
from lem_safe.lyapunov.bias import step_bias, step_size_for
from lem_safe.lyapunov.constants import (
    fisher_information,
    langevin_budget,
    log_sobolev,
    measured_constant,
)
from lem_safe.lyapunov.log import Look
from lem_safe.lyapunov.monitors import some
from lem_safe.lyapunov.stein import stein_discrepancy
from lem_safe.lyapunov.stop import Beginning, Every, Samples, Stop

Reached = Annotated[float, Gt(0), Doc("The KL to reach, in nats.")]
Initial = Annotated[
    float | None,
    Gt(0),
    Doc("KL at the start, in nats; by default it is bounded, from the distribution of the start."),
]
LogSobolev = Annotated[
    float | None,
    Gt(0),
    Doc(
        "The log-Sobolev constant C, in sampler units; by default from a theorem where "
        "one applies, otherwise estimated during the run."
    ),
]
Oscillation = Annotated[
    float | None,
    Ge(0),
    Doc(
        "The energy differs from one with this constant by a function whose largest and "
        "smallest values are at most this many nats apart (Holley-Stroock)."
    ),
]


class Budget(Stop):
    """Stops after the time (1/2C) log(KL_start/ε) that Langevin dynamics need. Running longer is harmless.
    Where C is measured, the time is an estimate, not a bound, and the reported reason says “about”.

    ε is (√kl − √bias)², where the bias of the step size (L.10) can be computed; a step size whose exact bias
    exceeds `kl` is refused. Otherwise ε = `kl`, and the reason says that the bias is not counted.
    """

    kind = "budget"
    cannot_see = (
        "the budget is computed, not observed: it is about the unfiltered chain, and only as good as its "
        "constant, which a measured decay "
        "overstates where particles have missed a mode"
    )
    samplers = ("langevin",)
    example: ClassVar[dict[str, object]] = {"kind": "budget", "kl": 0.01}

    def __init__(
        self,
        beginning: Annotated[Beginning, Context("beginning")],
        kl: Reached,
        initial: Initial = None,
        constant: LogSobolev = None,
        oscillation: Oscillation = None,
        every: Every = 20,
        samples: Samples = 500,
    ):
        if oscillation is not None and constant is None:
            raise ValueError(
                "Budget: oscillation needs constant, that of the energy without the perturbation"
            )
        self.beginning, self.kl, self.initial, self.samples = beginning, kl, initial, samples
        self.bias = step_bias(beginning.energy, beginning.step_size)
        if self.bias is not None and self.bias.exact and self.bias.kl >= kl:
            raise ValueError(
                f"Budget: kl must be above what the step size leaves for good; {beginning.step_size:g} "
                f"leaves {self.bias.kl:.3g} nats, kl is "
                f"{kl:g}; use sampler.step_size {step_size_for(beginning.energy, kl):.2g} or less"
            )
        self.information = math.nan if initial is not None else _information(beginning)
        if constant is None:
            self.constant = log_sobolev(beginning.energy)
        else:
            self.constant = (
                Constant(constant, "given") if oscillation is None else holley_stroock(constant, oscillation)
            )
        self.every = every if self.constant is None else 0

    @classmethod
    def refusal(cls, stop: Mapping[str, Any], sampler: Mapping[str, Any]) -> str | None:
        start = sampler["init"]
        if stop.get("initial") is None and (
            start["kind"] in ("data", "file") or _flat(start.get("std", 1.0))
        ):
            return (
                f"a start of kind '{start['kind']}' without a spread in every column has no density to "
                "compute KL from; give stop.initial, in nats"
            )
        if sampler["samples"] < 2 and (stop.get("initial") is None or stop.get("constant") is None):
            return (
                "one particle has neither a KL at the start nor a decay to measure; "
                "give stop.initial and stop.constant, or take more sampler.samples"
            )
        return super().refusal(stop, sampler)

    def look(self, step: int, x: Float[Tensor, "n d"]) -> Look:
        found = stein_discrepancy(self.beginning.energy, some(x, self.samples))
        return Look(step, found.u, found.error)

    def reason(self, looks: Sequence[Look], taken: int) -> str | None:
        C = self.constant or self._measured(looks)
        if C is None or taken < self._steps(C):
            return None
        if self.start_kl(C) <= self._for_decay():
            return f"KL was {self.kl:g} or less from the start: {self._summary(C)}"
        text = f"{taken:,} steps are{_about(C)} the time that KL needs to fall to {self.kl:g}"
        return f"{text}: {self._summary(C)}"

    def silence(self, looks: Sequence[Look], taken: int) -> str:
        C = self.constant or self._measured(looks)
        if C is None:
            return (
                "no decay of the kernel Stein discrepancy could be measured above its noise; give "
                "stop.constant, or take more stop.samples"
            )
        return f"the run ends after {taken:,} steps, before its budget: {self._summary(C)}"

    def start_kl(self, C: Constant) -> float:
        """KL at the start: as given, or I/(2C) (L.2), a bound where C is one."""
        return C.kl_at_most(self.information) if self.initial is None else self.initial

    def _steps(self, C: Constant) -> int:
        return math.ceil(langevin_budget(self.start_kl(C), self._for_decay(), C) / self.beginning.step_size)

    def _summary(self, C: Constant) -> str:
        measured = _about(C).strip() or "at most"
        origin = "given" if self.initial is not None else f"{measured}, by I/2C"
        return (
            f"budget{_about(C)} {self._steps(C):,} steps; KL at the start {self.start_kl(C):.3g} "
            f"({origin}), {C}; {self._bias_text()}"
        )

    def _for_decay(self) -> float:
        """The part of `kl` left for the decay: all of it where the bias is unknown, or an estimate that
        exceeds `kl`.
        """
        known = 0.0 if self.bias is None or self.bias.kl >= self.kl else self.bias.kl
        return (math.sqrt(self.kl) - math.sqrt(known)) ** 2

    def _bias_text(self) -> str:
        h = self.beginning.step_size
        if self.bias is None:
            return f"not counted: what the step size leaves for good, an unknown KL of order {h:g} squared"
        if self.bias.kl >= self.kl:
            return f"{self.bias}, more than the {self.kl:g} asked for: take a smaller sampler.step_size"
        return f"{self.bias}, which is counted"

    def _measured(self, looks: Sequence[Look]) -> Constant | None:
        step, value, error = np.array(looks, dtype=float).reshape(-1, 3).T
        return measured_constant(step * self.beginning.step_size, value, 4 * error)


def _information(beginning: Beginning) -> float:
    """I of the start (L.1). Raises ValueError where the start has no density, or I is not finite."""
    if beginning.law is None:
        raise ValueError(
            "Budget: the distribution of the start has no density, so its KL cannot be computed; give "
            "`initial`, in nats"
        )
    found = fisher_information(beginning.energy, beginning.x, beginning.law)
    if not math.isfinite(found):
        raise ValueError(
            f"Budget: the start is too far out to bound its KL by I/2C, I = {found:g}; start nearer, or "
            "give initial, in nats"
        )
    return found


def _about(C: Constant) -> str:
    """The word “about” for a measured C, which gives no bound; otherwise empty."""
    return " about" if C.origin == "measured" else ""


def _flat(std: float | list[float]) -> bool:
    return 0 in (std if isinstance(std, list) else [std])
