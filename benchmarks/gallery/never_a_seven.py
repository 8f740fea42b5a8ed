"""Never a seven: digits under the class region of one classifier, judged by another that learned from other
digits, beside rejection, a wider region, and an energy that has seen no seven.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes

from barriers.sets.layers import load_classifier
from benchmarks.gallery import data, pictures
from benchmarks.gallery import digit_classifiers as classifiers
from benchmarks.gallery.digit_classifiers import Labels, Pictures
from benchmarks.gallery.row import Role, Row, named
from benchmarks.gallery.running import Ran, fresh, ran

NAME = "never_a_seven"
PROBLEM = "Never a seven: a classifier's region, judged by another"
HEADS = ("sevens, says the judge", "other digits off by", "disagree")
SEVEN = 7
CAUTIOUS = 0.01
"""The probability of a seven from which on the wider region is unsafe."""
EVERYWHERE = {"sampler.init": {"kind": "data"}, "filter": {"kind": "none"}}
WIDER = {"unsafe.seven.probability": CAUTIOUS}


def lacks() -> str | None:
    return None


def measure() -> list[Row]:
    """The gate, its energy without it and from every start, rejection, a wider region, an energy without
    sevens, and real digits.
    """
    with fresh() as directory:
        done = ran(NAME, directory / "run")
        free = ran(NAME, directory / "free", EVERYWHERE)
        wider = ran(NAME, directory / "wider", WIDER)
        unseen = ran(NAME, directory / "unseen", _without_sevens(directory) | EVERYWHERE)
        kept = free.samples[labels(free.samples) != SEVEN]
        left = [100 * (judged(x) == SEVEN).mean() for x in (free.samples, done.samples, kept)]
        told = f"{left[0]:.1f} % are sevens"
        rows = [
            _row("no constraint", "without", free, done.before, told=told),
            done.ours(
                _inside(done.samples),
                _found(done.samples),
                f"0 in the region, guaranteed by the filter; the judge calls {left[1]:.1f} % sevens",
            ),
            _row(
                "rejection",
                "today",
                free,
                done.before,
                kept,
                f"0 in the region; the judge calls {left[2]:.1f} % sevens",
            ),
            _row(
                f"a wider region, {100 * CAUTIOUS:g} %",
                "beside",
                wider,
                wider.seconds + done.phases.seconds["training"],
            ),
            _row("learned without sevens", "beside", unseen, unseen.seconds),
            _real(),
        ]
        panels = [
            ("no constraint", free.samples),
            ("lem-safe", done.samples),
            ("a wider region", wider.samples),
        ]
        pictures.draw(NAME, [_panel(title, x) for title, x in panels], width=4.2, height=3.3)
    return rows


def _row(method: str, role: Role, run: Ran, seconds: float, x: Pictures | None = None, told: str = "") -> Row:
    x = run.samples if x is None else x
    return Row(NAME, method, role, named("lem-safe"), len(x), _inside(x), seconds, _found(x), told)


def _real() -> Row:
    x = classifiers.digits()[0]
    return Row(NAME, "real digits", "beside", named("scikit-learn"), len(x), _inside(x), 0.0, _found(x))


def _without_sevens(directory: Path) -> dict[str, Any]:
    """The scenario's data without the digits that are sevens."""
    x, shown = classifiers.digits()
    path = directory / "others.csv"
    header = ",".join(classifiers.COLUMNS)
    np.savetxt(path, x[shown != SEVEN], fmt="%d", delimiter=",", header=header, comments="")
    return {"energy.data": {"kind": "file", "path": str(path)}}


def labels(x: Pictures) -> Labels:
    """What the scenario's classifier calls each picture: the largest output of its file's one layer."""
    network = load_classifier(data.FOLDER / "digits_classifier.safetensors").network
    (weight,), (bias,) = network.weights, network.biases
    return (torch.from_numpy(x) @ weight.T + bias).argmax(1).numpy()


def judged(x: Pictures) -> Labels:
    """What the other classifier calls each picture."""
    return np.asarray(classifiers.judge().predict(x))


def _inside(x: Pictures) -> int:
    return int((labels(x) == SEVEN).sum())


def _found(x: Pictures) -> dict[str, Any]:
    said = judged(x)
    sevens = said == SEVEN
    shown = classifiers.digits()[1]
    others = [np.bincount(y[y != SEVEN], minlength=10) / (y != SEVEN).sum() for y in (said, shown)]
    return {
        HEADS[0]: f"{int(sevens.sum()):,} ({100 * sevens.mean():.1f} %)",
        HEADS[1]: float(0.5 * np.abs(others[0] - others[1]).sum()),
        HEADS[2]: f"{100 * (said != labels(x)).mean():.1f} %",
    }


def notes(rows: dict[str, dict[str, Any]]) -> list[str]:
    x, y = classifiers.digits()
    first, second = classifiers.halves()
    right = [100 * (labels(x[second]) == y[second]).mean(), 100 * (judged(x[first]) == y[first]).mean()]
    return [
        "*Inside* are pictures that the scenario's classifier calls a seven: linear discriminant "
        f"analysis of one half of the digits, right about the others in {right[0]:.1f} %. The *judge* is "
        f"a support vector machine of the other half, right in {right[1]:.1f} %, which no method has "
        "seen. *Other digits off by* is the total variation between the shares of the nine others, as "
        "the judge sees them, and those of real digits; *disagree* is how often the two call a picture "
        "different digits. *Rejection* leaves out what the first classifier calls a seven. The *wider "
        f"region* begins where it gives a seven a probability of {100 * CAUTIOUS:g} %. *Learned without "
        "sevens* is the same energy of real digits that are no sevens, without a filter.",
    ]


def _panel(title: str, x: Pictures) -> pictures.Panel:
    """The first pictures, of those that the judge calls sevens as many as their share of all."""
    across, down = 10, 7
    sevens = judged(x) == SEVEN
    many = round(across * down * sevens.mean())
    shown = np.sort(np.r_[np.flatnonzero(sevens)[:many], np.flatnonzero(~sevens)[: across * down - many]])

    def paint(axis: Axes) -> None:
        whole = np.ones((9 * down + 1, 9 * across + 1, 3))
        for k, i in enumerate(shown):
            grey = np.zeros((8, 8))
            grey[:, 1:7] = np.clip(x[i].reshape(8, 6) / 16, 0, 1)
            low, high = (
                (np.array([1.0, 0.85, 0.8]), np.array([0.78, 0.2, 0.12]))
                if sevens[i]
                else (np.ones(3), np.zeros(3))
            )
            top, left = 9 * (k // across) + 1, 9 * (k % across) + 1
            whole[top : top + 8, left : left + 8] = low + grey[..., None] * (high - low)
        axis.imshow(whole, interpolation="nearest")
        axis.set_axis_off()

    return f"{title}: {100 * sevens.mean():.1f} % sevens, says the judge", paint
