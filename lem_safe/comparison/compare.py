"""Filters side by side on one scenario: the same energy, starts and noise, one table. `thinning` is the
baseline for a filter (P.1).

Each is measured by its largest fraction over the checked steps and its last one, by the distance of its cloud
from the exact KL projection (P.1, P.2), by its KL from the unfiltered distribution, compared with the least
of any method (P.6, P.7), and by the cost of a step relative to no filter, all in one process. Every filter
has the aim of the scenario's own. A seed determines starts and noise, not the energy, which is the scenario's
own, so seeds and `audit.replicas` are independent clouds of one distribution. A bound is reported where
nothing was tuned on the draws (A.7), each constraint's at its share of the error (A.4): from samples where
particles are independent, and otherwise from two or more clouds (A.5).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from barriers.arrays import torch
from lem_safe.comparison.kl_projection import projection_of
from lem_safe.comparison.page import write_page
from lem_safe.comparison.race import Race, sampled
from lem_safe.comparison.result import Comparison, Entry
from lem_safe.distances.kl_price import needed, seen
from lem_safe.errors import BadInput, Fault
from lem_safe.files import write_json, write_npz, write_text
from lem_safe.progress import Progress, Silent
from lem_safe.runs.problem import check_precision
from lem_safe.scenario import Scenario

FILTERS = (
    "none",
    "penalty",
    "drift",
    "pointwise",
    "step",
    "gate",
    "reject",
    "project",
    "primal_dual",
    "thinning",
)


def compare(
    scenario: Scenario,
    filters: Sequence[str] | None = None,
    *,
    seeds: int = 1,
    out: Path | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Runs filters on the scenario with the same seeds; `out` gets compare.json, fractions.npz, the page and
    its plot.

    filters: names of FILTERS or the kind of the scenario's own; by default all of these. Raises BadInput for
    an unknown name. A filter that these sets do not admit is reported, and the others continue.
    """
    progress = progress or Silent()
    chosen = tuple(dict.fromkeys(known(scenario) if filters is None else filters))
    must_be_known(chosen, scenario)
    check_precision(scenario, progress)
    race = _race(scenario, seeds, progress)
    entries, fractions = [], {}
    for name in chosen:
        entry, fraction = race.entry(name)
        entries.append(entry)
        if fraction is not None:
            fractions[name] = fraction
    result = _comparison(race, entries, fractions)
    if out is not None:
        write(result, out)
    return result


def _race(scenario: Scenario, seeds: int, progress: Progress) -> Race:
    """What all filters share: the unfiltered chain of every seed and the projection; BadInput where there is
    no projection to compare with.
    """
    plain = sampled(scenario, {"kind": "none"}, [scenario.seed + k for k in range(seeds)], progress)
    try:
        target = projection_of(plain, plain[0].problem.betas, progress)
    except ValueError as error:
        raise BadInput(
            Fault(f"nothing can be compared with the projection: {error}", key="constraints")
        ) from error
    free = seen(plain[0].problem.sets, torch.cat([b.x for b in plain]))
    return Race(
        scenario=scenario,
        aimed=scenario.aimed(),
        plain=plain,
        free=free,
        target=target,
        floors={},
        progress=progress,
    )


def _comparison(
    race: Race, entries: Sequence[Entry], fractions: Mapping[str, Float[np.ndarray, "t"]]
) -> Comparison:
    """The rows together, beside what they share."""
    scenario, first, target = race.scenario, race.plain[0], race.target
    names, betas = first.problem.names, first.problem.betas
    return Comparison(
        scenario=scenario.name,
        seeds=len(race.plain),
        samples=first.sizes[0],
        steps=first.fraction.shape[1],
        projection=target.kind,
        floor=race.chance(len(first.x)),
        entries=tuple(entries),
        fractions=fractions,
        confidence=scenario.audit.confidence,
        clouds=len(first.sizes),
        after_step=scenario.audit.after_step,
        aim=dict(zip(names, race.aimed, strict=True)) if race.aimed != betas else None,
        measure=target.measure,
        needed=needed(race.free, betas, scenario.audit.confidence),
    )


def known(scenario: Scenario) -> tuple[str, ...]:
    """The filters that can be compared on a scenario: FILTERS, and the scenario's own where that is another
    one, such as a chain.
    """
    return tuple(dict.fromkeys((*FILTERS, str(scenario.filter["kind"]))))


def must_be_known(filters: Sequence[str], scenario: Scenario) -> None:
    """Raises BadInput for an unknown name, and for no name at all."""
    unknown = [name for name in filters if name not in known(scenario)]
    if unknown == ["chain"]:
        raise BadInput(
            Fault(
                "the scenario's own filter is not a chain, so there is no chain to compare; write one in "
                "the scenario",
                key="--filters",
            )
        )
    if unknown or not filters:
        what = f"'{unknown[0]}' cannot be compared" if unknown else "names no filter"
        raise BadInput(Fault(f"{what}; filters: {', '.join(known(scenario))}", key="--filters"))


def write(result: Comparison, out: Path) -> Path:
    """Writes compare.json, fractions.npz, compare.html and figures/compare.png; returns the page's path."""
    (out / "figures").mkdir(parents=True, exist_ok=True)
    write_json(out / "compare.json", result.to_dict())
    write_npz(out / "fractions.npz", **result.fractions)
    write_text(out / "compare.html", write_page(result.to_dict(), result.fractions, out / "figures"))
    return out / "compare.html"
