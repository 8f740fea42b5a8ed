"""A posterior under a policy: a logistic regression of loans whose groups may differ by five points.
Past decisions favoured one group, and so does the posterior. The policy is about draws, at most one in twenty
of which may break it, and not about their mean, which half of the draws exceed where it meets the limit.

Expected verdict: passed.

    python fair_posterior.py
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

import lem_safe

LIMIT, BETA = 0.05, 0.05  # how far the groups may differ, and how many of the draws may differ by more
SAMPLES, PRIOR = 4000, 2.0  # how many draws, and the standard deviation of the prior of each coefficient
COLUMNS = ("base", "income", "history", "group")


def loans(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Past decisions: the design [k, 4] of k kinds of applicants, and how many of each there were and were
    approved. Put yours here.
    """
    rng = np.random.default_rng(seed)
    income, history, group = (a.ravel() for a in np.meshgrid([-1.5, -0.5, 0.5, 1.5], [-1, 0, 1], [0, 1]))
    design = np.column_stack([np.ones(len(group)), income, history, group])
    many = 1 + rng.poisson(12 + 8 * (income > 0) * (group == 0) + 8 * (income < 0) * (group == 1))
    approved = rng.binomial(many, 1 / (1 + np.exp(-(0.3 + 0.9 * income + 0.6 * history - 0.25 * group))))
    return (
        torch.tensor(design),
        torch.tensor(many, dtype=torch.float64),
        torch.tensor(approved, dtype=torch.float64),
    )


DESIGN, MANY, APPROVED = loans()


def log_density(theta: Tensor) -> Tensor:
    """log of the posterior density of rows of coefficients [n, 4], up to a constant."""
    score = theta @ DESIGN.T.to(theta)
    fit = APPROVED.to(theta) * score - MANY.to(theta) * torch.nn.functional.softplus(score)
    return fit.sum(-1) - 0.5 * (theta / PRIOR).square().sum(-1)


def gap(theta: Tensor) -> Tensor:
    """By how much more often equals of the first group are approved than those of the second: the mean over
    all applicants of the difference that the group alone makes. Put your measure here.
    """
    as_group = [DESIGN.clone().to(theta) for _ in range(2)]
    for k, design in enumerate(as_group):
        design[:, 3] = k
    weight = (MANY / MANY.sum()).to(theta)
    first, second = ((theta @ design.T).sigmoid() @ weight for design in as_group)
    return first - second


def mode() -> tuple[Tensor, Tensor]:
    """The most likely coefficients, and the covariance of the normal distribution there."""
    theta = torch.zeros(4, dtype=torch.float64)
    for _ in range(30):  # Newton's method: the density is log-concave
        slope = torch.autograd.functional.jacobian(lambda t: log_density(t[None])[0], theta)
        H = torch.autograd.functional.hessian(lambda t: log_density(t[None])[0], theta)
        theta = theta - torch.linalg.solve(H, slope)
    return theta, torch.linalg.inv(-H)


def start(samples: int, seed: int = 0) -> Tensor:
    """Rows around the mode, twice as wide as the posterior, that keep to the policy."""
    middle, covariance = mode()
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(20 * samples, 4, generator=generator, dtype=torch.float64)
    rows = middle + 2 * noise @ torch.linalg.cholesky(covariance).T
    return rows[gap(rows) < LIMIT][:samples]


def sample(samples: int = SAMPLES, filter: Any = "tilt", seed: int = 0, **options: Any) -> lem_safe.Run:
    """Draws of the posterior under the policy, beside those without it. options: others of lem_safe.sample,
    such as out="runs/mine" for a report.
    """
    return lem_safe.sample(
        lem_safe.energy(log_density, log_density=True, name="loans"),
        {"unfair": lem_safe.Constraint(lambda theta: LIMIT - gap(theta), smooth=True)},
        beta=BETA,
        filter=filter,
        **{
            "sampler": {"kind": "mala", "metric": "hessian", "adapt": {"steps": 50, "target": 0.8}},
            "steps": 200,
            "step_size": 0.3,
            "init": start(samples, seed),
            "columns": COLUMNS,
            "monitors": {"every": 20, "samples": 1000},
            "seed": seed,
            "name": "fair_posterior",
            **options,
        },
    )


def main() -> None:
    run = sample()
    for name, x in (("without the policy", run.unfiltered), ("with it", run.samples)):
        found = gap(torch.as_tensor(x))
        share = 100 * (found > LIMIT).double().mean()
        print(f"{name:18}  mean gap {found.mean():.3f}, above the limit in {share:.1f} %")
    print(run.report)


if __name__ == "__main__":
    main()
