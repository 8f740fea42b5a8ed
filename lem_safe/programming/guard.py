"""`lem_safe.guard`: a filter inside a loop of the user's own.

>>> import torch, lem_safe
>>> guard = lem_safe.guard({"wall": lambda x: 2 - x[:, 0]}, beta=0.1)
>>> x = torch.zeros(50, 2)
>>> for k in range(100):
...     x = guard(x, x + 0.5 * torch.randn(50, 2, generator=torch.Generator().manual_seed(k)))
>>> guard.counts["wall"] <= 5, guard.report(x).passed
(True, True)
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, SupportsFloat, TypeVar

import numpy as np

from barriers.arrays import Tensor, torch
from barriers.derivatives import NotDifferentiable, transforming
from barriers.filters.base import StepFilter, insides
from barriers.patterns import Cloud, multipliers, unfiltered_masses
from barriers.specification import SpecificationError
from lem_safe.auditing import audited
from lem_safe.auditor import AuditReport
from lem_safe.auditor.guarantee import Enforced
from lem_safe.errors import BadInput, Fault
from lem_safe.keys import Key
from lem_safe.programming.asked import Asked
from lem_safe.programming.moves import Moves, moves_of, must_be_finite
from lem_safe.programming.promises import KINDS, promise_of
from lem_safe.programming.recorded import Recorded
from lem_safe.registry import make

WHO = "lem_safe.guard"
Array = TypeVar("Array")
"""What comes in goes out: tensors of torch, arrays of numpy."""


def guard(
    unsafe: Mapping[str, Any],
    *,
    beta: SupportsFloat | Mapping[str, SupportsFloat],
    kind: str = "gate",
    seed: int = 0,
    step_size: float | None = None,
    multipliers: Sequence[float] | None = None,
    columns: Sequence[str] | None = None,
    **options: Any,
) -> "Guard":
    """A filter for a loop: `x = guard(x, proposal)` returns what of the proposed moves is taken.

    unsafe, beta: as for `lem_safe.sample`. kind: gate and reject need membership alone; step mirrors at the
    boundary and needs its gradient; tilt filters each particle for itself. seed: of the guard's own random
    numbers: the same seed and the same calls give the same result, as a run with this seed has. step_size: h
    of moves x + h u + √(2h) ξ, for `step`, whose allowance grows with it and whose corrections are of its
    length. multipliers: of `tilt`, in nats, one per constraint; or see `Guard.learn`. options: those of the
    kind in a file, such as rate or smoothing. Raises BadInput.
    """
    if kind not in KINDS:
        raise BadInput(
            Fault(
                f"must be one of {', '.join(KINDS)}; got {kind!r}; other filters change the drift before the "
                "noise, or need the energy: use them through lem_safe.sample",
                WHO,
                key="kind",
            )
        )
    if kind == "step" and step_size is None:
        raise BadInput(
            Fault(
                "is missing: step needs h, where a move is x + h u + √(2h) ξ (half the variance that a move "
                "adds to a coordinate): the allowance grows by it and corrections are of its length",
                WHO,
                key="step_size",
            )
        )
    if step_size is not None and not 0 < step_size < float("inf"):
        raise BadInput(Fault(f"must be a number > 0; got {step_size!r}", WHO, key="step_size"))
    spec = {"kind": kind, **options}
    if multipliers is not None:
        spec["multipliers"] = [float(μ) for μ in multipliers]
    return Guard(Asked.of(unsafe, beta, WHO, columns), spec, int(seed), step_size or 1.0)


class Guard:
    """A filter with its memory, keys and random numbers, called as `x = guard(x, proposal)`.

    Where x is not what the last call returned, membership is read from x again, and the promise begins anew.
    promise: what holds, in words.
    """

    def __init__(self, asked: Asked, spec: Mapping[str, Any], seed: int, step_size: float):
        self.asked, self.spec, self.seed, self.step_size = asked, dict(spec), seed, step_size
        self._memory: Any = None
        self._last: Tensor | None = None
        self._returned: Any = None
        self.promise = promise_of(str(spec["kind"]), spec.get("smoothing") is not None)
        self.reset()

    def __repr__(self) -> str:
        held = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        return f"<guard {self.spec['kind']}: {self._seen.calls:,} calls{', inside: ' + held if held else ''}>"

    def __call__(self, x: Array, proposal: Array) -> Array:
        """The particles after the moves that are taken; x, proposal: [n, d], or [n, ...] read as rows.

        Raises BadInput for what does not fit, NumericalFailure for a proposal that is not finite,
        NotDifferentiable inside a transform of torch.func, and where a graph meets a filter without a
        derivative.
        """
        if any(isinstance(a, Tensor) and transforming(a) for a in (x, proposal)):
            raise NotDifferentiable(
                f"{WHO}: it keeps its state from call to call, which cannot leave a transform of torch.func "
                "(grad, vmap, jvp); take gradients with autograd (x.requires_grad_()), or transform the "
                "filter's own apply, whose memory goes in and out"
            )
        moves = moves_of(x, proposal, WHO)
        graph = moves.proposal.requires_grad or moves.x.requires_grad
        with torch.set_grad_enabled(torch.is_grad_enabled() and graph):
            filter_ = self._ready(moves, x is self._returned)
            key = Key(self.seed).fold("chain").fold(self._seen.calls).fold("filter")
            uniforms = key.uniform(moves.x.detach()[:, 0])
            y, self._memory, info = filter_.apply(
                moves.x, moves.proposal, self.step_size, uniforms, self._memory
            )
        self._last = y.detach().clone()
        inside = getattr(self._memory, "inside", None)
        inside = insides(self._sets, self._last) if inside is None else inside
        self._seen.add(inside.sum(0).tolist(), info.shortfall.double().tolist())
        self._returned = moves.back(y)
        return self._returned

    @property
    def counts(self) -> dict[str, int]:
        """How many particles are inside each constrained region after the last call; empty before the
        first.
        """
        return dict(zip(self.asked.names, self._seen.counts[-1], strict=True)) if self._seen.counts else {}

    @property
    def fractions(self) -> np.ndarray:
        """The fraction inside each constrained region after every call since the beginning, [t, m]."""
        return self._seen.trace(len(self.asked.names))["fraction"]

    def state(self) -> dict[str, Any]:
        """Everything that the next call depends on, for `reset`; it is not changed by later calls."""
        held = {"memory": self._memory, "last": self._last, "returned": self._returned}
        return {**held, "seen": self._seen.copy()}

    def reset(self, state: Mapping[str, Any] | None = None) -> None:
        """Begins again, or goes on from what `state()` returned."""
        found = state or {"memory": None, "last": None, "returned": None, "seen": Recorded()}
        self._memory, self._last, self._returned = found["memory"], found["last"], found["returned"]
        self._seen: Recorded = found["seen"].copy()
        self._filter: StepFilter | None = None

    def learn(self, x: Any, aim: float | Sequence[float] | None = None) -> tuple[float, ...]:
        """The multipliers of `tilt` from an unfiltered cloud x [n, d] of the loop, which are returned and
        used from now on (G.6). aim: the fractions that the tilted distribution is to have, by default beta;
        counts of a cloud scatter around them. Raises BadInput where no multipliers give them.
        """
        if self.spec["kind"] != "tilt":
            raise BadInput(
                Fault(f"the filter {self.spec['kind']} has no multipliers to learn", WHO, key="kind")
            )
        moves = moves_of(x, x, WHO)
        sets = self.asked.sets(moves.x, {"kind": "gate"})
        inside = insides(sets, moves.x)
        aims = self.asked.betas if aim is None else [aim] * len(sets) if isinstance(aim, int | float) else aim
        cloud = Cloud(inside, torch.zeros(len(sets), dtype=torch.float64))
        try:
            found = multipliers(unfiltered_masses([cloud]), list(aims)).tolist()
        except ValueError as error:
            raise BadInput(
                Fault(f"cannot be learned from this cloud: {error}", WHO, key="multipliers")
            ) from error
        self.spec["multipliers"], self._filter = found, None
        return tuple(found)

    def report(self, x: Any, **options: Any) -> AuditReport:
        """The audit of the particles x, with the record of all calls where x is what the last one returned.
        options: those of `lem_safe.audit`.
        """
        rows = moves_of(x, x, WHO).x.detach()
        couples = self.spec["kind"] in ("gate", "step")
        own: dict[str, Any] = {"coupled": couples}
        if self._last is not None and torch.equal(rows, self._last):
            own["trace"] = self._seen.trace(len(self.asked.names))
            if self.spec["kind"] in ("gate", "step"):
                own["enforced"] = Enforced(str(self.spec["kind"]), self.asked.betas)
        return audited(rows, self.asked.scenario(rows.shape[1]), None, **{**own, **options}).report

    def _ready(self, moves: Moves, own: bool) -> Any:
        """The filter, made at the first call, with a memory that belongs to these particles, and has their
        graph. own: whether they are the very tensor that the last call returned.
        """
        if self._filter is None:
            self._filter = self._made(moves.x)
        if self._last is None or not torch.equal(moves.x.detach(), self._last):
            must_be_finite(moves.x, "x", WHO)
            self._memory = self._filter.init(moves.x)
            inside = insides(self._sets, moves.x.detach()).sum(0).tolist()
            self._seen.begin(inside, len(moves.x))
            over = self.asked.over(inside, len(moves.x))
            if over is not None and self.spec["kind"] != "tilt":
                warnings.warn(
                    f"{WHO}: the start is over: {over}; the promise begins once the count is within the "
                    "budget",
                    stacklevel=3,
                )
        elif not own and (moves.x.requires_grad or getattr(self._returned, "requires_grad", False)):
            self._memory = self._filter.init(moves.x)  # the loop has cut the graph, or begun a new one
        return self._filter

    def _made(self, x: Tensor) -> Any:
        if self.spec["kind"] == "tilt" and not isinstance(self.spec.get("multipliers"), list):
            raise BadInput(
                Fault(
                    "are missing: give multipliers= in nats, one per constraint, or learn them from an "
                    "unfiltered cloud of the same loop: guard.learn(x)",
                    WHO,
                    key="multipliers",
                )
            )
        self._sets = self.asked.sets(x, self.spec)
        context = {"sets": self._sets, "betas": self.asked.betas, "step_size": self.step_size}
        try:
            return make("filters", self.spec, context=context)
        except (SpecificationError, ValueError) as error:
            raise BadInput(Fault(str(error), WHO)) from error
