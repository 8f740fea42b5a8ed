"""Two tables of scikit-learn as files with the digits that were measured, part of the rows held out."""

import csv
from pathlib import Path

import numpy as np
from jaxtyping import Float

TRAINED = 2 / 3
"""The share of the rows that energies are learned from; the others judge."""
FEATURES = (
    *("radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity"),
    *("concave_points", "symmetry", "fractal_dimension"),
)
DIAGNOSES = ("malignant", "benign")
"""Of 0 and 1, as scikit-learn has them."""

Rows = Float[np.ndarray, "n d"]


def cancer() -> tuple[list[str], Rows]:
    """The names and rows of the Wisconsin table, without standard errors, the diagnosis first."""
    from sklearn.datasets import load_breast_cancer

    whole = load_breast_cancer()
    names = [str(name).replace(" ", "_") for name in whole.feature_names]
    kept = [i for i, name in enumerate(names) if not name.endswith("_error")]
    return ["diagnosis", *(names[i] for i in kept)], np.column_stack([whole.target, whole.data[:, kept]])


PATIENTS = ("radius", "texture", "smoothness", "compactness", "symmetry", "fractal_dimension")
"""The means of a patient's cells by which near is meant: on a logarithmic scale, in units of the spread."""


def patients() -> tuple[list[str], Rows]:
    """The names and rows of six measurements of the Wisconsin table in comparable units."""
    names, rows = cancer()
    x = np.log(rows[:, [names.index(f"mean_{feature}") for feature in PATIENTS]])
    return list(PATIENTS), np.round((x - x.mean(0)) / x.std(0), 3)


def write_patients(path: Path) -> None:
    """The file of the gallery: the patients to learn from."""
    names, rows = patients()
    write(path, names, parted(rows)[0])


def diabetes() -> tuple[list[str], Rows]:
    """The names and rows of the diabetes table in its own units, the progression first."""
    from sklearn.datasets import load_diabetes

    whole = load_diabetes(scaled=False)
    return ["progression", *whole.feature_names], np.column_stack([whole.target, whole.data])


def parted(rows: Rows) -> tuple[Rows, Rows]:
    """The rows to learn from, and the others."""
    order = np.random.default_rng(0).permutation(len(rows))
    n = round(TRAINED * len(rows))
    return rows[np.sort(order[:n])], rows[np.sort(order[n:])]


def tumours(path: Path) -> None:
    """The file of the gallery: the rows to learn from, the diagnosis in words."""
    names, rows = cancer()
    write(path, names, parted(rows)[0], words=DIAGNOSES)


def write(path: Path, names: list[str], rows: Rows, words: tuple[str, ...] = ()) -> None:
    """Rows as text with the digits that they have; words: of the values of the first column."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for row in rows:
            cells = [f"{value:.12g}" for value in row]
            writer.writerow([words[int(row[0])], *cells[1:]] if words else cells)


def read(path: Path, words: tuple[str, ...] = ()) -> Rows:
    """The same back as numbers."""
    with path.open(newline="", encoding="utf-8") as file:
        _, *rows = csv.reader(file)
    return np.array([[float(words.index(r[0]) if words else r[0]), *map(float, r[1:])] for r in rows])
