"""Finished samples brought within their tolerances by removing rows (P.1, P.8): all rows outside every region
stay, and as many others as the tolerances allow, so that the distribution is the nearest (KL) that meets
them.

Several passes over the samples, in the memory of one block: the patterns of membership are counted, the rows
of each that stay are determined (`decision`), and then these rows are copied as they are. Where the file
numbers clouds or chains, each is thinned by itself, so that independent ones remain independent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, SupportsFloat

import numpy as np
from jaxtyping import Float, Int64

from barriers.budget import budget
from barriers.tables import TableFormat, kind_of
from lem_safe.auditing import Asked, scenario_for, table_format
from lem_safe.auditor.drawn import Drawn
from lem_safe.auditor.opening import Source, open_samples
from lem_safe.errors import BadInput, Fault
from lem_safe.progress import Progress, Silent
from lem_safe.thinning.choice import Flags
from lem_safe.thinning.decision import Decision, by_count, one_by_one
from lem_safe.thinning.destination import must_hold, write
from lem_safe.thinning.in_memory import selected
from lem_safe.thinning.outcome import RegionCounts, Thinned
from lem_safe.thinning.task import Task, task_of


def thin(
    samples: Source,
    scenario: Asked,
    out: str | PathLike[str] | None = None,
    *,
    beta: SupportsFloat | Mapping[str, SupportsFloat] | None = None,
    seed: int | None = None,
    independent: bool = False,
    overwrite: bool = False,
    columns: Sequence[str] | None = None,
    header: bool | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    missing: str = "error",
) -> Thinned:
    """Removes rows until every tolerance is met: all rows outside every region stay, and of the others as
    many as possible, chosen at random. Rows of samples in memory are returned as `selection`, of the type
    that was given; those of a file are copied to `out`, a file of the same kind, or for several files a
    directory.

    samples, scenario, beta, columns, header, separator, decimal, missing: as in `lem_safe.audit`.
    seed: of the choice, by default the scenario's. independent: decide each row on its own, with
    probabilities that a fifth of the rows determine, which do not stay: then independent samples remain
    independent. overwrite: replace a file. Raises BadInput for samples that cannot be thinned.
    """
    form = table_format(header, separator, decimal, missing)
    place = None if out is None else Path(out)
    return thinned(
        samples,
        scenario,
        None,
        place,
        form=form,
        columns=columns,
        beta=beta,
        seed=seed,
        independent=independent,
        overwrite=overwrite,
    )


def thinned(
    samples: Source,
    scenario: Asked,
    overrides: Mapping[str, Any] | None,
    out: Path | None,
    *,
    form: TableFormat,
    columns: Sequence[str] | None = None,
    beta: SupportsFloat | Mapping[str, SupportsFloat] | None = None,
    seed: int | None = None,
    independent: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Thinned:
    """The same; overrides: of a scenario that is loaded, by dotted key."""
    opened = open_samples(samples, columns, form)
    source = Path(samples) if isinstance(samples, str | PathLike) else None
    _must_have_place(source, out, overwrite)
    asked = scenario_for(scenario, opened, overrides, beta)
    task = task_of(opened, asked, seed, progress or Silent())
    decision = (one_by_one if independent else by_count)(task)
    found = _report(task, decision, None if out is None else str(out), independent)
    if not found.passed:
        return found
    if source is None or out is None:
        return replace(found, selection=_selection(samples, decision, coupled=not independent))

    def again() -> Flags:
        return Flags(decision.again(), task.samples.source)

    write(out, source, form, again, found.kept, coupled=found.marked)
    return found


def _selection(samples: Source, decision: Decision, *, coupled: bool) -> Any:
    """The rows that stay; those of a run remember that they depend on one another where they do."""
    chosen = selected(samples, np.concatenate(list(decision.again())))
    if isinstance(chosen, Drawn) and coupled and len(chosen) < len(samples):
        chosen.coupled = True
    return chosen


def _must_have_place(source: Path | None, out: Path | None, overwrite: bool) -> None:
    """A file needs a destination that can hold its rows, and samples in memory have none."""
    if source is None:
        if out is not None:
            raise BadInput(Fault("is for samples in a file; rows in memory are returned", key="out"))
        return
    if out is None:
        raise BadInput(Fault("needs out=, where the rows that stay are written", str(source)))
    must_hold(out, source, overwrite=overwrite)


def _report(task: Task, decision: Decision, out: str | None, independent: bool) -> Thinned:
    patterns, counts, kept = task.membership.patterns, decision.counts, decision.kept
    total, outside = int(kept.sum()), ~patterns.any(1)
    one = None if independent else decision.tilted
    by_name = [None] * len(task.sets) if decision.tilted is None else decision.tilted.multipliers.tolist()
    regions = tuple(
        RegionCounts(name, β, int(counts @ inside), int(kept @ inside), budget(β, total), μ)
        for name, β, inside, μ in zip(task.sets, task.betas, patterns.T, by_name, strict=True)
    )
    is_npz = out is not None and kind_of(Path(out)) == ".npz"
    return Thinned(
        scenario=task.scenario.name,
        fingerprint=task.scenario.fingerprint(),
        source=task.samples.source,
        out=out,
        seed=task.seed,
        method="independent" if independent else "counted",
        rows=int(counts.sum()),
        kept=total,
        dropped=task.membership.dropped,
        outside=int(counts[outside].sum()),
        outside_kept=int(kept[outside].sum()),
        learned_from=decision.learned_from,
        regions=regions,
        kl=None if one is None else _kl(kept, counts),
        kl_needed=None if one is None else _kl(counts * one.keep, counts),
        unit=task.match.unit,
        units=len(np.unique(task.membership.units)),
        marked=is_npz and not independent and task.match.unit == "sample" and total < int(counts.sum()),
    )


def _kl(kept: Float[np.ndarray, "g"] | Int64[np.ndarray, "g"], counts: Int64[np.ndarray, "g"]) -> float:
    """KL divergence, in nats, of the patterns of rows that stay from those of all rows."""
    there = kept > 0
    p, q = kept[there] / kept.sum(), counts[there] / counts.sum()
    return max(0.0, float(p @ np.log(p / q)))
