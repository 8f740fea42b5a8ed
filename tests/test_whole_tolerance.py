"""Nothing is softened by default: limits are met at every step size, and KL paid is near the least (B.6, Q.4, D.4); and the faults."""

import math
from typing import Any

import pytest
import torch
from planted import Tooth, checks, must_be_found, result, written_in
from problems import beyond, paid_over_needed, standard
from torch import Tensor
from truths import whole_tolerance as truths

from barriers import predicted
from barriers.filters import FILTERS, MirrorStep, PredictiveFilter, mirror, predictive
from barriers.sets import Ball, Box, HalfSpace, UnsafeSet
from lem_safe.keys import Key
from lem_safe.samplers import Langevin

F64 = torch.float64


def freely(honest: Any) -> Any:
    """A chance without the mean of the noise that the other directions add to the squared distance."""

    def faulty(unsafe: UnsafeSet, y: Tensor, noise: predicted.Noise) -> predicted.Chance:
        return predicted._beyond(*predicted.value_and_gradient(unsafe, y), torch.as_tensor(noise.std, dtype=y.dtype))

    faulty.dispatch = lambda kind: faulty  # type: ignore[attr-defined]
    return faulty


TEETH: dict[str, Tooth] = {
    "the noise without its √2": (truths.predicted_limit, predictive, "Noise", lambda f: lambda std, *rest: f(std / 2**0.5, *rest)),
    "the fraction for what was predicted": (truths.predicted_limit, PredictiveFilter, "apply",
        lambda f: lambda self, x, v, memory: f(self, x, v, self.init(x))),
    "a push as wide as the noise": (truths.predicted_limit, predictive, "narrowed", lambda f: lambda p, g: g),
    "a push that is not normalised": (truths.predicted_limit, predictive, "narrowed", result(lambda g, *_: 0.7 * g)),
    "the limit without its rate": (truths.predicted_limit, PredictiveFilter, "__init__",
        lambda f: lambda self, sets, betas, h, rate=5.0, **more: f(self, sets, betas, h, 1e9, **more)),
    "chances that ignore curvature": (truths.approximate_chances, predicted, "chance", freely),
    "Φ for φ": (truths.chances, predicted, "_density", lambda f: predicted.ndtr),
    "a product of all factors for that of the others": (truths.chances, predicted, "_product",
        result(lambda r, p: (r[0], r[0][:, None].expand_as(r[1])))),
    "the metric left out": (truths.chances_in_a_metric, predicted.Noise, "along", lambda f: lambda self, n: self.std * n.norm(dim=-1)),
    "noise that is not counted": (truths.expectation_is_met, predictive, "chance",
        lambda f: lambda s, y, noise: f(s, y, noise._replace(std=0.7 * noise.std))),
    "an atom on the boundary": (truths.mirror_leaves_no_gap, mirror, "mirrored", lambda f: lambda s, y: y + 0.5001 * (f(s, y) - y)),
    "a gap at the boundary": (truths.mirror_leaves_no_gap, mirror, "mirrored", lambda f: lambda s, y: y + 2 * (f(s, y) - y)),
    "a random half returned": (truths.mirror_is_the_projection, mirror, "mirrored", lambda f: lambda s, y: f(s, y) + 0.15 * (f(s, y) - y).sign()),
    "who enters is let in": (truths.mirror_is_the_projection, mirror, "admit", lambda f: lambda c, room: f(c, room + 10**6)),
    "half of the tolerance": (truths.mirror_allowance, mirror, "budget", lambda f: lambda β, n: f(β / 2, n)),
    "an allowance at once": (truths.mirror_allowance, MirrorStep, "__init__",
        lambda f: lambda self, sets, betas, rate=5.0, **more: f(self, sets, betas, 1e9, **more)),
    "led out half way": (truths.mirror_allowance, mirror, "value_and_gradient", result(lambda r, *_: (r[0] / 4, r[1]))),
}  # fmt: skip


def test_every_check_has_a_tooth() -> None:
    assert set(checks(TEETH)) == written_in(truths)


@pytest.mark.parametrize("check", checks(TEETH).values(), ids=checks(TEETH))
def test_the_honest_filters_pass(check: Any) -> None:
    check()


@pytest.mark.parametrize("name", TEETH)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    must_be_found(TEETH[name], monkeypatch)


@pytest.mark.parametrize("α", [1.0, 5.0])
@pytest.mark.parametrize("h", [1e-2, 1e-3, 1e-4, 2e-5])
def test_the_limit_is_met_at_every_step_size(h: float, α: float) -> None:
    """N(0, 1), x ≥ 1, from β of the mass inside: E φ/limit ≤ 1 at every step, and the fraction within four standard errors of it (B.6)."""
    n, steps, β, p = 4000, 150, 0.05, 0.15865525393145707
    x = Key(0).uniform(torch.empty(n, dtype=F64))
    inside = torch.arange(n) < β * n
    x = torch.special.ndtri(torch.where(inside, 1 - p * x, (1 - p) * x))[:, None]
    sampler = Langevin(standard(1, F64), h, FILTERS["drift"]([beyond(1.0)], [β], h, α))
    state, over, fractions = sampler.init(x), -1.0, []
    for k in range(steps):
        state, info = sampler.step(Key(1).fold(k), state)
        over = max(over, float(info.drift.mean[0]) / β)  # type: ignore[union-attr]
        fractions.append(float((state.x >= 1).double().mean()) - float(info.drift.mean[0]))  # type: ignore[union-attr]
    assert 0.999 < over <= 1
    assert abs(sum(fractions) / steps) <= 4 * math.sqrt(β * (1 - β) / n / steps)


REGIONS: dict[str, UnsafeSet] = {
    "half-space, d = 2": HalfSpace([1.0, 0.0], 1.0), "half-space, d = 10": HalfSpace([1.0] + [0.0] * 9, 1.0),
    "ball, d = 2": Ball([1.0, 0.0], 0.8), "ball, d = 10": Ball([1.0] + [0.0] * 9, 2.6),
    "box, d = 2": Box([-0.6] * 2, [0.6] * 2), "box, d = 10": Box([-1.38] * 10, [1.38] * 10),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["drift", "step"])
@pytest.mark.parametrize("region", REGIONS)
def test_kl_paid_is_at_most_a_tenth_more_than_needed(kind: str, region: str) -> None:
    """On N(0, I), β = .05, h = .002 for `drift` and .01 for `step`: the whole tolerance is used, and little is lost at the boundary."""
    h = 0.002 if kind == "drift" else 0.01
    found = paid_over_needed(REGIONS[region], 0.05, kind, h, steps=90)
    assert found.ratio <= 1.1
    assert found.fraction == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / found.n))


@pytest.mark.parametrize("kind", ["drift", "step"])
def test_planted_fault_a_softened_filter_pays_more_than_twice(kind: str) -> None:
    h = 0.002 if kind == "drift" else 0.01
    w = 2 * math.sqrt(2 * h) if kind == "drift" else 0.5 * math.sqrt(2 * h)
    from barriers.surrogates import Sigmoid

    found = paid_over_needed(
        REGIONS["half-space, d = 2"], 0.05, kind, h, steps=400, smoothing=Sigmoid(w, w if kind == "drift" else 2 * w)
    )
    assert found.ratio > 1.1
