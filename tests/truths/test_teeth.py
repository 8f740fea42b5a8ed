"""Faults planted into the mathematics, one at a time: the check that is there to find it must fail, and pass
without it.

Adding one is one line of TEETH: its name, the check of `truths` that must find it, what is replaced, and what
from the honest one makes the faulty one.
"""

import copy
import dataclasses
import math
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from planted import Tooth, checks, must_be_found, result, written_in
from scipy.special import betaincinv
from scipy.stats import ks_2samp
from sklearn.mixture import GaussianMixture as EM
from torch import Tensor

from barriers import budget as budgets
from barriers import projection, surrogates
from barriers.coordinates import Coordinates
from barriers.filters import (
    BarrierStep,
    Gate,
    Penalty,
    PointwiseFilter,
    PrimalDual,
    Project,
    Reject,
    admission,
    base,
    ensemble,
    gate,
)
from barriers.functionals import MassBarrier
from barriers.sets import (
    AnyOf,
    Anywhere,
    Ball,
    Box,
    HalfSpace,
    ball,
    capsule,
    comparison,
    crossings,
    exact,
    polygon,
    segments,
)
from barriers.sets.pull import FirstOrder
from barriers.sets.soft import SoftExtremum
from barriers.surrogates import Exponential, Sigmoid, SoftHinge
from lem_safe import metropolis
from lem_safe.auditor import census as honest_census
from lem_safe.auditor import crowding, mixing, repeats, standing, sums, verdict
from lem_safe.bounds import anytime, betting, clopper_pearson, evidence
from lem_safe.data import concerns
from lem_safe.energies import (
    Disjunction,
    GaussianMixture,
    MixtureBased,
    Tempered,
    composed,
    mixture_based,
)
from lem_safe.energies.bounded import BoundedTrunk
from lem_safe.energies.fourier import FourierTrunk
from lem_safe.energies.gaussian_sum import GaussianSum
from lem_safe.energies.residual import ResidualTrunk
from lem_safe.energies.trunk import Traced
from lem_safe.energies.weighted import Weighted
from lem_safe.judging import associations, closest, marginals, splits, two_sample
from lem_safe.keys import Key
from lem_safe.laplacian import hutchinson, rules
from lem_safe.normalization import annealed_smc as annealing
from lem_safe.normalization import equilibrium, log_z
from lem_safe.normalization import subset_simulation as subset
from lem_safe.report import histograms, ranges
from lem_safe.runs import chain, feasibility, fidelity
from lem_safe.samplers import (
    Annealed,
    Flow,
    Langevin,
    Preconditioned,
    adaptation,
    heat,
    mala,
    parallel_tempering,
    underdamped,
)
from lem_safe.samplers import metropolis as tested
from lem_safe.training import energy_matching, losses, whitening
from truths import audit, copies, energies, filters, judging, normalisers, sets
from truths import laplacian as curvatures
from truths import samplers as kernels
from truths import surrogates as ramps

pytestmark = pytest.mark.simulation


def as_rounded(x: Tensor, surely: Tensor, possibly: Tensor, exactly: Callable[[Tensor], Any]) -> Tensor:
    """float64's own answer, or near it."""
    return possibly


def side_as_rounded(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    e, o = b - a, x - a
    return e[:, 0] * o[:, 1] - e[:, 1] * o[:, 0]


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


def no_metric_in_the_noise(after: Any, sampler: Preconditioned, key: Key, state: Any) -> Any:
    """x' with ξ where Lξ is meant."""
    h, ξ, L = sampler.step_size, key.fold("noise").normal(state.x), state.own.factor
    return after[0]._replace(x=after[0].x + math.sqrt(2 * h) * (ξ - ξ @ L.T)), after[1]


def quieter(honest: ModuleType) -> SimpleNamespace:
    """A module's math in which every square root lacks a √2."""
    return SimpleNamespace(**{**vars(honest), "sqrt": lambda v: honest.sqrt(v / 2)})


def saved(self: Coordinates, z: Tensor) -> Tensor:
    return self.offset + z.double() @ self.matrix.T


def freely(honest: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Admission that counts on the room of moves that may yet be refused."""
    return lambda changes, room, cloud=None: honest(changes, room - changes.clamp(max=0).sum(0), cloud)


def wrong_sign(self: losses.Denoising, energy: Any, z: Tensor, generator: torch.Generator) -> Tensor:
    ξ = torch.randn(z.shape, generator=generator, dtype=z.dtype)
    return (self.sigma * energy.gradient(z + self.sigma * ξ) + ξ).square().sum(-1).mean()


def without_half(self: losses.Implicit, energy: Any, z: Tensor, generator: torch.Generator) -> Tensor:
    x = z + self.smoothing * torch.randn(z.shape, generator=generator, dtype=z.dtype)
    return (energy.gradient(x).square().sum(-1) - energy.laplacian(x)).mean()


def smoothed_twice(self: losses.Sliced, energy: Any, z: Tensor, generator: torch.Generator) -> Tensor:
    """h², where h is meant."""
    return losses.Implicit(2 * self.smoothing)(energy, z, generator)


def replaced(**fields: Any) -> Callable[[Any], Any]:
    """The honest call on a frozen settings object with some fields replaced."""
    return lambda honest: lambda self, *arguments: honest(dataclasses.replace(self, **fields), *arguments)


def backwards(self: energy_matching.Flow, energy: Any, z: Tensor, generator: torch.Generator) -> Tensor:
    """∇V, where −∇V is the velocity."""
    x0 = torch.randn(z.shape, generator=generator, dtype=z.dtype)
    x1 = z[energy_matching.assignment(x0, z)]
    t = torch.rand(z.shape[0], 1, generator=generator, dtype=z.dtype)
    return (self.temperature * energy.gradient((1 - t) * x0 + t * x1) - (x1 - x0)).square().sum(-1).mean()


def features_straight(self: FourierTrunk, x: Tensor, J: Tensor, *_: Any) -> Any:
    """tr(J_φᵀ∇²g J_φ) alone: the features' own second derivatives forgotten."""
    φ, cos, sin = self._features(x)
    along = J @ self.frequencies.to(x.dtype).T
    g, trace = self.inner.trace(
        φ, torch.cat([J.expand(len(x), -1, -1), -sin[:, None] * along, cos[:, None] * along], -1)
    )
    return Traced(self._pulled(g, cos, sin), trace)


def bend_forgotten(self: BoundedTrunk, x: Tensor, J: Tensor, *_: Any) -> Any:
    """(1 − t²) tr(JᵀHJ) alone: the squashing function taken for linear."""
    slope = 1 - (self.inner(x) / self.most).tanh().square()
    δ, bent = self.inner.trace(x, J)
    return Traced(slope[:, None] * δ, slope * bent)


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
    "the margin on the wrong side": (
        ramps.sigmoid_centred_at_the_margin,
        Sigmoid,
        "value",
        lambda f: lambda self, s: f(self, s + 2 * self.margin),
    ),
    "φ of the wrong sign of s": (ramps.majorant, Exponential, "value", lambda f: lambda self, s: f(self, -s)),
    "sigmoid: φ'' without its sign": (
        ramps.profile,
        Sigmoid,
        "profile",
        result(lambda p, *_: p._replace(second=p.second.abs())),
    ),
    "soft hinge: φ'' without k": (
        ramps.profile,
        SoftHinge,
        "profile",
        result(lambda p, *_: p._replace(second=p.second / 4)),
    ),
    "exponential: φ'' over w, not w²": (
        ramps.profile,
        Exponential,
        "profile",
        result(lambda p, φ, s: p._replace(second=p.second * φ.width)),
    ),
    "Δφ without φ'Δs": (
        ramps.chain_rule,
        surrogates,
        "chain",
        result(lambda j, p, s: j._replace(laplacian=j.laplacian - p.first * s.laplacian)),
    ),
    "Δφ with ‖∇s‖ for ‖∇s‖²": (
        ramps.chain_rule,
        surrogates,
        "chain",
        result(
            lambda j, p, s: j._replace(laplacian=p.second * s.gradient.norm(dim=1) + p.first * s.laplacian)
        ),
    ),
    "automatic width without √2": (
        ramps.width_of_two_noise_steps,
        surrogates,
        "for_drift",
        lambda f: lambda h: f(h / 2),
    ),
    "automatic width in h, not √h": (
        ramps.width_of_two_noise_steps,
        surrogates,
        "for_drift",
        lambda f: lambda h: f(h * h),
    ),
    # barriers and filters
    "the limit β, not κβ": (filters.limit, MassBarrier, "__init__", unlimited_by_kappa),
    "Itô term dropped": (
        filters.drift_projection,
        MassBarrier,
        "jet",
        result(lambda j, *_: j._replace(laplacian=0 * j.laplacian)),
    ),
    "Itô term halved, as for dx = u dt + dW": (
        filters.drift_projection,
        MassBarrier,
        "jet",
        result(lambda j, *_: j._replace(laplacian=j.laplacian / 2)),
    ),
    "∇φ of the wrong sign": (
        filters.drift_projection,
        MassBarrier,
        "jet",
        result(lambda j, *_: j._replace(gradient=-j.gradient)),
    ),
    "QP excess of the wrong sign": (
        filters.drift_projection,
        ensemble,
        "solve_dual",
        lambda f: lambda G, r, **named: f(G, -r, **named),
    ),
    "Gram matrix without the mean": (
        filters.drift_projection,
        ensemble,
        "solve_dual",
        lambda f: lambda G, r, **named: f(60 * G, r, **named),
    ),
    "Gram matrix without its cross terms": (
        filters.drift_projection,
        ensemble,
        "solve_dual",
        lambda f: lambda G, r, **named: f(torch.diag_embed(G.diagonal(dim1=1, dim2=2)), r, **named),
    ),
    "step floor 0 for e^{−αh}B": (
        filters.step_floor,
        BarrierStep,
        "apply",
        with_attribute(rate=lambda α: 1e9),
    ),
    "step floor without e^{−αh}": (
        filters.step_floor,
        BarrierStep,
        "apply",
        with_attribute(rate=lambda α: 1e-9),
    ),
    "step floor e^{+αh}B": (filters.step_floor, BarrierStep, "apply", with_attribute(rate=lambda α: -α)),
    "step reports the proposal": (
        filters.step_floor,
        BarrierStep,
        "apply",
        result(lambda r, self, x, y, *_: (*r[:2], r[2]._replace(mean=self.barrier.statistics(y).mean(0)))),
    ),
    "step multiplier not over h": (
        filters.step_multiplier,
        BarrierStep,
        "apply",
        result(lambda r, self, x, y, h, *_: (*r[:2], r[2]._replace(multipliers=h * r[2].multipliers))),
    ),
    "offenders stay where they jumped": (
        filters.step_returns_offenders,
        BarrierStep,
        "apply",
        result(lambda r, self, x, y, *_: (torch.where((r[0] == x).all(1)[:, None], y, r[0]), *r[1:])),
    ),
    "everybody returns at once": (
        filters.step_returns_offenders,
        BarrierStep,
        "apply",
        result(lambda r, self, x, y, *_: (x, *r[1:])),
    ),
    "mean of means": (
        filters.step_mean,
        base,
        "local_mean",
        lambda f: lambda v: torch.stack([f(part) for part in v.split(512, -2)]).mean(0),
    ),
    "gate in index order": (
        filters.gate_uniform,
        Gate,
        "apply",
        lambda f: lambda self, x, y, h, u, m: f(self, x, y, h, torch.arange(len(u)) / len(u), m),
    ),
    "a refused move frees room": (filters.gate_room, admission, "admit", freely),
    "gate budget rounded up": (filters.gate_room, gate, "budget", lambda f: lambda β, n: math.ceil(β * n)),
    "gate never uses its last place": (filters.gate_room, gate, "budget", lambda f: lambda β, n: f(β, n) - 1),
    "reject lets in": (filters.refusal, Reject, "apply", result(lambda r, self, x, y, *_: (y, *r[1:]))),
    "projection half way": (
        filters.refusal,
        Project,
        "apply",
        result(lambda r, self, x, y, *_: ((r[0] + y) / 2, *r[1:])),
    ),
    "pointwise barrier with +αs": (
        filters.pointwise_barrier,
        PointwiseFilter,
        "apply",
        with_attribute(rate=lambda α: -α),
    ),
    "penalty of the wrong sign": (
        filters.weights_on_the_surrogate,
        Penalty,
        "apply",
        with_attribute(weights=lambda w: -w),
    ),
    "dual ascent downhill": (
        filters.weights_on_the_surrogate,
        PrimalDual,
        "apply",
        with_attribute(dual_rate=lambda η: -η),
    ),
    "thinning by β/p": (
        filters.thinning,
        projection,
        "keep_probabilities",
        result(lambda c, *_: torch.where(c < 1, 0.05 / 0.2, 1.0).double()),
    ),
    "multiplier of the projection without its odds": (
        filters.thinning,
        projection,
        "facts",
        result(lambda f, p, β: f._replace(multiplier=math.log(p / β))),
    ),
    # sets and coordinates
    "distance of the wrong sign": (sets.membership, Ball, "forward", result(lambda s, *_: -s)),
    "half-space not over ‖n‖": (sets.distances, HalfSpace, "forward", result(lambda s, *_: 5 * s)),
    "ball: Δs = d/‖x−c‖": (
        sets.distances,
        Ball,
        "jet",
        result(lambda j, *_: j._replace(laplacian=2 * j.laplacian)),
    ),
    "comparison flipped in contains": (sets.membership, Ball, "contains", result(lambda inside, *_: ~inside)),
    "> for ≥ on a half-space's edge": (
        sets.membership,
        HalfSpace,
        "contains",
        lambda f: lambda self, x: x.double() @ self.normal > self.offset,
    ),
    "< for ≤ on a ball's edge": (
        sets.membership,
        Ball,
        "contains",
        lambda f: lambda self, x: (x - self.center).norm(dim=-1) < self.radius,
    ),
    "an open box": (sets.membership, Box, "contains", lambda f: lambda self, x: self(x) < 0),
    "threshold moved by 1e-3": (
        sets.membership,
        HalfSpace,
        "contains",
        lambda f: lambda self, x: x.double() @ self.normal >= self.offset + 1e-3,
    ),
    "max for min in a union": (
        sets.membership,
        AnyOf,
        "forward",
        lambda f: lambda self, x: torch.stack([s(x) for s in self.members()], -1).amax(-1),
    ),
    "all for any in a union": (
        sets.membership,
        AnyOf,
        "contains",
        lambda f: lambda self, x: torch.stack([s.contains(x) for s in self.members()]).all(0),
    ),
    "union softened from the unsafe side": (
        sets.soft_union,
        SoftExtremum,
        "forward",
        result(lambda s, self, x: s + self.width * math.log(2)),
    ),
    "soft union: Δs without its spread": (
        sets.soft_union,
        SoftExtremum,
        "jet",
        result(lambda j, self, x: j._replace(laplacian=0 * j.laplacian)),
    ),
    "a level taken for a distance": (
        sets.first_order_distance,
        FirstOrder,
        "forward",
        lambda f: lambda self, x: self.original(x),
    ),
    "a path looked at where it is recorded": (
        sets.between_waypoints,
        segments,
        "_between",
        lambda f: lambda unsafe, a, b: (torch.zeros(len(a), dtype=torch.bool), torch.zeros_like(a[:, 0])),
    ),
    "a map half as steep as it is": (
        sets.between_points_of_a_map,
        segments,
        "steepness",
        lambda f: lambda unsafe: f(unsafe) / 2,
    ),
    "a path moved by its nearest waypoint": (
        sets.between_waypoints,
        Anywhere,
        "jet",
        result(lambda j, *_: j._replace(gradient=torch.tensor([[0.0, -1.0, 0.0, 0.0]]))),
    ),
    "a path: Δs at a fixed τ": (
        sets.between_waypoints,
        Anywhere,
        "jet",
        result(lambda j, *_: j._replace(laplacian=j.laplacian + 0.75)),
    ),
    "coordinates transposed": (
        sets.coordinates_round_trip,
        Coordinates,
        "forward",
        lambda f: lambda self, z: self.offset + z @ self.matrix,
    ),
    "coordinates inverted by the map itself": (
        sets.coordinates_round_trip,
        Coordinates,
        "inverse",
        lambda f: lambda self, x: (x - self.offset) @ self.matrix.T,
    ),
    "the saved cast skipped": (sets.counted_as_saved, Coordinates, "saved", lambda f: saved),
    "radius in the data's units": (sets.balls_under_scaling, Coordinates, "scale", constant(1.0)),
    "whitening transposed": (
        sets.whitened,
        whitening,
        "whiten",
        result(lambda c, *_: Coordinates(c.offset, c.matrix.T)),
    ),
    "a ball as rounded": (sets.exact_membership, ball, "settle", lambda f: as_rounded),
    "a capsule as rounded": (sets.exact_membership, capsule, "settle", lambda f: as_rounded),
    "planes as rounded": (sets.exact_membership, exact, "_plane", lambda f: lambda x, n, b: x @ n <= b),
    "ties of planes left to the first sum": (sets.exact_membership, exact, "settle", lambda f: as_rounded),
    "an edge's side as rounded": (sets.exact_membership, crossings, "turn", lambda f: side_as_rounded),
    "an edge ends where its start and its length say": (
        sets.exact_membership,
        polygon,
        "inside_rings",
        lambda f: lambda x, start, end: f(x, start, start + (end - start)),
    ),
    "whole numbers of 53 bits": (
        sets.exact_membership,
        ball,
        "integers",
        lambda f: lambda *parts: [np.asarray(p, dtype=float) for p in parts],
    ),
    "an underflow taken for 0": (
        sets.exact_rules,
        comparison,
        "underflows",
        result(lambda lost, *_: lost & False),
    ),
    "an overflow without a value": (
        sets.exact_rules,
        comparison,
        "rational",
        lambda f: lambda expression: False,
    ),
    "ties of rules in fractions": (
        sets.exact_rules,
        comparison,
        "underflows",
        result(lambda lost, *_: ~(lost & False)),
    ),
    # energies, samplers, training
    "mixture weights ignored": (
        energies.mixture,
        GaussianMixture,
        "__init__",
        lambda f: lambda self, means, std=None, weights=None: f(self, means, std),
    ),
    "ΔU without ‖Σp∇U‖²": (
        energies.mixture,
        GaussianMixture,
        "laplacian",
        result(lambda Δ, self, x: Δ - self.value_and_gradient(x)[1].square().sum(1)),
    ),
    "∇U doubled": (
        energies.mixture,
        GaussianMixture,
        "value_and_gradient",
        result(lambda r, *_: (r[0], 2 * r[1])),
    ),
    "a penalty that attracts": (
        energies.composition,
        composed,
        "compose",
        lambda f: lambda U, penalties: f(U, [(-w, V) for w, V in penalties]),
    ),
    "V·ε for V/ε": (
        energies.composition,
        Tempered,
        "forward",
        lambda f: lambda self, x: self.energy(x) * self.temperature,
    ),
    "log Z of the wrong sign": (normalisers.log_z_of_a_mixture, log_z, "integrate", result(lambda r, *_: -r)),
    "log|det L| forgotten": (normalisers.log_z_of_a_gaussian, log_z, "log_volume", result(lambda r, *_: 0.0)),
    "Z₀/Z for Z/Z₀": (normalisers.log_z_of_a_gaussian, log_z, "_pooled", result(lambda r, *_: -r)),
    "a temperature forgotten by the closed form": (
        normalisers.known_normalisers,
        Weighted,
        "log_integral",
        lambda f: lambda self, t=1.0: self.weighted()[0][1].log_integral(t),
    ),
    "a closed form moved the wrong way": (
        normalisers.known_normalisers,
        GaussianSum,
        "shifted",
        lambda f: lambda self, s: f(self, -s),
    ),
    "a product of Gaussians without its overlap": (
        normalisers.known_normalisers,
        GaussianSum,
        "log_integral",
        lambda f: lambda self: f(self._replace(b=0 * self.b)),
    ),
    "runs that may disagree": (normalisers.runs_of_different_starts, log_z, "SIGMAS", lambda f: math.inf),
    "a bar without the spread of the runs": (
        normalisers.runs_of_different_starts,
        log_z,
        "together",
        result(lambda r, runs: (r[0], sum(e**-2 for _, e in runs) ** -0.5)),
    ),
    "particles out of equilibrium that pass": (
        normalisers.necks_are_missed_aloud,
        equilibrium,
        "unbalanced",
        lambda f: lambda means: False,
    ),
    "log Z by every tenth level": (
        normalisers.quadrature_is_of_fourth_order,
        log_z,
        "integrate",
        lambda f: lambda levels: f([*levels[:-1:10], levels[-1]]),
    ),
    "annealing without resampling": (
        normalisers.log_z_of_a_mixture,
        annealing,
        "_systematic",
        lambda f: lambda logits, key: torch.arange(logits.numel()),
    ),
    "disjunctions joined unaligned": (
        normalisers.aligned_disjunction,
        Disjunction,
        "align",
        lambda f: lambda self, log_normalizers: f(self, [0.0] * len(log_normalizers)),
    ),
    "Langevin uphill": (energies.langevin_step, Langevin, "step", kernel(-1.0, lambda h: math.sqrt(2 * h))),
    "noise without √2": (energies.langevin_step, Langevin, "step", kernel(1.0, math.sqrt)),
    "noise in h, not √h": (energies.langevin_step, Langevin, "step", kernel(1.0, lambda h: 2 * h)),
    "drift halved": (energies.unfiltered_run, Langevin, "step", kernel(0.5, lambda h: math.sqrt(2 * h))),
    "key.fold ignores the step": (energies.noise_is_new_at_every_step, Key, "fold", step_ignored),
    "noise from a global generator": (energies.noise_is_new_at_every_step, Key, "normal", lambda f: globally),
    "trace shifted by one step": (energies.trace_rows, chain, "follow", result(shifted)),
    "the flow uphill": (
        kernels.flow_step,
        Flow,
        "step",
        result(lambda r, self, key, s: (r[0]._replace(x=2 * s.x - r[0].x), r[1])),
    ),
    "no metric in the noise": (kernels.metric_step, Preconditioned, "step", result(no_metric_in_the_noise)),
    "annealing that stays hot": (
        kernels.hot_step,
        Annealed,
        "temperature",
        lambda f: lambda self, step: self.hottest,
    ),
    "annealing that is never hot": (
        kernels.hot_step,
        Annealed,
        "temperature",
        lambda f: lambda self, step: 1.0,
    ),
    "BAOAB without its √2": (kernels.inertia, underdamped, "math", quieter),
    "the refused fly on": (kernels.inertia, underdamped, "rebound", lambda f: lambda x, y, z, p, v, h: v),
    "the refused come to rest": (
        kernels.inertia,
        underdamped,
        "rebound",
        lambda f: lambda x, y, z, p, v, h: 0 * v,
    ),
    "acceptance upside down": (kernels.metropolis, metropolis, "log_ratio", result(lambda a, *_: -a)),
    "acceptance of ρ alone": (
        kernels.metropolis,
        metropolis,
        "log_ratio",
        lambda f: lambda U, U_y, x, y, u, u_y, h, T: (U - U_y) / T,
    ),
    "a metric's factor on the wrong side": (
        kernels.metropolis_in_a_metric,
        mala,
        "given_factor",
        result(lambda L, *_: L.T),
    ),
    "a tested step without its √2": (kernels.metropolis, metropolis, "math", quieter),
    "U and ∇U of a proposal that was sent back": (
        kernels.carried,
        mala,
        "carried",
        lambda f: lambda before, after, z: tested.Evaluated(after.energy, after.gradient),
    ),
    "U and ∇U that do not follow a swap": (
        kernels.carried,
        parallel_tempering.Copies,
        "known",
        lambda f: lambda self: tested.Evaluated(self.energy.flatten().flip(0), self.gradient.flatten(0, 1)),
    ),
    "a swap of the wrong sign": (
        kernels.swap,
        parallel_tempering,
        "swap_log_ratio",
        result(lambda a, *_: -a),
    ),
    "a swap by temperatures, not their inverses": (
        kernels.swap,
        parallel_tempering,
        "swap_log_ratio",
        lambda f: lambda U_a, U_b, T_a, T_b: (T_b - T_a) * (U_a - U_b),
    ),
    "no metric in the Itô term": (
        kernels.ito_terms,
        heat.Stretched,
        "jet",
        result(lambda j, self, x: j._replace(laplacian=self.inner.jet(x).laplacian)),
    ),
    "no temperature in the Itô term": (
        kernels.ito_terms,
        heat.Heated,
        "jet",
        result(lambda j, self, x: j._replace(laplacian=self.inner.jet(x).laplacian)),
    ),
    "a step size that follows acceptance downhill": (
        kernels.warm_up,
        adaptation,
        "average",
        lambda f: lambda own, accepted, target, h: f(own, target, accepted, h),
    ),
    "denoising as the paper prints it": (
        energies.score_matching,
        losses.Denoising,
        "__call__",
        lambda f: wrong_sign,
    ),
    "implicit score matching without ½": (
        energies.score_matching,
        losses.Implicit,
        "__call__",
        lambda f: without_half,
    ),
    "data smoothed by 2h, not h": (
        energies.score_matching,
        losses.Sliced,
        "__call__",
        lambda f: smoothed_twice,
    ),
    "several scales: terms weighted, not the mixture": (
        energies.several_scales,
        losses.MultiScale,
        "__call__",
        replaced(weights=[0.7 * 0.25, 0.3 * 2.25]),
    ),
    "several scales, all the first": (
        energies.several_scales,
        losses.MultiScale,
        "__call__",
        replaced(sigmas=[0.5, 0.5]),
    ),
    "rows paired at random": (
        energies.flow_warm_up,
        energy_matching,
        "assignment",
        lambda f: lambda x, y: torch.arange(len(x)),
    ),
    "a flow from data to noise": (
        energies.flow_warm_up,
        energy_matching.Flow,
        "__call__",
        lambda f: backwards,
    ),
    "U for V in the flow": (
        energies.flow_warm_up,
        energy_matching.Flow,
        "__call__",
        replaced(temperature=1.0),
    ),
    "data pushed up, negatives down": (
        energies.contrastive_divergence,
        energy_matching.Contrastive,
        "__call__",
        result(lambda L, *_: -L),
    ),
    "negatives that never move": (
        energies.contrastive_divergence,
        energy_matching,
        "negatives",
        lambda f: lambda U, y, *_: y,
    ),
    "negatives at half the step": (
        energies.contrastive_divergence,
        energy_matching,
        "negatives",
        lambda f: lambda U, y, k, h, g: f(U, y, k, h / 2, g),
    ),
    "a residual block without its own curvature": (
        energies.network_derivatives,
        ResidualTrunk,
        "trace",
        result(lambda t, *_: t._replace(trace=0 * t.trace)),
    ),
    "Fourier features taken for linear": (
        energies.network_derivatives,
        FourierTrunk,
        "trace",
        lambda f: features_straight,
    ),
    "a sine's derivative of the wrong sign": (
        energies.network_derivatives,
        FourierTrunk,
        "_pulled",
        lambda f: lambda self, g, cos, sin: f(self, g, cos, -sin),
    ),
    "a correction without bound": (
        energies.bounded_correction,
        BoundedTrunk,
        "forward",
        lambda f: lambda self, x: self.inner(x),
    ),
    "a bounded correction's own curvature forgotten": (
        energies.bounded_correction,
        BoundedTrunk,
        "trace",
        lambda f: bend_forgotten,
    ),
    "a bounded correction's slope that of the network": (
        energies.bounded_correction,
        BoundedTrunk,
        "sweep",
        result(lambda r, self, x: (r[0], self.inner.sweep(x)[1])),
    ),
    "a mixture that confines, and does not bend": (
        energies.bounded_correction,
        MixtureBased,
        "_confining_trace",
        result(lambda t, *_: 0 * t),
    ),
    "a mixture's gradient held fixed in x": (
        energies.bounded_correction,
        GaussianMixture,
        "differentiable",
        result(lambda r, *_: (r[0], r[1].detach())),
    ),
    "a mixture of as many as allowed": (
        energies.fitted_mixture,
        EM,
        "bic",
        lambda f: lambda self, x: -self.n_components,
    ),
    "rows of another scale": (energies.fitted_mixture, mixture_based, "LEAST_STD", lambda f: 0.3),
    # second derivatives of networks
    "a″ forgotten by the forward Laplacian": (
        curvatures.carried,
        rules.ElementwiseRule,
        "carry",
        result(
            lambda c, self, layer, b: c._replace(
                laplacian=self.function.value_and_slope(b.value)[1] * b.laplacian
            )
        ),
    ),
    "a convolution's bias in its Jacobian": (
        curvatures.carried,
        rules.ConvolutionRule,
        "linear",
        lambda f: lambda self, layer, x: self.apply(layer, x),
    ),
    "a residual layer without its own Laplacian": (
        curvatures.carried,
        rules.ResidualRule,
        "carry",
        result(lambda c, self, layer, b: c._replace(laplacian=c.laplacian - b.laplacian)),
    ),
    "pooling's adjoint a sum, not a mean": (
        curvatures.carried,
        rules.PoolingRule,
        "transposed",
        result(lambda δ, *_: 4 * δ),
    ),
    "probes summed, not averaged": (
        curvatures.estimated,
        hutchinson.Hutchinson,
        "laplacian",
        result(lambda t, self, *_: self.probes * t),
    ),
    "probes of variance ½": (
        curvatures.estimated,
        hutchinson.Hutchinson,
        "draw",
        result(lambda v, *_: v / 2**0.5),
    ),
    # the audit
    "budget with float error": (
        audit.budget_is_the_decimal_rounded_down,
        budgets,
        "budget",
        lambda f: lambda β, n: int(β * n),
    ),
    "Clopper–Pearson: k for k + 1": (
        audit.clopper_pearson,
        clopper_pearson,
        "upper_bound",
        lambda f: lambda k, n, c: float(betaincinv(max(k, 1e-9), n - k + 1, c)),
    ),
    "two-sided for one-sided": (
        audit.clopper_pearson,
        clopper_pearson,
        "upper_bound",
        lambda f: lambda k, n, c: f(k, n, (1 + c) / 2),
    ),
    "lower bound of k + 1": (
        audit.clopper_pearson,
        clopper_pearson,
        "lower_bound",
        lambda f: lambda k, n, c: f(k + 1, n, c),
    ),
    "evidence not normalised on [0, β)": (
        audit.evidence,
        anytime,
        "log_evidence_below",
        result(lambda e, k, n, β: e + math.log(β)),
    ),
    "several verdicts, each at the whole level": (
        audit.verdicts_hold_together,
        verdict,
        "rejected",
        lambda f: lambda p, α, correction: [q <= α for q in p],
    ),
    "coupled particles taken for independent": (
        audit.verdicts_hold_together,
        verdict,
        "verdicts",
        lambda f: lambda *arguments: f(*arguments[:-1], None),
    ),
    "P(K < k) for P(K ≤ k)": (
        audit.verdicts_hold_together,
        evidence,
        "p_certify",
        lambda f: lambda k, n, β: f(max(k - 1, 0), n, β),
    ),
    "a bet that pays too much": (
        audit.bets_are_fair,
        betting,
        "log_capital",
        result(lambda k, x, m: k + 0.01 * len(x)),
    ),
    "a bet against m for one against 1 − m": (
        audit.bets_are_fair,
        betting,
        "_gains",
        lambda f: lambda x, m: np.log1p(betting.BETS[:, None] * np.maximum((m - x) / m, -1.0)),
    ),
    "different rows counted as hashes kept": (
        copies.different_rows_are_counted,
        repeats.Distinct,
        "share",
        constant(0.5),
    ),
    "the first value taken for the row": (
        copies.different_rows_are_counted,
        repeats,
        "hashed",
        lambda f: lambda x: f(x[:, :1].round(1)),
    ),
    "rows that repeat never copies": (
        copies.copies_are_told_from_coarse_values,
        crowding,
        "SLACK",
        lambda _: 1e9,
    ),
    "rows that repeat always copies": (
        copies.copies_are_told_from_coarse_values,
        crowding,
        "_expected",
        result(lambda P, *_: 0.0),
    ),
    "everything twice by accident": (copies.whole_copies_are_found, repeats, "SURE", lambda _: 10**9),
    "every other count a copy": (
        copies.whole_copies_are_found,
        repeats,
        "whole_copies",
        lambda _: lambda counts: int(np.max(counts)),
    ),
    "decimals the only grid": (copies.any_grid_is_a_resolution, crowding, "GRID", lambda _: 10**9),
    "two values a grid": (copies.any_grid_is_a_resolution, crowding, "GRID", lambda _: 2),
    "common values in cells with others": (
        copies.common_values_are_cells_of_their_own,
        crowding,
        "COMMON",
        lambda _: 2.0,
    ),
    "cells taken for half as wide": (
        copies.resolution_explains_so_many_pairs,
        crowding,
        "WAYS",
        lambda ways: [(keys, merged // 2) for keys, merged in ways],
    ),
    "pairs of a sample taken for all": (
        copies.a_sample_of_rows_explains_as_much,
        repeats.Distinct,
        "few",
        result(lambda few, *_: few._replace(share=1.0)),
    ),
    "few pairs of a sample taken as they are": (
        copies.a_sample_of_rows_explains_as_much,
        crowding,
        "COARSEST",
        lambda _: 1,
    ),
    "samples of parts joined, not chosen from again": (
        copies.parts_of_rows_add,
        repeats.Distinct,
        "plus",
        lambda f: lambda self, other: self,
    ),
    "units of parts side by side": (
        copies.parts_of_rows_add,
        sums,
        "_added",
        lambda f: lambda numbers, values: (numbers, values),
    ),
    "batches of unequal sizes weighed alike": (
        audit.rows_in_files_are_seen,
        mixing,
        "_effective",
        lambda f: lambda n, rows, held: f(n, np.full_like(rows, rows.mean()), held),
    ),
    "tolerances as if regions were apart": (
        copies.tolerances_may_exclude_each_other,
        feasibility,
        "least_excess",
        lambda _: lambda patterns, betas: (1 - betas.sum()) / 2,
    ),
    "samples not moved to the data's values": (
        copies.samples_are_held_beside_their_data,
        fidelity,
        "ks_distance",
        lambda _: lambda y, x: ks_2samp(y, x).statistic,
    ),
    "no margin for chance": (copies.samples_are_held_beside_their_data, fidelity, "DISTANCE", lambda _: -0.2),
    "no row alone a code": (copies.codes_are_found, concerns, "_usual", lambda _: lambda value: False),
    "a code hides another": (copies.codes_are_found, concerns, "CODES", lambda _: 1),
    "one far row a code": (copies.codes_are_found, concerns, "FEWEST", lambda _: 1),
    "each look judged alone": (
        audit.looks_are_remembered,
        standing.Standing,
        "after",
        lambda f: lambda self, before: self,
    ),
    "rows taken for independent": (
        audit.repeated_rows_are_seen,
        mixing.Batches,
        "effective",
        lambda f: lambda self: float(self.n),
    ),
    "chains that leave their level": (
        audit.rare_events,
        subset,
        "_restricted",
        lambda f: lambda key, seeds, level, move, b, *rest: f(key, seeds, level, move, math.inf, *rest),
    ),
    "a kernel without its correction": (
        audit.rare_events,
        subset,
        "metropolis",
        lambda f: lambda vg, h: lambda key, x: x - h * vg(x)[1] + math.sqrt(2 * h) * key.normal(x),
    ),
    "the nominal factor of a level for the counted one": (
        audit.tails_with_ties,
        subset,
        "_share",
        lambda f: lambda within: 0.1,
    ),
    "a level on a tie": (
        audit.tails_with_ties,
        subset,
        "_next",
        lambda f: lambda s, seeds: float(s.sort().values[seeds]),
    ),
    "an error of independent samples": (
        audit.tails_with_ties,
        subset,
        "_error",
        lambda f: lambda a, pairs: (4 * f(a, pairs)[0], 9),
    ),
    "the audit's boundary open": (
        audit.census_on_the_edge,
        HalfSpace,
        "contains",
        lambda f: lambda self, x: self(x) < 0,
    ),
    "kl(p‖β) for kl(β‖p)": (
        audit.price,
        projection,
        "facts",
        lambda f: lambda p, β: f(p, β)._replace(kl=p * math.log(p / max(β, 1e-9))),
    ),
    "clearances as computed": (
        audit.clearances_that_are_told,
        honest_census,
        "told",
        lambda f: lambda region, x, s, *_: s,
    ),
    "distances that lost their digits": (
        audit.clearances_that_are_told,
        honest_census,
        "_most",
        lambda f: lambda *_: 0.0,
    ),
    "bins that reach the boundary wherever it is": (
        audit.bins_are_bounded,
        histograms,
        "ZERO",
        lambda f: 1e12,
    ),
    "one far row scales the picture": (audit.bins_are_bounded, ranges, "FAR", lambda f: math.inf),
    "intervals too narrow to divide": (
        audit.bins_are_bounded,
        ranges,
        "widened",
        lambda f: lambda low, high: (low, high),
    ),
    "ties between two tables counted one by one": (
        judging.distances_of_columns_are_their_formulas,
        marginals,
        "ks_distance",
        lambda f: lambda x, y: f(x, y + 1e-9 * np.arange(len(y))),
    ),
    "Cramér's V with its bias": (
        judging.independent_categories_do_not_go_together,
        associations,
        "cramers_v",
        lambda f: lambda x, y: math.sqrt(f(x, y) ** 2 + float(min(x.max(), y.max())) / len(x)),
    ),
    "a judge that tests what it has fitted": (
        judging.a_classifier_that_knows_rows_by_heart_tells_nothing,
        two_sample,
        "folds",
        lambda f: lambda classes, rng: [(np.arange(len(classes)),) * 2] * 5,
    ),
    "rows compared after rounding": (
        judging.copies_are_equal_in_every_cell,
        closest,
        "_keys",
        lambda f: lambda t: f(dataclasses.replace(t, values=t.values.round(6))),
    ),
    "ties taken for memory": (
        judging.chance_makes_one_half,
        closest,
        "_nearer",
        lambda f: lambda d, side: float((d[:, side].min(1) <= d[:, ~side].min(1)).sum()),
    ),
    "a floor of the same rows": (
        judging.the_floor_is_of_other_rows,
        splits,
        "splits",
        lambda f: lambda *given: (part._replace(other=part.real) for part in f(*given)),
    ),
    "the range of rows taken for that of all": (
        judging.as_much_is_outside_as_of_independent_rows,
        judging,
        "outside_by_chance",
        lambda f: lambda *given: f(*given) / 2,
    ),
}


CHECKS = checks(TEETH)


@pytest.mark.parametrize("name", CHECKS)
def test_the_honest_code_passes(name: str) -> None:
    CHECKS[name]()


@pytest.mark.parametrize("name", TEETH)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    must_be_found(TEETH[name], monkeypatch)


def test_every_check_has_a_fault_that_it_finds() -> None:
    own = written_in(ramps, filters, sets, energies, kernels, curvatures, normalisers, audit, copies, judging)
    assert own - {"Parabola", "moved", "draws", "counting", "counted", "natural", "by_memory"} == set(CHECKS)
    assert len(TEETH) >= 25
