"""The measures that need a learner: the two-sample test, and models of a target."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from lem_safe.judging import two_sample, utility
from lem_safe.judging.classifiers import LEVELS, Learner, boosted, logistic
from lem_safe.judging.effort import Effort
from lem_safe.judging.judgement import Measure
from lem_safe.judging.splits import Split, beside, splits
from lem_safe.judging.table import Table, pooled

FEW_LEVELS = 20
"""Levels of a category that logistic regression tells apart."""
Told = Callable[[], None]


class Learnt(NamedTuple):
    """Measures of learners, what is known of the models of a target, and why a measure is not there."""

    measures: list[Measure]
    facts: dict[str, Any] | None
    why: list[str]

    def and_also(self, other: "Learnt") -> "Learnt":
        """Both."""
        return Learnt(self.measures + other.measures, self.facts or other.facts, self.why + other.why)


def detection(real: Table, samples: Table, effort: Effort, seed: int, told: Told) -> Learnt:
    """The two-sample test with every learner of the effort."""
    if not effort.learners:
        return Learnt([], None, [])
    parts = list(splits(real, samples, effort.tests, effort.tested, np.random.default_rng([seed, 1])))
    h = len(parts[0].real) if parts else 0
    if h < two_sample.FEWEST:
        few = (
            f"No two-sample test: it needs {2 * two_sample.FEWEST} real rows and {two_sample.FEWEST} samples"
        )
        return Learnt([], None, [few])
    found: list[Measure] = []
    for name in effort.learners:
        learner = partial(boosted, trees=effort.trees) if name == "boosting" else logistic
        levels = LEVELS if name == "boosting" else FEW_LEVELS
        tested = [_tested(part, learner, levels, seed + k, told) for k, part in enumerate(parts)]
        found += _measures(name, tested, h)
    return Learnt(found, None, [])


def _tested(
    part: Split, learner: Learner, levels: int, seed: int, told: Told
) -> tuple[two_sample.Detection, two_sample.Detection]:
    """The samples against real rows, and the other real rows against these."""
    real, *others = _few_levels(part, levels)
    ours, floor = (two_sample.two_sample(real, x, learner, seed) for x in others)
    told()
    return ours, floor


def _few_levels(part: Split, levels: int) -> tuple[Table, Table, Table]:
    real, samples, other = pooled((part.real, part.samples, part.other), levels)
    return real, samples, other


def _measures(name: str, tested: Sequence[tuple[two_sample.Detection, ...]], h: int) -> list[Measure]:
    """The area under the curve and the score, beside those of real rows."""
    title = {"boosting": "gradient boosting", "logistic": "logistic regression"}[name]
    least = 1 / (6 * h) ** 0.5  # of the area under the curve of two tables that are alike
    aucs, scores = (
        [[getattr(d, k) for d in side] for side in zip(*tested, strict=True)] for k in ("auc", "score")
    )
    return [
        Measure(
            f"auc_{name}",
            f"two-sample test, {title}: AUC (.5: indistinguishable)",
            beside(aucs, h, "both", least),
        ),
        Measure(
            f"score_{name}",
            f"two-sample test, {title}: score (1: indistinguishable)",
            beside(scores, h, "below", 2 * least),
        ),
    ]


class Training(NamedTuple):
    """Models of a target: the share of the real rows on which they are tested, where there are no others."""

    target: str
    share: float
    effort: Effort
    seed: int


def trained(real: Table, samples: Table, holdout: Table | None, asked: Training, told: Told) -> Learnt:
    """Models of the target, trained on samples and on as many real rows, tested on the rows held out: those
    of `holdout`, else a share of the real rows.
    """
    place, target = real.place(asked.target), asked.target
    if len(real.columns[place].levels or ()) > LEVELS:
        return Learnt([], None, [f"No model of '{target}': it has more than {LEVELS} categories"])
    tables = pooled((real, samples) if holdout is None else (real, samples, holdout), LEVELS)
    classes = utility.classified(tables[0], place)
    how: dict[str, Any] = {"classes": classes, "trees": asked.effort.trees}
    rng = np.random.default_rng([asked.seed, 2])
    found: tuple[list[utility.Utility], list[utility.Utility]] = [], []
    size = (0, 0)
    for k in range(asked.effort.splits):
        fitted, tested = _parted(tables, asked.share, asked.effort.rows, rng)
        drawn = tables[1].rows(rng.permutation(len(tables[1]))[: len(fitted)])
        size = len(fitted), len(tested)
        for side, x in zip(found, (drawn, fitted), strict=True):
            model = utility.utility(x, tested, place, asked.seed + k, **how)
            if model is None:
                few = f"it needs {utility.FEWEST} rows and two values in each table"
                return Learnt([], None, [f"No model of '{target}': {few}"])
            side.append(model)
        told()
    title = f"trained on samples, tested on real rows ('{target}', {'AUC' if classes else 'R²'})"
    values = [[model.main for model in side] for side in found]
    facts = {
        "column": target,
        "task": "classification" if classes else "regression",
        "trained_rows": size[0],
        "tested_rows": size[1],
        "held_out": "file" if holdout is not None else "share of the real rows",
        "samples": _means(found[0]),
        "real": _means(found[1]),
    }
    return Learnt([Measure("utility", title, beside(values, size[0], "below"))], facts, [])


def _parted(
    tables: Sequence[Table], share: float, most: int, rng: np.random.Generator
) -> tuple[Table, Table]:
    """The real rows to train on, no more than there are samples, and those to test on; at most `most` each.
    With rows held out, half of the others and half of these, so that splits differ.
    """
    real = tables[0].rows(rng.permutation(len(tables[0])))
    if len(tables) > 2:
        tested = tables[2].rows(rng.permutation(len(tables[2])))
        cut, end = -(-len(real) // 2), -(-len(tested) // 2)
        fitted, tested = real.rows(np.arange(cut)), tested.rows(np.arange(end))
    else:
        cut = round(share * len(real))
        fitted, tested = real.rows(np.arange(cut, len(real))), real.rows(np.arange(cut))
    size = min(len(fitted), len(tables[1]), most)
    return fitted.rows(np.arange(size)), tested.rows(np.arange(min(len(tested), most)))


def _means(found: Sequence[utility.Utility]) -> dict[str, float]:
    """The means over the splits, of what was measured."""
    return {
        name: float(np.mean([getattr(u, name) for u in found]))
        for name in utility.Utility._fields
        if getattr(found[0], name) is not None
    }
