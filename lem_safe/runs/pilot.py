"""The pilot of a tilt: a run with a seed of its own, from whose membership the multipliers are learned before
the run that is judged begins (G.4).

The pilot samples the unfiltered energy as the run will, with as many steps. Where a set holds
much more than half of that cloud, another round is tilted until it holds half, and all rounds are put
together: so what is known of each set comes from many particles on either side. Nothing of the pilot is
counted or saved with the samples, which are therefore independent of it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from barriers.arrays import torch
from barriers.filters import needs_pilot
from barriers.filters.base import insides
from barriers.patterns import Cloud, Masses, multipliers, unfiltered_masses
from lem_safe.bounds.power import pilot_particles
from lem_safe.errors import BadInput, Fault
from lem_safe.keys import Key
from lem_safe.progress import Progress
from lem_safe.runs.problem import Problem
from lem_safe.runs.spreading import followed_together

PILOT = "pilot.json"
"""The file of a run directory that keeps the pilot."""
ROUNDS = 6
"""Rounds before a set that still swallows everything is refused."""
HALF = 0.5


@dataclass(frozen=True)
class Pilot:
    """What a pilot learned: the multipliers in nats, one per constraint, what they aim at, and the mass that
    each set has without a filter, from so many particles in so many rounds.
    """

    multipliers: tuple[float, ...]
    aims: tuple[float, ...]
    unfiltered: tuple[float, ...]
    particles: int
    rounds: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON; an infinite multiplier is the string `inf`."""
        numbers = ["inf" if μ == float("inf") else μ for μ in self.multipliers]
        return asdict(self) | {"multipliers": numbers}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Pilot":
        """What `to_dict` wrote."""
        each = {name: tuple(map(float, data[name])) for name in ("multipliers", "aims", "unfiltered")}
        return cls(**each, particles=int(data["particles"]), rounds=int(data["rounds"]))


def known_pilot(directory: Path) -> Pilot | None:
    """The pilot of an earlier part of the run in this directory; None where there is none, and it is made
    again.
    """
    try:
        return Pilot.from_dict(json.loads((directory / PILOT).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        fault = Fault("is damaged; remove it, and the pilot runs again", file=str(directory / PILOT))
        raise BadInput(fault) from error


def piloted(
    problem: Problem, progress: Progress, known: Pilot | None = None, particles: int | None = None
) -> tuple[Problem, Pilot | None]:
    """The problem with a filter that can be applied, and the pilot that it took; `known` is used in the place
    of a new one. particles: of each round, by default as many as a run's aim expects. Raises BadInput where
    the tolerances exclude each other.
    """
    if problem.filter is None or not needs_pilot(problem.filter):
        return problem, None
    pilot = _pilot(problem, progress, particles) if known is None else known
    return problem.piloted_by(pilot.multipliers), pilot


def _pilot(problem: Problem, progress: Progress, particles: int | None) -> Pilot:
    key, aims, clouds = Key(problem.scenario.seed).fold("pilot"), problem.scenario.aimed(), list[Cloud]()
    size = particles or pilot_particles(problem.scenario.sampler.samples, problem.betas)
    problem = problem.piloted_by(None, size)
    μ = torch.zeros(len(aims), dtype=torch.float64)
    for r in range(ROUNDS):
        clouds.append(_round(problem, key.fold(r), μ, f"pilot, round {r + 1}", progress))
        found = unfiltered_masses(clouds)
        shares = clouds[-1].inside.double().mean(0)
        if bool((shares <= (1 + HALF) / 2).all()):
            break
        μ = _solved(problem, found, (HALF,) * len(aims))
    else:
        worst = problem.names[int(shares.argmax())]
        raise BadInput(
            Fault(
                f"tilt: after {ROUNDS} rounds of {problem.scenario.sampler.steps:,} steps {worst} still "
                f"holds {100 * float(shares.max()):.3g} % of the pilot's particles, so its multiplier cannot "
                "be learned; use more steps, a start outside of it, or the filter gate",
                key="filter",
            )
        )
    solved = _solved(problem, found, aims)
    progress.say(
        "tilt: multipliers "
        + ", ".join(f"{name} {m:.4g}" for name, m in zip(problem.names, solved.tolist(), strict=True))
        + f", learned from {sum(len(c.inside) for c in clouds):,} particles of a pilot"
    )
    return Pilot(
        tuple(solved.tolist()),
        tuple(aims),
        tuple(found.of_sets().tolist()),
        sum(len(cloud.inside) for cloud in clouds),
        len(clouds),
    )


def _round(problem: Problem, key: Key, μ: torch.Tensor, title: str, progress: Progress) -> Cloud:
    """The final cloud of one run of the scenario's length under these multipliers."""
    now = problem.piloted_by(μ.tolist())
    course = now.course(title, problem.scenario.sampler.steps, filtered=True)
    ended = followed_together(now, key, course, filtered=True, progress=progress)
    return Cloud(insides(problem.sets, ended.x).cpu(), μ)


def _solved(problem: Problem, found: Masses, limits: tuple[float, ...]) -> torch.Tensor:
    try:
        return multipliers(found, limits)
    except ValueError as error:
        raise BadInput(
            Fault(
                f"tilt: no multipliers meet the tolerances of {', '.join(problem.names)} together ({error}); "
                "raise one of them, or constrain the union of the sets",
                key="constraints",
            )
        ) from error
