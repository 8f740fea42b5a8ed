"""The judge: two tables in, a judgement out."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from barriers.tables import TableFormat, listed
from lem_safe.data.names import suggestion
from lem_safe.errors import BadInput, Fault
from lem_safe.judging import columns as columnwise
from lem_safe.judging import learned, near
from lem_safe.judging.classifiers import installed, must_be_installed
from lem_safe.judging.columns import Looked
from lem_safe.judging.effort import BRIEF, FULL, Effort
from lem_safe.judging.judgement import Judgement
from lem_safe.judging.learned import Learnt
from lem_safe.judging.reading import Asked, Tables, read
from lem_safe.judging.sdmetrics_score import sdmetrics_score
from lem_safe.judging.splits import splits
from lem_safe.judging.table import Table
from lem_safe.progress import Progress, Silent

SHARE = 0.5
"""The share of the real rows on which models of the target are tested, without other rows held out."""
SEVERAL = 20
"""Cells below which they are not said to be identifiers."""
MOST = 50_000
"""Rows of each table that the report of a run looks at."""
FEWEST = 50
"""Real rows below which the report of a run makes no two-sample test."""

NO_TARGET = Learnt([], None, ["Not measured: what models learn from samples, which needs --target COLUMN"])


class Question(NamedTuple):
    """How much is computed, with which seed; the target of the models, if any, and the share of the real rows
    on which they are tested.
    """

    effort: Effort
    seed: int
    target: str | None = None
    share: float = SHARE

    @property
    def steps(self) -> int:
        """How many steps are reported."""
        effort = self.effort
        targets = int(self.target is not None)
        return (2 + targets) * effort.splits + effort.tests * len(effort.learners)


def quality(
    samples: Any,
    real: Any,
    *,
    target: str | None = None,
    holdout: Any = None,
    holdout_share: float = SHARE,
    columns: Sequence[str] | None = None,
    categories: Sequence[str] = (),
    header: bool | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Judgement:
    """How alike samples and real rows are, each measure beside what two halves of the real rows differ by.

    samples, real: files (.csv and other text, .parquet, .npz, .npy), tables of pandas or Arrow, arrays [n, d]
    or tensors, with the same columns; further columns of the samples are not judged.
    target: a column that models are trained to predict, on samples and on real rows.
    holdout: real rows that the generator has not seen, which show whether it has memorised others.
    holdout_share: without them, the share of the real rows on which the models are tested.
    columns: the columns to judge, all by default. categories: columns of numbers that are categories.
    header, separator, decimal: how text is written, where that is ambiguous.
    seed: of the splits and the learners; the same seed gives the same judgement.

    Raises BadInput for tables that cannot be compared, and where scikit-learn is not installed.
    """
    if not 0 < holdout_share < 1:
        raise BadInput(Fault(f"must be > 0 and < 1; got {holdout_share:g}", key="holdout_share"))
    must_be_installed()
    given: dict[str, Any] = {"separator": separator, "decimal": decimal}
    try:
        form = TableFormat(header, **given, missing="keep")
    except ValueError as error:
        key, _, rule = str(error).partition(" ")
        raise BadInput(Fault(rule, key=key)) from None
    tables = read(samples, real, holdout, Asked(columns, tuple(categories), form))
    chosen = None if target is None else _target(target, tables)
    return _judged(tables, Question(FULL, seed, chosen, holdout_share), progress or Silent())


def in_report(
    real: Any, samples: Any, names: Sequence[str] | None = None, *, seed: int = 0
) -> Judgement | None:
    """A brief judgement for the report of a run, in about a second: the rows an energy was trained on against
    its samples, both as arrays [n, d] with these names or as tables. None where there are fewer than two of
    either.
    """
    tables = read(samples, real, None, Asked(names=names))
    if min(len(tables.real), len(tables.samples)) < 2:
        return None
    tables = _some(tables, np.random.default_rng([seed, 5]))
    learners = BRIEF.learners if installed() and len(tables.real) >= FEWEST else ()
    return _judged(tables, Question(BRIEF._replace(learners=learners), seed), Silent())


def _some(tables: Tables, rng: np.random.Generator) -> Tables:
    """At most MOST rows of each table, chosen at random, with a note where these are not all."""
    notes, chosen = list(tables.notes), []
    for table, what in ((tables.samples, "samples"), (tables.real, "rows of data")):
        if len(table) > MOST:
            notes.append(f"{MOST:,} of {len(table):,} {what} are looked at, chosen at random")
            table = table.rows(np.sort(rng.permutation(len(table))[:MOST]))
        chosen.append(table)
    return Tables(chosen[0], chosen[1], tables.holdout, tuple(notes))


def _target(target: str, tables: Tables) -> str:
    """The name of the target as the tables have it."""
    names = [column.name for column in tables.real.columns]
    if target not in names:
        raise BadInput(Fault(f"no column '{target}'; {suggestion(target, names)}", key="--target"))
    if len(names) < 2:
        raise BadInput(Fault(f"'{target}' is the only column, and is predicted from others", key="--target"))
    return target


def _judged(tables: Tables, asked: Question, progress: Progress) -> Judgement:
    """Every measure, in the order of the page."""
    real, samples, holdout = tables.real, tables.samples, tables.holdout
    told, full = _counter(progress, asked.steps), asked.effort is FULL
    looked, h = _looked(tables, asked, told)
    learnt = _learnt(tables, asked, told)
    nearest = near.distances(real, samples, asked.effort, asked.seed, told)
    nearer, without = near.nearer(real, samples, holdout, asked.effort, asked.seed)
    progress.finish(f"{len(samples):,} samples against {len(real):,} real rows")
    counts = {"samples": len(samples), "real": len(real)}
    return Judgement(
        samples=samples.source,
        real=real.source,
        holdout=None if holdout is None else holdout.source,
        rows=counts | ({} if holdout is None else {"holdout": len(holdout)}),
        measures=(
            *columnwise.measures(real, samples, looked, h),
            *learnt.measures,
            *nearest,
            *nearer,
        ),
        columns=columnwise.columns(real, samples, looked, h),
        pairs=columnwise.pairs_of(real, samples, looked),
        copies=near.counted(real, samples, holdout),
        target=learnt.facts,
        sdmetrics=sdmetrics_score(real, samples) if full else {"score": None},
        notes=(*tables.notes, *identifiers(real), *learnt.why, *(without if full else [])),
        seed=asked.seed,
        tables=(real, samples),
    )


def _looked(tables: Tables, asked: Question, told: Callable[[], None]) -> tuple[Looked | None, int]:
    """The measures of columns and pairs over the splits, and the rows of a part; None without any."""
    effort = asked.effort
    rng = np.random.default_rng([asked.seed, 0])
    parts = list(splits(tables.real, tables.samples, effort.splits, effort.rows, rng))
    return (columnwise.look(parts, told), len(parts[0].real)) if parts else (None, 0)


def _learnt(tables: Tables, asked: Question, told: Callable[[], None]) -> Learnt:
    """The two-sample test and, with a target, models of it."""
    found = learned.detection(tables.real, tables.samples, asked.effort, asked.seed, told)
    if asked.target is None:
        return found if asked.effort is not FULL else found.and_also(NO_TARGET)
    split = learned.Training(asked.target, asked.share, asked.effort, asked.seed)
    return found.and_also(learned.trained(tables.real, tables.samples, tables.holdout, split, told))


def identifiers(real: Table) -> list[str]:
    """What is said of columns in which most real cells are different texts, which tell nothing."""
    found = []
    for i, column in enumerate(real.columns):
        cells = real.values[:, i]
        cells = cells[~np.isnan(cells)]
        if not column.ordered and len(cells) >= SEVERAL and len(np.unique(cells)) > len(cells) / 2:
            found.append(column.name)
    if not found:
        return []
    named = listed(found)
    return [f"Most cells are different texts, as of identifiers, and tell nothing: {named}; leave them out"]


def _counter(progress: Progress, steps: int) -> Callable[[], None]:
    """A function that reports one step more."""
    progress.start("judging", steps)
    done = 0

    def told() -> None:
        nonlocal done
        done += 1
        progress.update(done, "")

    return told
