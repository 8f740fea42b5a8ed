"""Normal distributions cut to a set, sampled with tolerance 0 outside of it: exact moments, as checks that a
planted fault must make fail.

Of N(m1, s²I) on a ball the coordinate t along 1/√d has a density in one dimension, e^{−(t − m√d)²/2s²} times
the χ² mass of the others within the ball; on an interval everything is one-dimensional. Both are integrated
here, independently of what is tested. Refusing moves out of the set keeps a reversible chain's distribution,
cut (G.2 with no budget): tested moves have that of the energy at every step size. Langevin's own is normal
too, N(m1, s²/(1 − h/2s²)), so that its bias, of first order in h, is known and not hidden in a tolerance.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.integrate import quad
from scipy.stats import chi2
from torch import Tensor

import lem_safe
from lem_safe.energies import Gaussian
from lem_safe.keys import Key
from lem_safe.sets import Ball, Constraint

N = 4000
F64 = torch.float64


@dataclass(frozen=True)
class Cut:
    """N(m1, s²I) on the ball around c1 of this radius: in one dimension, an interval."""

    m: float
    s: float
    c: float
    radius: float
    d: int

    def moments(self, h: float = 0.0) -> tuple[float, float]:
        """The mean and the variance of the coordinate along 1/√d, of Langevin's own distribution at h."""
        s = self.s / math.sqrt(1 - h / (2 * self.s**2))
        # around the centre of the ball
        m, R = (self.m - self.c) * math.sqrt(self.d), self.radius

        def density(t: float) -> float:
            others = 1.0 if self.d == 1 else float(chi2.cdf((R**2 - t * t) / s**2, self.d - 1))
            return math.exp(-((t - m) ** 2) / (2 * s**2)) * others

        Z, first, second = (
            quad(lambda t, k=k: t**k * density(t), -R, R, epsabs=1e-13, epsrel=1e-11)[0] for k in (0, 1, 2)
        )
        mean = first / Z
        return mean + self.c * math.sqrt(self.d), second / Z - mean**2

    @property
    def outside(self) -> Any:
        if self.d == 1:
            return Constraint(lambda x: self.radius - (x[:, 0] - self.c).abs())
        return ~Ball([self.c] * self.d, self.radius)

    def start(self, n: int = N) -> Tensor:
        """Rows of the ball, uniform."""
        ξ = Key(0).fold("directions").normal(torch.empty(n, self.d, dtype=F64))
        u = Key(0).fold("radii").uniform(torch.empty(n, 1, dtype=F64))
        return self.c + 0.999 * self.radius * u ** (1 / self.d) * ξ / ξ.norm(dim=1, keepdim=True)

    def run(self, sampler: str, filter: str, h: float, steps: int, n: int = N) -> lem_safe.Run:
        return lem_safe.sample(
            Gaussian([self.m] * self.d, self.s),
            {"outside": self.outside},
            beta=0,
            filter=filter,
            sampler=sampler,
            steps=steps,
            step_size=h,
            init=self.start(n),
            seed=3,
            dtype="float64",
            monitors={"samples": 0},
        )


INTERVAL, DISK, NARROW = Cut(0, 1, 2, 1, 1), Cut(2, 1, 0, 1, 2), Cut(2, 0.5, 0, 1, 2)
"""N(0, 1) on [1, 3], N(2, I) and N(2, I/4) on the unit disk: published with primal–dual Langevin."""
AROUND, TAIL = Cut(0.3, 0.4, -0.1, 0.4, 1), Cut(0, 1, 3.25, 0.75, 1)
ASIDE, SOLID = Cut(-0.5, 0.7, 0.4, 0.8, 2), Cut(1, 0.7, 0.1, 1.3, 3)


def published_numbers() -> None:
    """Of three distributions; a coordinate's mean is that along 1/√d over √d."""
    mean, variance = INTERVAL.moments()
    assert abs(mean - 1.51005) < 5e-6 and abs(variance - 0.17345) < 5e-6
    for cut, coordinate in ((DISK, 0.367994), (NARROW, 0.594783)):
        assert abs(cut.moments()[0] / math.sqrt(2) - coordinate) < 5e-7


def the_coordinate_is_that_of_the_whole_ball() -> None:
    """The density along 1/√d against 400,000 uniform points of the ball with weights."""
    for cut in (DISK, ASIDE, SOLID):
        x = cut.start(400_000) / 0.999 + cut.c * (1 - 1 / 0.999)
        w = (-(x - cut.m).square().sum(1) / (2 * cut.s**2)).exp()
        w, t = w / w.sum(), x.sum(1) / math.sqrt(cut.d)
        mean, variance = cut.moments()
        error = math.sqrt(float(w.square() @ (t - mean) ** 2))
        assert abs(float(w @ t) - mean) < 4 * error < 0.01
        assert abs(float(w @ (t - mean) ** 2) - variance) < 4 * math.sqrt(
            float(w.square() @ ((t - mean) ** 2 - variance) ** 2)
        )


def tested_moves_have_the_cut_moments() -> None:
    for cut, filter, h in (
        (INTERVAL, "gate", 0.4),
        (AROUND, "tilt", 0.05),
        (DISK, "reject", 0.2),
        (NARROW, "gate", 0.03),
        (ASIDE, "tilt", 0.15),
        (SOLID, "gate", 0.2),
    ):
        _has_moments(cut, cut.run("mala", filter, h, 50), cut.moments(), filter)


def untested_moves_have_those_of_their_own_variance() -> None:
    for cut, filter, h in (
        (TAIL, "gate", 0.05),
        (DISK, "tilt", 0.05),
        (NARROW, "reject", 0.03),
        (SOLID, "reject", 0.08),
    ):
        _has_moments(cut, cut.run("langevin", filter, h, 80), cut.moments(h), filter)


def the_bias_of_a_long_step_is_the_computed_one() -> None:
    """At h = .2 Langevin on [1, 3] has a mean .0175 above that of N(0, 1), half of it at h = .1."""
    mean, (biased, _), (half, _) = INTERVAL.moments()[0], INTERVAL.moments(0.2), INTERVAL.moments(0.1)
    assert 1.8 < (biased - mean) / (half - mean) < 2.3
    run = INTERVAL.run("langevin", "reject", 0.2, 40, n=20_000)
    _has_moments(INTERVAL, run, (biased, INTERVAL.moments(0.2)[1]), "a long step")
    x = np.asarray(run.samples)[:, 0]
    assert x.mean() - mean > 4 * x.std() / math.sqrt(len(x))


def without_a_tolerance_three_filters_are_one() -> None:
    """A budget of none, refusal, and an infinite price ask the same of a move."""
    runs = {
        kind: np.asarray(SOLID.run("mala", kind, 0.2, 5, n=200).samples)
        for kind in ("gate", "reject", "tilt")
    }
    assert np.array_equal(runs["gate"], runs["reject"])
    assert np.array_equal(runs["gate"], runs["tilt"])


def _has_moments(cut: Cut, run: lem_safe.Run, exact: tuple[float, float], what: str) -> None:
    """Nobody outside, and mean and variance within 4 standard errors, for independent particles; the other
    coordinates agree by symmetry.
    """
    x = np.asarray(run.samples)
    assert run.report.passed and not bool(cut.outside.contains(torch.from_numpy(x)).any())
    (mean, variance), t = exact, x.sum(1) / math.sqrt(cut.d)
    _within(t, mean, (cut, what, "mean"))
    _within((t - mean) ** 2, variance, (cut, what, "variance"))
    if cut.d > 1:
        _within(x[:, 0] - x[:, 1], 0.0, (cut, what, "symmetry"))


def _within(values: np.ndarray, exact: float, what: object) -> None:
    off = (values.mean() - exact) / (values.std() / math.sqrt(len(values)))
    assert abs(off) < 4, (what, values.mean(), exact, off)


CHECKS: tuple[Callable[[], None], ...] = (
    published_numbers,
    the_coordinate_is_that_of_the_whole_ball,
    tested_moves_have_the_cut_moments,
    untested_moves_have_those_of_their_own_variance,
    the_bias_of_a_long_step_is_the_computed_one,
    without_a_tolerance_three_filters_are_one,
)
