"""Fig. 2 and related claims: compositions of two trained energies, their curl, their normalisers (C.1–C.4,
O.4).
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from barriers.arrays import Tensor, torch
from lem_safe.data.mixture import Mixture
from lem_safe.energies import MLP, Disjunction, Energy, GaussianMixture, MixtureBase, Network, WeightedSum
from lem_safe.keys import Key
from lem_safe.normalization.log_z import log_z
from lem_safe.report.style import Draw
from lem_safe.reproduce.claim import Claim, Found, Setting, langevin, verdict_of
from lem_safe.reproduce.pictures import cloud_picture
from lem_safe.training.calibrated import Calibrated
from lem_safe.training.loss import Loss
from lem_safe.training.settings import TrainingSettings
from lem_safe.training.trained import Trained

A = [[3.0, 3.0], [3.0, -3.0], [-3.0, 3.0], [-3.0, -3.0]]
B = [[0.0, 4.0], [0.0, -4.0], [4.0, 0.0], [-4.0, 0.0]]
STD, NEAR, WEIGHT = 0.3, 1.5, 0.35
MIDWAY = [[s * x, t * y] for s in (1, -1) for t in (1, -1) for x, y in ((3.5, 1.5), (1.5, 3.5))]
"""Between neighbouring centres of A and B: the modes of U_A + U_B."""
STEP, STEPS, CLOSE = 0.005, 600, 0.6
CURL = 1e-12
"""Rounding, as a rotation: 1e-16 over the radius .01 of the circles, times the loss in a sum
of many terms.
"""


class Recipe(NamedTuple):
    """How the experts are trained."""

    network: Network
    loss: Loss
    training: TrainingSettings


ON_A_MIXTURE = Recipe(MixtureBase(), Calibrated(sigma=0.03, wide=1.0), TrainingSettings())
"""A conjunction has its mass 1.6 from both parents' centres, five of their standard deviations, beyond their
outermost rows, where an energy is its confining term. So that is a mixture fitted to the rows, of the same
family as these data.
"""
PLAIN = Recipe(
    MLP(hidden=64, depth=3, confinement=1.0),
    Calibrated(sigma=0.035, wide=3.5, share=0.1, spread=1.7, draws=768, drawn_wide=0.5, rarity=0.6),
    TrainingSettings(steps=3000, batch_size=512, learning_rate=0.004, patience=40),
)
"""A perceptron alone, with ½κ‖z‖² as its confining term: the wide noise takes rows to the flanks, whose
distance it learns, but not their shape. Both recipes were chosen on the seeds 5 to 10, which are in no table.
"""


def expert(means: list[list[float]], recipe: Recipe = ON_A_MIXTURE) -> Trained:
    """The energy of draws of four equal Gaussians, to be learned."""
    return Trained(Mixture(means, STD), *recipe)


def experts(setting: Setting, seed: int) -> tuple[Energy, Energy]:
    """U_A and U_B, each trained once on its own draws."""
    return setting.train(expert(A), seed), setting.train(expert(B), seed)


def fig2(setting: Setting) -> Found:
    """Counts of the negation, the conjunction's radius, the disjunction's shares; trained energies, every
    seed.
    """
    rows: list[dict[str, Any]] = []
    pictures: tuple[Draw, ...] = ()
    for seed in setting.seeds:
        found, clouds = _composed(setting, *experts(setting, seed), seed)
        rows.append(found)
        if seed == setting.seed:
            pictures = tuple(
                cloud_picture(x.numpy(), name, 6.0, {"x": A, "*": B}) for name, x in clouds.items()
            )
    n = setting.particles
    near = {name: ", ".join(str(r[f"near_{name}"]) for r in rows) for name in "ab"}
    midway = [r["midway"] for r in rows]
    radii, shares = (
        ", ".join(f"{r['radius']:.3f}" for r in rows),
        [share for r in rows for share in r["shares"]],
    )
    words = [
        f"negation: {near['b']} of {n:,} near B, {near['a']} near A (exact energies: 4974.7 ± 5.0 of 5,000)",
        f"conjunction: mean radius {radii} (exact: 3.814), of its mass {min(midway):.3f} to "
        f"{max(midway):.3f} within {CLOSE} of the "
        "eight points midway between neighbouring centres (exact: .981)",
        f"disjunction: shares of the eight centres {min(shares):.3f} to {max(shares):.3f}",
    ]
    note = (
        "The confining term of the experts is a mixture fitted to their rows (E.22), from the family that "
        "generated the rows. It determines the conjunction, which "
        "lies beyond the outermost rows, and the network adds nothing. With a perceptron alone the "
        "conjunction lies on a ring, as in the paper's picture; "
        "docs/composition.md shows both, and the mixtures without networks, beside the exact compositions."
    )
    return Found(
        verdict_of(all(_holds(r, n) for r in rows)),
        "; ".join(words) + f". Seeds {setting.seeds}.",
        {"seeds": rows},
        pictures,
        note,
    )


def _holds(row: Mapping[str, Any], n: int) -> bool:
    """Whether the three compositions of one seed are as the claim has them, of n particles each."""
    negation = row["near_b"] >= 0.98 * n and row["near_a"] == 0
    conjunction = abs(row["radius"] - 3.814) < 0.1
    disjunction = min(row["shares"]) >= 0.08 and max(row["shares"]) <= 0.17
    return bool(negation and conjunction and disjunction)


def _composed(setting: Setting, a: Energy, b: Energy, seed: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    n = setting.particles
    everywhere = GaussianMixture(means=A + B, std=STD).sample(Key(seed).fold("start").generator(), n)
    cross = WeightedSum([b, a], [1.0, -WEIGHT])
    joined = Disjunction(
        [a, b],
        log_normalizers=[
            log_z(u, Key(seed).fold(k), islands=8, particles=512).value for k, u in enumerate((a, b))
        ],
    )
    clouds = {
        "U_A": langevin(a, everywhere, STEP, STEPS, seed)[0],
        "U_B": langevin(b, everywhere, STEP, STEPS, seed)[0],
        "U_A + U_B": langevin(WeightedSum([a, b]), everywhere, STEP, STEPS, seed)[0],
        "−log(e^−U_A + e^−U_B)": langevin(joined, everywhere, STEP, STEPS, seed)[0],
        f"U_B − {WEIGHT} U_A": langevin(cross, everywhere, STEP, STEPS, seed)[0],
    }
    negation, both, either = (
        clouds[name] for name in (f"U_B − {WEIGHT} U_A", "U_A + U_B", "−log(e^−U_A + e^−U_B)")
    )
    nearest = torch.cdist(either, torch.tensor(A + B, dtype=torch.float64)).argmin(1)
    return {
        "near_b": int(_near(negation, B).sum()),
        "near_a": int(_near(negation, A).sum()),
        "radius": float(both.norm(dim=1).mean()),
        "midway": float(
            (torch.cdist(both, torch.tensor(MIDWAY, dtype=torch.float64)).min(1).values < CLOSE)
            .double()
            .mean()
        ),
        "shares": [float(v) for v in torch.bincount(nearest, minlength=8) / n],
    }, clouds


def curl(setting: Setting) -> Found:
    """The circulation of the samplers' drift around small circles, in float64: by Stokes, its curl there."""
    a, b = (u.double() for u in experts(setting, setting.seed))
    x = 3 * torch.randn(256, 2, generator=Key(setting.seed).fold("curl").generator(), dtype=torch.float64)
    found = {}
    for name, energy in (
        ("U_A + U_B", WeightedSum([a, b])),
        (f"U_B − {WEIGHT} U_A", WeightedSum([b, a], [1.0, -WEIGHT])),
        ("disjunction", Disjunction([a, b], log_normalizers=[0.0, 0.0])),
    ):
        rotation = circulation(partial(_gradient, energy), x)
        found[name] = float((rotation.abs() / (1 + energy.value_and_gradient(x)[1].norm(dim=1))).max())
    return Found(
        verdict_of(max(found.values()) < CURL),
        f"largest rotation of ∇U over 1 + ‖∇U‖, at {len(x)} points: "
        + ", ".join(f"{k} {v:.1e}" for k, v in found.items())
        + ".",
        found,
    )


def _gradient(energy: Energy, x: Tensor) -> Tensor:
    return energy.value_and_gradient(x)[1]


def circulation(
    gradient: Callable[[Tensor], Tensor], x: Tensor, radius: float = 0.01, nodes: int = 64
) -> Tensor:
    """The mean curl of a field in a disc about each x, ∮g·dx / πr², [n]; for a smooth field the error
    decreases exponentially in the number of nodes.
    """
    θ = torch.arange(nodes, dtype=x.dtype) * (2 * torch.pi / nodes)
    normal, tangent = torch.stack([θ.cos(), θ.sin()], 1), torch.stack([-θ.sin(), θ.cos()], 1)
    g = gradient((x[:, None] + radius * normal).flatten(0, 1)).view(-1, nodes, 2)
    return (g * tangent).sum(2).mean(1) * 2 / radius


def offset(setting: Setting) -> Found:
    """log Z of both experts, by thermodynamic integration, with error bars; exact mixtures have offset 0."""
    a, b = experts(setting, setting.seed)
    za, zb = (log_z(u, Key(setting.seed).fold(k)) for k, u in enumerate((a, b)))
    exact = [
        log_z(GaussianMixture(means=c, std=STD), Key(setting.seed).fold(k + 2)) for k, c in enumerate((A, B))
    ]
    gap, error = za.value - zb.value, float(np.hypot(za.error, zb.error))
    held = all(abs(z.value) < max(4 * z.error, 0.02) for z in exact) and error < 0.05
    return Found(
        verdict_of(held),
        f"trained: log Z {za.value:.3f} ± {za.error:.3f} and {zb.value:.3f} ± {zb.error:.3f}, offset "
        f"{gap:.3f} ± {error:.3f} nats. "
        "On exact, normalised mixtures the method gives "
        + " and ".join(f"{z.value:.4f} ± {z.error:.4f}" for z in exact)
        + " where 0 is true.",
        {
            "log_z": [za.value, zb.value],
            "error": [za.error, zb.error],
            "offset": gap,
            "exact": [z.value for z in exact],
        },
        (),
        "The paper's .023 and 62 belong to its own networks: the additive constant of an energy is "
        "arbitrary, so only the method can be "
        "checked; alignment removes the effect of the constant.",
    )


def _near(x: Tensor, centers: list[list[float]]) -> Tensor:
    return torch.cdist(x, torch.tensor(centers, dtype=torch.float64)).min(1).values < NEAR


CLAIMS = (
    Claim(
        "fig2",
        "Fig. 2: three compositions, nothing retrained",
        "§4.1, Fig. 2",
        "negation: 4,973 of 5,000 within 1.5 of a B centre, 0 near A; the conjunction is a ring; the "
        "disjunction covers both",
        "98 % near B, none near A, radius within .1 of 3.814, each share within 8–17 %, every seed",
        fig2,
    ),
    Claim(
        "curl",
        "Composed drifts have no curl",
        "§4.1, eq. 19",
        "at the level of automatic differentiation noise",
        f"{CURL:g}, relative to the drift, in float64",
        curl,
    ),
    Claim(
        "log_z",
        "Normalisers differ, and this affects the disjunction",
        "§4.1",
        "alignment offset .023 on a scale of about 62",
        "exact mixtures within 4 error bars of 0; the offset known within .05 nats",
        offset,
    ),
)
