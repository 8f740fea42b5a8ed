"""Two classifiers of scikit-learn's digits, each trained on one half of them: a linear one, whose region the
scenario keeps out of, and a support vector machine, which judges. And the pixels that they look at.
"""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.svm import SVC
from torch import nn

from barriers.sets import save_classifier

PIXELS = [(row, column) for row in range(8) for column in range(1, 7)]
"""Without the first and the last column, which are nearly always white."""
COLUMNS = [f"pixel_{row}_{column}" for row, column in PIXELS]
SHRINKAGE, GAMMA, COST = 0.1, 0.001, 10.0
Pictures = Float[np.ndarray, "n 48"]
Labels = Int[np.ndarray, "n"]


@cache
def digits() -> tuple[Pictures, Labels]:
    """All 1,797 pictures, grey from 0 to 16, and what they show."""
    whole = load_digits()
    return whole.data[:, [8 * row + column for row, column in PIXELS]], whole.target


def halves() -> tuple[np.ndarray, np.ndarray]:
    """The rows that the linear classifier learns from, and those of the judge."""
    order = np.random.default_rng(0).permutation(len(digits()[0]))
    return order[: len(order) // 2], order[len(order) // 2 :]


def write(path: Path) -> None:
    """The linear classifier of the scenario: discriminant analysis of the first half, to three decimals."""
    x, y = digits()
    rows = halves()[0]
    fitted = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=SHRINKAGE).fit(x[rows], y[rows])
    layer = nn.Linear(len(COLUMNS), 10, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.round(fitted.coef_, 3)))
        layer.bias.copy_(torch.from_numpy(np.round(fitted.intercept_, 3)))
    save_classifier(nn.Sequential(layer), path, [str(k) for k in range(10)], COLUMNS)


@cache
def judge() -> SVC:
    """The other classifier, of the second half."""
    x, y = digits()
    rows = halves()[1]
    return SVC(gamma=GAMMA, C=COST).fit(x[rows], y[rows])
