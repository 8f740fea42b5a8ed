"""How alike samples and real rows are, in two numbers that all tables of the gallery share."""

import numpy as np
from jaxtyping import Float
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

Rows = Float[np.ndarray, "n d"]


def told_apart(samples: Rows, real: Rows, most: int = 2000) -> float:
    """The AUC with which gradient boosting tells samples from as many real rows, in 5-fold cross-validation:
    0.5 for rows that cannot be told apart, 1 for rows that always can. NaN is a missing cell.
    """
    n = min(len(samples), len(real), most)
    rng = np.random.default_rng(0)
    x = np.concatenate([rows[rng.permutation(len(rows))[:n]] for rows in (samples, real)])
    y = np.repeat([1, 0], n)
    model = HistGradientBoostingClassifier(max_iter=100, early_stopping=False, random_state=0)
    found = cross_val_predict(model, x, y, cv=5, method="predict_proba")[:, 1]
    return float(roc_auc_score(y, found))


def trained_on(samples: Rows, real: Rows, target: int, *, category: bool) -> float:
    """How well gradient boosting that was trained on samples predicts one column of real rows: the AUC of a
    category with the values 0 and 1, R² of a number.
    """
    kind = HistGradientBoostingClassifier if category else HistGradientBoostingRegressor
    model = kind(max_iter=100, early_stopping=False, random_state=0)
    model.fit(np.delete(samples, target, 1), samples[:, target])
    x, y = np.delete(real, target, 1), real[:, target]
    return float(roc_auc_score(y, model.predict_proba(x)[:, 1]) if category else model.score(x, y))
