"""Faults planted into the mathematics, one at a time: the check that is there to find it must fail, and pass without it.

Adding one is one line of TEETH: its name, the fault (what is replaced, by what), the check of `truths` that must bite.
"""

import copy
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import truths
from scipy.special import betaincinv
from torch import Tensor

from barriers import budget as budgets
from barriers import surrogates
from barriers.coordinates import Coordinates
from barriers.filters import BarrierStep, Gate, Penalty, PointwiseFilter, PrimalDual, Project, Reject, base, ensemble, gate
from barriers.functionals import MassBarrier
from barriers.sets import AnyOf, Ball, Box, HalfSpace
from barriers.sets.pull import FirstOrder
from barriers.sets.soft import SoftExtremum
from barriers.surrogates import Exponential, Sigmoid, SoftHinge
from lem_safe import chain, controller
from lem_safe.auditor import anytime, bounds
from lem_safe.energies import GaussianMixture, Tempered
from lem_safe.keys import Key
from lem_safe.report import cost
from lem_safe.samplers import Langevin
from lem_safe.training import losses, whitening

Fault = Callable[[pytest.MonkeyPatch], None]


def planted(owner: Any, name: str, make: Callable[[Any], Any]) -> Fault:
    """`owner.name` becomes make(the honest one)."""
    return lambda patch: patch.setattr(owner, name, make(getattr(owner, name)))


def result(change: Callable[..., Any]) -> Callable[[Any], Any]:
    """What the honest function returns, changed: change(returned, *arguments)."""
    return lambda honest: lambda *arguments, **named: change(honest(*arguments, **named), *arguments)


def with_attribute(**values: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The honest method on a copy of its object, some attributes changed."""

    def make(honest: Callable[..., Any]) -> Callable[..., Any]:
        def faulty(self: Any, *arguments: Any) -> Any:
            other = copy.copy(self)
            for name, change in values.items():
                setattr(other, name, change(getattr(self, name)))
            return honest(other, *arguments)

        return faulty

    return make


def constant(value: Any) -> Callable[[Any], Any]:
    return lambda _: property(lambda self: value)


def kernel(drift: float, noise: Callable[[float], float]) -> Callable[[Any], Any]:
    """A Langevin step whose drift and noise are scaled; noise: of h, in place of √(2h)."""

    def change(after: Any, sampler: Langevin, key: Key, state: Any) -> Any:
        h, u = sampler.step_size, -sampler.energy.value_and_gradient(state.x)[1]
        ξ = (after[0].x - state.x - h * u) / math.sqrt(2 * h)
        return after[0]._replace(x=state.x + drift * h * u + noise(h) * ξ), after[1]

    return result(change)


def saved(self: Coordinates, z: Tensor) -> Tensor:
    return self.offset + z.double() @ self.matrix.T


def freely(honest: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Admission that counts on the room of moves that may yet be refused."""
    return lambda changes, room: honest(changes, room - changes.clamp(max=0).sum(0))


def wrong_sign(self: losses.Denoising, energy: Any, z: Tensor, generator: torch.Generator) -> Tensor:
    ξ = torch.randn(z.shape, generator=generator, dtype=z.dtype)
    return (self.sigma * energy.gradient(z + self.sigma * ξ) + ξ).square().sum(-1).mean()


def without_half(self: losses.Implicit, energy: Any, z: Tensor, generator: torch.Generator) -> Tensor:
    x = z + self.smoothing * torch.randn(z.shape, generator=generator, dtype=z.dtype)
    return (energy.gradient(x).square().sum(-1) - energy.laplacian(x)).mean()


def smoothed_twice(self: losses.Sliced, energy: Any, z: Tensor, generator: torch.Generator) -> Tensor:
    """h², where h is meant."""
    return losses.Implicit(2 * self.smoothing)(energy, z, generator)


def unlimited_by_kappa(honest: Callable[..., None]) -> Callable[..., None]:
    def faulty(self: MassBarrier, sets: Any, chosen: Any, betas: Any) -> None:
        honest(self, sets, chosen, betas)
        self.limits = torch.tensor(list(betas), dtype=torch.float64)

    return faulty


def shifted(run: chain.Finished, *_: Any, **__: Any) -> chain.Finished:
    """Row k is the cloud before step k + 1."""
    rows = np.concatenate([np.zeros((1, 1)), run.trace["fraction"][:-1]])
    return chain.Finished(run.x, {**run.trace, "fraction": rows}, run.resumed_from_step)


def step_ignored(honest: Callable[..., Key]) -> Callable[..., Key]:
    return lambda self, *data: honest(self, *(item for item in data if isinstance(item, str)))


def globally(self: Key, like: Tensor) -> Tensor:
    return torch.randn_like(like)


class Tooth(NamedTuple):
    """A fault, and the check that must find it."""

    name: str
    fault: Fault
    check: Callable[[], None]


TEETH = [
    # surrogates
    Tooth("κ forgotten", planted(Sigmoid, "level", constant(1.0)), truths.majorant),
    Tooth("κ of a soft hinge is not 1", planted(SoftHinge, "level", constant(1.1)), truths.majorant),
    Tooth("the margin on the wrong side", planted(Sigmoid, "value", lambda f: lambda self, s: f(self, s + 2 * self.margin)), truths.sigmoid_centred_at_the_margin),
    Tooth("φ of the wrong sign of s", planted(Exponential, "value", lambda f: lambda self, s: f(self, -s)), truths.majorant),
    Tooth("sigmoid: φ'' without its sign", planted(Sigmoid, "profile", result(lambda p, *_: p._replace(second=p.second.abs()))), truths.profile),
    Tooth("soft hinge: φ'' without k", planted(SoftHinge, "profile", result(lambda p, *_: p._replace(second=p.second / 4))), truths.profile),
    Tooth("exponential: φ'' over w, not w²", planted(Exponential, "profile", result(lambda p, φ, s: p._replace(second=p.second * φ.width))), truths.profile),
    Tooth("Δφ without φ'Δs", planted(surrogates, "chain", result(lambda j, p, s: j._replace(laplacian=j.laplacian - p.first * s.laplacian))), truths.chain_rule),
    Tooth("Δφ with ‖∇s‖ for ‖∇s‖²", planted(surrogates, "chain", result(lambda j, p, s: j._replace(laplacian=p.second * s.gradient.norm(dim=1) + p.first * s.laplacian))), truths.chain_rule),
    Tooth("automatic width without √2", planted(surrogates, "for_drift", lambda f: lambda h: f(h / 2)), truths.width_of_two_noise_steps),
    Tooth("automatic width in h, not √h", planted(surrogates, "for_drift", lambda f: lambda h: f(h * h)), truths.width_of_two_noise_steps),
    # barriers and filters
    Tooth("the limit β, not κβ", planted(MassBarrier, "__init__", unlimited_by_kappa), truths.limit),
    Tooth("Itô term dropped", planted(MassBarrier, "jet", result(lambda j, *_: j._replace(laplacian=0 * j.laplacian))), truths.drift_projection),
    Tooth("Itô term halved, as for dx = u dt + dW", planted(MassBarrier, "jet", result(lambda j, *_: j._replace(laplacian=j.laplacian / 2))), truths.drift_projection),
    Tooth("∇φ of the wrong sign", planted(MassBarrier, "jet", result(lambda j, *_: j._replace(gradient=-j.gradient))), truths.drift_projection),
    Tooth("QP excess of the wrong sign", planted(ensemble, "solve_dual", lambda f: lambda G, r, **named: f(G, -r, **named)), truths.drift_projection),
    Tooth("Gram matrix without the mean", planted(ensemble, "solve_dual", lambda f: lambda G, r, **named: f(60 * G, r, **named)), truths.drift_projection),
    Tooth("Gram matrix without its cross terms", planted(ensemble, "solve_dual", lambda f: lambda G, r, **named: f(torch.diag_embed(G.diagonal(dim1=1, dim2=2)), r, **named)), truths.drift_projection),
    Tooth("step floor 0 for e^{−αh}B", planted(BarrierStep, "apply", with_attribute(rate=lambda α: 1e9)), truths.step_floor),
    Tooth("step floor without e^{−αh}", planted(BarrierStep, "apply", with_attribute(rate=lambda α: 1e-9)), truths.step_floor),
    Tooth("step floor e^{+αh}B", planted(BarrierStep, "apply", with_attribute(rate=lambda α: -α)), truths.step_floor),
    Tooth("step reports the proposal", planted(BarrierStep, "apply", result(lambda r, self, x, y, *_: (*r[:2], r[2]._replace(mean=self.barrier.statistics(y).mean(0))))), truths.step_floor),
    Tooth("step multiplier not over h", planted(BarrierStep, "apply", result(lambda r, self, x, y, h, *_: (*r[:2], r[2]._replace(multipliers=h * r[2].multipliers)))), truths.step_multiplier),
    Tooth("mean of means", planted(base, "local_mean", lambda f: lambda v: torch.stack([f(part) for part in v.split(512)]).mean(0)), truths.step_mean),
    Tooth("gate in index order", planted(Gate, "apply", lambda f: lambda self, x, y, h, u, m: f(self, x, y, h, torch.arange(len(u)) / len(u), m)), truths.gate_uniform),
    Tooth("a refused move frees room", planted(gate, "admit", freely), truths.gate_room),
    Tooth("gate budget rounded up", planted(gate, "budget", lambda f: lambda β, n: math.ceil(β * n)), truths.gate_room),
    Tooth("gate never uses its last place", planted(gate, "budget", lambda f: lambda β, n: f(β, n) - 1), truths.gate_room),
    Tooth("reject lets in", planted(Reject, "apply", result(lambda r, self, x, y, *_: (y, *r[1:]))), truths.refusal),
    Tooth("projection half way", planted(Project, "apply", result(lambda r, self, x, y, *_: ((r[0] + y) / 2, *r[1:]))), truths.refusal),
    Tooth("pointwise barrier with +αs", planted(PointwiseFilter, "apply", with_attribute(rate=lambda α: -α)), truths.pointwise_barrier),
    Tooth("penalty of the wrong sign", planted(Penalty, "apply", with_attribute(weights=lambda w: -w)), truths.weights_on_the_surrogate),
    Tooth("dual ascent downhill", planted(PrimalDual, "apply", with_attribute(dual_rate=lambda η: -η)), truths.weights_on_the_surrogate),
    # sets and coordinates
    Tooth("distance of the wrong sign", planted(Ball, "forward", result(lambda s, *_: -s)), truths.membership),
    Tooth("half-space not over ‖n‖", planted(HalfSpace, "forward", result(lambda s, *_: 5 * s)), truths.distances),
    Tooth("ball: Δs = d/‖x−c‖", planted(Ball, "jet", result(lambda j, *_: j._replace(laplacian=2 * j.laplacian))), truths.distances),
    Tooth("comparison flipped in contains", planted(Ball, "contains", result(lambda inside, *_: ~inside)), truths.membership),
    Tooth("> for ≥ on a half-space's edge", planted(HalfSpace, "contains", lambda f: lambda self, x: x.double() @ self.normal > self.offset), truths.membership),
    Tooth("< for ≤ on a ball's edge", planted(Ball, "contains", lambda f: lambda self, x: (x - self.center).norm(dim=-1) < self.radius), truths.membership),
    Tooth("an open box", planted(Box, "contains", lambda f: lambda self, x: self(x) < 0), truths.membership),
    Tooth("threshold moved by 1e-3", planted(HalfSpace, "contains", lambda f: lambda self, x: x.double() @ self.normal >= self.offset + 1e-3), truths.membership),
    Tooth("max for min in a union", planted(AnyOf, "forward", lambda f: lambda self, x: torch.stack([s(x) for s in self.members()], -1).amax(-1)), truths.membership),
    Tooth("all for any in a union", planted(AnyOf, "contains", lambda f: lambda self, x: torch.stack([s.contains(x) for s in self.members()]).all(0)), truths.membership),
    Tooth("union softened from the unsafe side", planted(SoftExtremum, "forward", result(lambda s, self, x: s + self.width * math.log(2))), truths.soft_union),
    Tooth("soft union: Δs without its spread", planted(SoftExtremum, "jet", result(lambda j, self, x: j._replace(laplacian=0 * j.laplacian))), truths.soft_union),
    Tooth("a level taken for a distance", planted(FirstOrder, "forward", lambda f: lambda self, x: self.original(x)), truths.first_order_distance),
    Tooth("coordinates transposed", planted(Coordinates, "forward", lambda f: lambda self, z: self.offset + z @ self.matrix), truths.coordinates_round_trip),
    Tooth("coordinates inverted by the map itself", planted(Coordinates, "inverse", lambda f: lambda self, x: (x - self.offset) @ self.matrix.T), truths.coordinates_round_trip),
    Tooth("the saved cast skipped", planted(Coordinates, "saved", lambda f: saved), truths.counted_as_saved),
    Tooth("radius in the data's units", planted(Coordinates, "scale", constant(1.0)), truths.balls_under_scaling),
    Tooth("whitening transposed", planted(whitening, "whiten", result(lambda c, *_: Coordinates(c.offset, c.matrix.T))), truths.whitened),
    # energies, samplers, training
    Tooth("mixture weights ignored", planted(GaussianMixture, "__init__", lambda f: lambda self, means, std=None, weights=None: f(self, means, std)), truths.mixture),
    Tooth("ΔU without ‖Σp∇U‖²", planted(GaussianMixture, "laplacian", result(lambda Δ, self, x: Δ - self.value_and_gradient(x)[1].square().sum(1))), truths.mixture),
    Tooth("∇U doubled", planted(GaussianMixture, "value_and_gradient", result(lambda r, *_: (r[0], 2 * r[1]))), truths.mixture),
    Tooth("a penalty that attracts", planted(controller, "compose", lambda f: lambda U, penalties: f(U, [(-w, V) for w, V in penalties])), truths.composition),
    Tooth("V·ε for V/ε", planted(Tempered, "forward", lambda f: lambda self, x: self.energy(x) * self.temperature), truths.composition),
    Tooth("Langevin uphill", planted(Langevin, "step", kernel(-1.0, lambda h: math.sqrt(2 * h))), truths.langevin_step),
    Tooth("noise without √2", planted(Langevin, "step", kernel(1.0, math.sqrt)), truths.langevin_step),
    Tooth("noise in h, not √h", planted(Langevin, "step", kernel(1.0, lambda h: 2 * h)), truths.langevin_step),
    Tooth("drift halved", planted(Langevin, "step", kernel(0.5, lambda h: math.sqrt(2 * h))), truths.unfiltered_run),
    Tooth("key.fold ignores the step", planted(Key, "fold", step_ignored), truths.noise_is_new_at_every_step),
    Tooth("noise from a global generator", planted(Key, "normal", lambda f: globally), truths.noise_is_new_at_every_step),
    Tooth("trace shifted by one step", planted(chain, "follow", result(shifted)), truths.trace_rows),
    Tooth("denoising as the paper prints it", planted(losses.Denoising, "__call__", lambda f: wrong_sign), truths.score_matching),
    Tooth("implicit score matching without ½", planted(losses.Implicit, "__call__", lambda f: without_half), truths.score_matching),
    Tooth("data smoothed by 2h, not h", planted(losses.Sliced, "__call__", lambda f: smoothed_twice), truths.score_matching),
    # the audit
    Tooth("budget with float error", planted(budgets, "budget", lambda f: lambda β, n: int(β * n)), truths.budget_is_the_decimal_rounded_down),
    Tooth("judge's budget rounded up", planted(bounds, "budget", lambda f: lambda β, n: math.ceil(f(β, n) + 0.5)), truths.budget_is_the_decimal_rounded_down),
    Tooth("Clopper–Pearson: k for k + 1", planted(bounds, "upper_bound", lambda f: lambda k, n, c: float(betaincinv(max(k, 1e-9), n - k + 1, c))), truths.clopper_pearson),
    Tooth("two-sided for one-sided", planted(bounds, "upper_bound", lambda f: lambda k, n, c: f(k, n, (1 + c) / 2)), truths.clopper_pearson),
    Tooth("lower bound of k + 1", planted(bounds, "lower_bound", lambda f: lambda k, n, c: f(k + 1, n, c)), truths.clopper_pearson),
    Tooth("evidence not normalised on [0, β)", planted(anytime, "log_evidence_below", result(lambda e, k, n, β: e + math.log(β))), truths.evidence),
    Tooth("the audit's boundary open", planted(HalfSpace, "contains", lambda f: lambda self, x: self(x) < 0), truths.census_on_the_edge),
    Tooth("kl(p‖β) for kl(β‖p)", planted(cost, "least_kl", lambda f: lambda β, p: f(p, β) if p < β else p * math.log(p / max(β, 1e-9))), truths.price),
]  # fmt: skip


@pytest.mark.parametrize("check", sorted({tooth.check for tooth in TEETH}, key=lambda c: c.__name__), ids=lambda c: c.__name__)
def test_the_honest_code_passes(check: Callable[[], None]) -> None:
    check()


@pytest.mark.parametrize("tooth", TEETH, ids=lambda tooth: tooth.name)
def test_a_planted_fault_is_found(tooth: Tooth, monkeypatch: pytest.MonkeyPatch) -> None:
    tooth.fault(monkeypatch)
    with pytest.raises(AssertionError):
        tooth.check()


def test_every_check_bites() -> None:
    """No check of `truths` is without a fault that it finds, and no name is planted twice."""
    checks = {f for f in vars(truths).values() if getattr(f, "__module__", "") == truths.__name__ and not isinstance(f, type)}
    helpers = {truths.cloud, truths.close, truths.close_jets, truths._step_problem, truths._followed}
    assert checks - helpers == {tooth.check for tooth in TEETH}
    assert len({tooth.name for tooth in TEETH}) == len(TEETH) >= 25
