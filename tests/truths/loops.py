"""What holds of energies, calls and guards from Python, as checks that a planted fault must make fail.

Truncated normal distributions have exact moments: of N(0, 1) on [1, 3] the mean is 1.51005 and the variance
.17345; of N(2, I) on the unit disk the mean of a coordinate is .367994 (numerical integration in polar
coordinates gives the same digits).
"""

import math
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

import lem_safe
from barriers.budget import budget
from lem_safe.energies import Gaussian
from lem_safe.keys import Key
from lem_safe.programming.guard import Guard
from lem_safe.sets import Ball, Constraint

WALL = Ball([1.0, 0.0], 0.8)
STEP = 0.05


def normal(x: Tensor) -> Tensor:
    """The energy of N(0, I)."""
    return 0.5 * x.square().sum(-1)


def own_loop(kind: str, seed: int = 3, steps: int = 25) -> tuple[Tensor, Guard]:
    """Unadjusted Langevin of N(0, I) written out, with the random numbers of a run, under a guard."""
    guard = lem_safe.guard({"wall": WALL}, beta=0.05, kind=kind, seed=seed, step_size=STEP)
    x, chain = Key(seed).fold("init").normal(torch.empty(200, 2)), Key(seed).fold("chain")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the start is over the budget
        for k in range(steps):
            noise = chain.fold(k).fold("noise").normal(x)
            x = guard(x, x - STEP * x + math.sqrt(2 * STEP) * noise)
    return x, guard


def called(energy: object, kind: str = "gate", **named: object) -> lem_safe.Run:
    """The same as a run."""
    given = dict(beta=0.05, samples=200, steps=25, step_size=STEP, seed=3, filter=kind) | named
    return lem_safe.sample(energy, {"wall": WALL}, **given)


def a_guarded_loop_is_the_run() -> None:
    for kind in ("gate", "step", "reject"):
        x, guard = own_loop(kind)
        run = called(normal, kind)
        assert np.array_equal(x.numpy(), np.asarray(run.samples)), kind
        assert np.array_equal(guard.fractions, run.trace["fraction"]), kind


def a_wrapped_normal_is_the_scenario() -> None:
    named = {"kind": "ball", "center": [1.0, 0.0], "radius": 0.8}
    spec = {"kind": "gaussian", "mean": [0.0, 0.0], "std": 1.0}
    given = dict(beta=0.05, samples=200, steps=25, step_size=STEP, seed=3)
    said = lem_safe.sample(spec, {"wall": named}, **given)
    assert said.scenario is not None
    for energy in (normal, Gaussian([0.0, 0.0], 1.0)):
        run = called(energy)
        assert run.scenario is None
        assert np.array_equal(run.samples, said.samples)
        assert all(np.array_equal(run.trace[k], said.trace[k]) for k in ("fraction", "multiplier"))


def no_call_exceeds_the_budget() -> None:
    generator = torch.Generator().manual_seed(5)
    for kind in ("gate", "step"):
        guard = lem_safe.guard({"wall": WALL}, beta=0.07, kind=kind, step_size=0.1)
        x = torch.full((60, 2), -3.0)
        for k in range(40):  # a kernel that changes at every call
            x = guard(x, torch.randn(60, 2, generator=generator) * (0.2 + k / 20) + 1.0)
            inside = int(WALL.contains(x).sum())
            assert inside == guard.counts["wall"] <= budget(0.07, 60)
        x = guard.report(x).constraints[0]
        assert x.passed and x.max_fraction_over_steps <= 0.07


def membership_is_that_of_what_comes_in() -> None:
    guard, wall = lem_safe.guard({"wall": WALL}, beta=0.5), torch.tensor([[1.0, 0.0]] * 20)
    guard(wall + 9, wall + 8)
    x = wall.clone()  # the loop itself puts half of them inside, between two calls
    x[10:] += 5
    x = guard(x, wall)
    assert int(WALL.contains(x).sum()) == guard.counts["wall"] == 10


def interval_has_its_moments() -> None:
    outside = Constraint(lambda x: (x[:, 0] - 1) * (3 - x[:, 0]))
    start = 1 + 2 * torch.rand(2000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    density = torch.distributions.MultivariateNormal(torch.zeros(1).double(), torch.eye(1).double())
    given = dict(steps=50, step_size=0.4, init=start, sampler="mala", monitors={"samples": 0})
    for kind, beta in (("reject", 0.01), ("gate", 0.0)):
        run = lem_safe.sample(density, {"out": outside}, beta=beta, filter=kind, **given)
        x = np.asarray(run.samples)[:, 0]
        assert x.min() >= 1 and x.max() <= 3 and x.dtype == np.float64
        _has_mean(x, 1.51005, kind)
        _has_mean((x - 1.51005) ** 2, 0.17345, kind)


def disk_has_its_moments() -> None:
    inside = Ball([0.0, 0.0], 1.0)
    guard = lem_safe.guard({"outside": ~inside}, beta=0.0005, seed=1)
    generator = torch.Generator().manual_seed(2)
    x = torch.zeros(3000, 2, dtype=torch.float64)

    def draw(shape: Tensor, make: Callable[..., Tensor]) -> Tensor:
        return make(shape.shape, generator=generator, dtype=torch.float64)

    for _ in range(120):  # Metropolis' random walk
        y = x + 0.4 * draw(x, torch.randn)
        gain = 0.5 * ((x - 2).square() - (y - 2).square()).sum(1)
        taken = draw(x[:, 0], torch.rand).log() < gain
        x = guard(x, torch.where(taken[:, None], y, x))
    assert int((~inside).contains(x).sum()) <= 1
    _has_mean(x[inside.contains(x)].mean(1).numpy(), 0.367994, "disk")


def temperature_divides() -> None:
    given = dict(samples=2000, steps=40, step_size=0.8, beta=0.5, sampler="mala", monitors={"samples": 0})
    hot = lem_safe.energy(normal, temperature=2.0)
    x = np.asarray(lem_safe.sample(hot, {"far": Ball([50.0, 0.0], 1.0)}, **given).samples)
    _has_mean(x[:, 0] ** 2, 2.0, "temperature")


def a_slope_that_is_not_the_gradient_is_found() -> None:
    def half_detached(x: Tensor) -> Tensor:
        return normal(x) + normal(x.detach())

    _must_refuse(half_detached, "gradient that is not its slope")
    _must_refuse(lambda x: normal(x) * torch.rand(1), "random numbers")
    _must_refuse(lambda x: normal(x) / (1e-3 + x.std()), "batch as a whole")
    _must_refuse(lambda x: normal(x).cos(), "does not grow far out")


def what_overflows_far_out_is_examined_nearer() -> None:
    """The posterior of a normal sample's mean and log σ, by three ways that break far out: NaN, an error of
    torch's, and an energy that falls before it breaks.
    """
    y = torch.tensor([4.1, 3.2, 5.0, 4.4, 2.9, 3.8], dtype=torch.float64)

    def by_hand(x: Tensor) -> Tensor:
        r = (y - x[:, :1]) * (-x[:, 1:]).exp()
        return 0.5 * r.square().sum(1) + len(y) * (x[:, 1].exp() * (-x[:, 1]).exp() * x[:, 1])

    def by_torch(x: Tensor) -> Tensor:
        return -torch.distributions.Normal(x[:, :1], x[:, 1:].exp()).log_prob(y).sum(1)

    near = torch.tensor([[3.9, -0.3]]) + 0.3 * torch.randn(
        20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    for U in (by_hand, by_torch):
        assert not math.isfinite(float(by_hand(torch.tensor([[0.0, 900.0]], dtype=torch.float64))))
        try:
            value, gradient = lem_safe.energy(U)(near), lem_safe.energy(U).value_and_gradient(near)[1]
        except lem_safe.BadInput as refused:
            raise AssertionError(refused) from refused
        assert bool((value - by_torch(near)).std() < 1e-9) and bool(gradient.isfinite().all())
    _must_refuse(lambda x: normal(x) + 0 * (36 - x.square().sum(-1)).sqrt(), "cannot be followed far out")
    _must_refuse(lambda x: 0 * (1e4 - x.square().sum(-1)).sqrt() - 0.01 * normal(x), "does not grow far out")


def _must_refuse(function: Callable[[Tensor], Tensor], said: str) -> None:
    try:
        lem_safe.energy(function)(torch.randn(20, 2, generator=torch.Generator().manual_seed(0)))
    except lem_safe.BadInput as refused:
        assert said in str(refused), refused
    else:
        raise AssertionError(f"not refused: {said}")


def _has_mean(x: np.ndarray, exact: float, what: str) -> None:
    """Within 4 standard errors, for independent values."""
    off = (x.mean() - exact) / (x.std() / math.sqrt(len(x)))
    assert abs(off) < 4, (what, x.mean(), off)
