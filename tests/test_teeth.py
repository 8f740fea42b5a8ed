"""Faults planted into the mathematics, one at a time: the check that is there to find it must fail, and pass without it.

Adding one is one line of TEETH: its name, the check of `truths` that must find it, what is replaced, and what from the honest one makes
the faulty one.
"""

import copy
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import betaincinv
from torch import Tensor
from truths import audit, energies, filters, sets
from truths import surrogates as ramps

from barriers import budget as budgets
from barriers import projection, surrogates
from barriers.coordinates import Coordinates
from barriers.filters import BarrierStep, Gate, Penalty, PointwiseFilter, PrimalDual, Project, Reject, base, ensemble, gate
from barriers.functionals import MassBarrier
from barriers.sets import AnyOf, Ball, Box, HalfSpace
from barriers.sets.pull import FirstOrder
from barriers.sets.soft import SoftExtremum
from barriers.surrogates import Exponential, Sigmoid, SoftHinge
from lem_safe import chain, controller
from lem_safe.auditor import anytime, bounds, verdict
from lem_safe.energies import GaussianMixture, Tempered
from lem_safe.keys import Key
from lem_safe.report import cost
from lem_safe.samplers import Langevin
from lem_safe.training import losses, whitening

Tooth = tuple[Callable[[], None], Any, str, Callable[[Any], Any]]
"""The check, the module or class, its attribute, and faulty(honest)."""


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


TEETH: dict[str, Tooth] = {
    # surrogates
    "κ forgotten": (ramps.majorant, Sigmoid, "level", constant(1.0)),
    "κ of a soft hinge is not 1": (ramps.majorant, SoftHinge, "level", constant(1.1)),
    "the margin on the wrong side": (ramps.sigmoid_centred_at_the_margin, Sigmoid, "value",
        lambda f: lambda self, s: f(self, s + 2 * self.margin)),
    "φ of the wrong sign of s": (ramps.majorant, Exponential, "value", lambda f: lambda self, s: f(self, -s)),
    "sigmoid: φ'' without its sign": (ramps.profile, Sigmoid, "profile",
        result(lambda p, *_: p._replace(second=p.second.abs()))),
    "soft hinge: φ'' without k": (ramps.profile, SoftHinge, "profile",
        result(lambda p, *_: p._replace(second=p.second / 4))),
    "exponential: φ'' over w, not w²": (ramps.profile, Exponential, "profile",
        result(lambda p, φ, s: p._replace(second=p.second * φ.width))),
    "Δφ without φ'Δs": (ramps.chain_rule, surrogates, "chain",
        result(lambda j, p, s: j._replace(laplacian=j.laplacian - p.first * s.laplacian))),
    "Δφ with ‖∇s‖ for ‖∇s‖²": (ramps.chain_rule, surrogates, "chain",
        result(lambda j, p, s: j._replace(laplacian=p.second * s.gradient.norm(dim=1) + p.first * s.laplacian))),
    "automatic width without √2": (ramps.width_of_two_noise_steps, surrogates, "for_drift", lambda f: lambda h: f(h / 2)),
    "automatic width in h, not √h": (ramps.width_of_two_noise_steps, surrogates, "for_drift", lambda f: lambda h: f(h * h)),
    # barriers and filters
    "the limit β, not κβ": (filters.limit, MassBarrier, "__init__", unlimited_by_kappa),
    "Itô term dropped": (filters.drift_projection, MassBarrier, "jet",
        result(lambda j, *_: j._replace(laplacian=0 * j.laplacian))),
    "Itô term halved, as for dx = u dt + dW": (filters.drift_projection, MassBarrier, "jet",
        result(lambda j, *_: j._replace(laplacian=j.laplacian / 2))),
    "∇φ of the wrong sign": (filters.drift_projection, MassBarrier, "jet",
        result(lambda j, *_: j._replace(gradient=-j.gradient))),
    "QP excess of the wrong sign": (filters.drift_projection, ensemble, "solve_dual",
        lambda f: lambda G, r, **named: f(G, -r, **named)),
    "Gram matrix without the mean": (filters.drift_projection, ensemble, "solve_dual",
        lambda f: lambda G, r, **named: f(60 * G, r, **named)),
    "Gram matrix without its cross terms": (filters.drift_projection, ensemble, "solve_dual",
        lambda f: lambda G, r, **named: f(torch.diag_embed(G.diagonal(dim1=1, dim2=2)), r, **named)),
    "step floor 0 for e^{−αh}B": (filters.step_floor, BarrierStep, "apply", with_attribute(rate=lambda α: 1e9)),
    "step floor without e^{−αh}": (filters.step_floor, BarrierStep, "apply", with_attribute(rate=lambda α: 1e-9)),
    "step floor e^{+αh}B": (filters.step_floor, BarrierStep, "apply", with_attribute(rate=lambda α: -α)),
    "step reports the proposal": (filters.step_floor, BarrierStep, "apply",
        result(lambda r, self, x, y, *_: (*r[:2], r[2]._replace(mean=self.barrier.statistics(y).mean(0))))),
    "step multiplier not over h": (filters.step_multiplier, BarrierStep, "apply",
        result(lambda r, self, x, y, h, *_: (*r[:2], r[2]._replace(multipliers=h * r[2].multipliers)))),
    "offenders stay where they jumped": (filters.step_returns_offenders, BarrierStep, "apply",
        result(lambda r, self, x, y, *_: (torch.where((r[0] == x).all(1)[:, None], y, r[0]), *r[1:]))),
    "everybody returns at once": (filters.step_returns_offenders, BarrierStep, "apply",
        result(lambda r, self, x, y, *_: (x, *r[1:]))),
    "mean of means": (filters.step_mean, base, "local_mean",
        lambda f: lambda v: torch.stack([f(part) for part in v.split(512)]).mean(0)),
    "gate in index order": (filters.gate_uniform, Gate, "apply",
        lambda f: lambda self, x, y, h, u, m: f(self, x, y, h, torch.arange(len(u)) / len(u), m)),
    "a refused move frees room": (filters.gate_room, gate, "admit", freely),
    "gate budget rounded up": (filters.gate_room, gate, "budget", lambda f: lambda β, n: math.ceil(β * n)),
    "gate never uses its last place": (filters.gate_room, gate, "budget", lambda f: lambda β, n: f(β, n) - 1),
    "reject lets in": (filters.refusal, Reject, "apply", result(lambda r, self, x, y, *_: (y, *r[1:]))),
    "projection half way": (filters.refusal, Project, "apply", result(lambda r, self, x, y, *_: ((r[0] + y) / 2, *r[1:]))),
    "pointwise barrier with +αs": (filters.pointwise_barrier, PointwiseFilter, "apply", with_attribute(rate=lambda α: -α)),
    "penalty of the wrong sign": (filters.weights_on_the_surrogate, Penalty, "apply", with_attribute(weights=lambda w: -w)),
    "dual ascent downhill": (filters.weights_on_the_surrogate, PrimalDual, "apply", with_attribute(dual_rate=lambda η: -η)),
    "thinning by β/p": (filters.thinning, projection, "keep_probabilities",
        result(lambda c, *_: torch.where(c < 1, 0.05 / 0.2, 1.0).double())),
    "multiplier of the projection without its odds": (filters.thinning, projection, "facts",
        result(lambda f, p, β: f._replace(multiplier=math.log(p / β)))),
    # sets and coordinates
    "distance of the wrong sign": (sets.membership, Ball, "forward", result(lambda s, *_: -s)),
    "half-space not over ‖n‖": (sets.distances, HalfSpace, "forward", result(lambda s, *_: 5 * s)),
    "ball: Δs = d/‖x−c‖": (sets.distances, Ball, "jet", result(lambda j, *_: j._replace(laplacian=2 * j.laplacian))),
    "comparison flipped in contains": (sets.membership, Ball, "contains", result(lambda inside, *_: ~inside)),
    "> for ≥ on a half-space's edge": (sets.membership, HalfSpace, "contains",
        lambda f: lambda self, x: x.double() @ self.normal > self.offset),
    "< for ≤ on a ball's edge": (sets.membership, Ball, "contains",
        lambda f: lambda self, x: (x - self.center).norm(dim=-1) < self.radius),
    "an open box": (sets.membership, Box, "contains", lambda f: lambda self, x: self(x) < 0),
    "threshold moved by 1e-3": (sets.membership, HalfSpace, "contains",
        lambda f: lambda self, x: x.double() @ self.normal >= self.offset + 1e-3),
    "max for min in a union": (sets.membership, AnyOf, "forward",
        lambda f: lambda self, x: torch.stack([s(x) for s in self.members()], -1).amax(-1)),
    "all for any in a union": (sets.membership, AnyOf, "contains",
        lambda f: lambda self, x: torch.stack([s.contains(x) for s in self.members()]).all(0)),
    "union softened from the unsafe side": (sets.soft_union, SoftExtremum, "forward",
        result(lambda s, self, x: s + self.width * math.log(2))),
    "soft union: Δs without its spread": (sets.soft_union, SoftExtremum, "jet",
        result(lambda j, self, x: j._replace(laplacian=0 * j.laplacian))),
    "a level taken for a distance": (sets.first_order_distance, FirstOrder, "forward",
        lambda f: lambda self, x: self.original(x)),
    "coordinates transposed": (sets.coordinates_round_trip, Coordinates, "forward",
        lambda f: lambda self, z: self.offset + z @ self.matrix),
    "coordinates inverted by the map itself": (sets.coordinates_round_trip, Coordinates, "inverse",
        lambda f: lambda self, x: (x - self.offset) @ self.matrix.T),
    "the saved cast skipped": (sets.counted_as_saved, Coordinates, "saved", lambda f: saved),
    "radius in the data's units": (sets.balls_under_scaling, Coordinates, "scale", constant(1.0)),
    "whitening transposed": (sets.whitened, whitening, "whiten", result(lambda c, *_: Coordinates(c.offset, c.matrix.T))),
    # energies, samplers, training
    "mixture weights ignored": (energies.mixture, GaussianMixture, "__init__",
        lambda f: lambda self, means, std=None, weights=None: f(self, means, std)),
    "ΔU without ‖Σp∇U‖²": (energies.mixture, GaussianMixture, "laplacian",
        result(lambda Δ, self, x: Δ - self.value_and_gradient(x)[1].square().sum(1))),
    "∇U doubled": (energies.mixture, GaussianMixture, "value_and_gradient", result(lambda r, *_: (r[0], 2 * r[1]))),
    "a penalty that attracts": (energies.composition, controller, "compose",
        lambda f: lambda U, penalties: f(U, [(-w, V) for w, V in penalties])),
    "V·ε for V/ε": (energies.composition, Tempered, "forward", lambda f: lambda self, x: self.energy(x) * self.temperature),
    "Langevin uphill": (energies.langevin_step, Langevin, "step", kernel(-1.0, lambda h: math.sqrt(2 * h))),
    "noise without √2": (energies.langevin_step, Langevin, "step", kernel(1.0, math.sqrt)),
    "noise in h, not √h": (energies.langevin_step, Langevin, "step", kernel(1.0, lambda h: 2 * h)),
    "drift halved": (energies.unfiltered_run, Langevin, "step", kernel(0.5, lambda h: math.sqrt(2 * h))),
    "key.fold ignores the step": (energies.noise_is_new_at_every_step, Key, "fold", step_ignored),
    "noise from a global generator": (energies.noise_is_new_at_every_step, Key, "normal", lambda f: globally),
    "trace shifted by one step": (energies.trace_rows, chain, "follow", result(shifted)),
    "denoising as the paper prints it": (energies.score_matching, losses.Denoising, "__call__", lambda f: wrong_sign),
    "implicit score matching without ½": (energies.score_matching, losses.Implicit, "__call__", lambda f: without_half),
    "data smoothed by 2h, not h": (energies.score_matching, losses.Sliced, "__call__", lambda f: smoothed_twice),
    # the audit
    "budget with float error": (audit.budget_is_the_decimal_rounded_down, budgets, "budget", lambda f: lambda β, n: int(β * n)),
    "judge's budget rounded up": (audit.budget_is_the_decimal_rounded_down, bounds, "budget",
        lambda f: lambda β, n: math.ceil(f(β, n) + 0.5)),
    "Clopper–Pearson: k for k + 1": (audit.clopper_pearson, bounds, "upper_bound",
        lambda f: lambda k, n, c: float(betaincinv(max(k, 1e-9), n - k + 1, c))),
    "two-sided for one-sided": (audit.clopper_pearson, bounds, "upper_bound", lambda f: lambda k, n, c: f(k, n, (1 + c) / 2)),
    "lower bound of k + 1": (audit.clopper_pearson, bounds, "lower_bound", lambda f: lambda k, n, c: f(k + 1, n, c)),
    "evidence not normalised on [0, β)": (audit.evidence, anytime, "log_evidence_below",
        result(lambda e, k, n, β: e + math.log(β))),
    "several verdicts, each at the whole level": (audit.verdicts_hold_together, verdict, "rejected",
        lambda f: lambda p, α, correction: [q <= α for q in p]),
    "coupled particles taken for independent": (audit.verdicts_hold_together, verdict, "verdicts",
        lambda f: lambda *arguments: f(*arguments[:-1], False)),
    "P(K < k) for P(K ≤ k)": (audit.verdicts_hold_together, verdict, "p_certify", lambda f: lambda k, n, β: f(max(k - 1, 0), n, β)),
    "the audit's boundary open": (audit.census_on_the_edge, HalfSpace, "contains", lambda f: lambda self, x: self(x) < 0),
    "kl(p‖β) for kl(β‖p)": (audit.price, cost, "least_kl",
        lambda f: lambda β, p: f(p, β) if p < β else p * math.log(p / max(β, 1e-9))),
}  # fmt: skip


CHECKS = {check.__name__: check for check, *_ in TEETH.values()}


@pytest.mark.parametrize("name", CHECKS)
def test_the_honest_code_passes(name: str) -> None:
    CHECKS[name]()


@pytest.mark.parametrize("name", TEETH)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check, owner, attribute, make = TEETH[name]
    monkeypatch.setattr(owner, attribute, make(getattr(owner, attribute)))
    with pytest.raises(AssertionError):
        check()


def test_every_check_has_a_fault_that_it_finds() -> None:
    modules: list[ModuleType] = [ramps, filters, sets, energies, audit]
    own = {
        name
        for m in modules
        for name, f in vars(m).items()
        if callable(f) and f.__module__ == m.__name__ and not name.startswith("_")
    }
    assert own - {"Parabola"} == set(CHECKS)
    assert len(TEETH) >= 25
