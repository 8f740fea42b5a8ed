"""A guard inside a functional sampler on arrays of numpy: init(position), and kernel(key, state) -> state,
info.

The kernel is a Metropolis-adjusted Langevin step of a double well, written with numpy alone, in the form of
libraries that keep the state outside of the sampler. It is one kernel, reversible for one distribution, so
beside the count the guard promises what these samples are: the KL projection of the double well (G.3). Here
that is known by quadrature, and compared.

    python examples/functional_loop.py [--steps N]
"""

import argparse
from typing import NamedTuple

import numpy as np

import lem_safe

STEP, BETA = 0.05, 0.1


class State(NamedTuple):
    """Positions [n, 2], and U and ∇U there."""

    position: np.ndarray
    energy: np.ndarray
    gradient: np.ndarray


class Info(NamedTuple):
    """Which proposals were accepted [n]."""

    accepted: np.ndarray


def potential(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """U = (x₀² − 1)² + ½x₁² and its gradient."""
    well, across = x[:, 0] ** 2 - 1, x[:, 1]
    return well**2 + 0.5 * across**2, np.stack([4 * x[:, 0] * well, across], 1)


def init(position: np.ndarray) -> State:
    """The state at a position."""
    return State(position, *potential(position))


def kernel(key: np.random.Generator, state: State) -> tuple[State, Info]:
    """One Metropolis-adjusted Langevin step."""
    x, U, g = state
    y = x - STEP * g + np.sqrt(2 * STEP) * key.normal(size=x.shape)
    V, k = potential(y)
    there, back = ((y - x + STEP * g) ** 2).sum(1), ((x - y + STEP * k) ** 2).sum(1)
    accepted = np.log(key.uniform(size=len(x))) < U - V + (there - back) / (4 * STEP)
    rows = accepted[:, None]
    return State(np.where(rows, y, x), np.where(accepted, V, U), np.where(rows, k, g)), Info(accepted)


def unsafe(x):
    """The right well: where this is true."""
    return x[:, 0] > 0.2


class Result(NamedTuple):
    """The samples, and the mean of x₀² outside of the region: of these, and exactly."""

    x: np.ndarray
    found: float
    exact: float


def main(steps: int = 400, particles: int = 4000, seed: int = 0) -> Result:
    """Runs the chain with a guard, audits, and compares with quadrature."""
    key = np.random.default_rng(seed)
    state = init(np.array([-1.0, 0.0]) + 0.1 * key.normal(size=(particles, 2)))
    guard = lem_safe.guard({"right": unsafe}, beta=BETA, seed=seed)
    for _ in range(steps):
        proposed, _ = kernel(key, state)
        state = init(guard(state.position, proposed.position))  # what is taken, as a state again

    report = guard.report(state.position)  # the audit: of these samples, and of every call
    s = np.linspace(-4, 0.2, 20_001)
    weight = np.exp(-((s**2 - 1) ** 2))
    exact = float((weight * s**2).sum() / weight.sum())
    outside = state.position[~unsafe(state.position), 0]
    print(report)
    print(f"outside the region the mean of x0^2 is {np.mean(outside**2):.3f}; of the projection {exact:.3f}")
    return Result(state.position, float(np.mean(outside**2)), exact)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400, help="steps of the chain")
    main(**vars(parser.parse_args()))
