"""The tables of `benchmarks.tables` and `benchmarks.mechanisms`: files, rules, and what is said of columns.

What columns determine others was found in the tables themselves: every formula here holds in all rows, to the
last digit, but for SigmoidOfAreas, whose two constants were fitted (99.4 %).
"""

import csv
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.heloc_like import heloc_like

NETWORK = {"kind": "mixture_base", "hidden": 128, "depth": 2}
TRAINING = {"learning_rate": 0.002, "weight_decay": 0.01}


class Case(NamedTuple):
    """One table: its file (None: made here), how many of its columns are used, its rules, how it is trained,
    how many rows are sampled and judged; what is said of its data, and the names that are derived.
    """

    name: str
    file: str | None
    columns: int | None
    rules: str | None
    steps: int
    training: int
    samples: int
    judged: int
    extra: dict[str, Any] = {}
    derived: dict[str, str] = {}


ADULT = {
    "husband": "sex == 'Female' and relationship == 'Husband'",
    "wife": "sex == 'Male' and relationship == 'Wife'",
    "student": "age < 20 and `education-num` >= 13",
}
STEEL = {
    "dx": "X_Maximum - X_Minimum",
    "dy": "Y_Maximum - Y_Minimum",
    "TypeOfSteel_A300": "1 - TypeOfSteel_A400",
    "Log_X_Index": "log10(dx)",
    "Log_Y_Index": "log10(dy)",
    "LogOfAreas": "log10(Pixels_Areas)",
    "Outside_X_Index": "dx / Length_of_Conveyer",
    "Edges_X_Index": "dx / X_Perimeter",
    "Edges_Y_Index": "dy / Y_Perimeter",
    "Square_Index": "min(dx, dy) / max(dx, dy)",
    "Empty_Index": "1 - Pixels_Areas / (dx * dy)",
    "Orientation_Index": "(dy - dx) / max(dx, dy)",
    "Outside_Global_Index": "(1 + (dy - dx) / max(abs(dy - dx), 1)) / 2",
    "Luminosity_Index": "Sum_of_Luminosity / Pixels_Areas / 128 - 1",
    "Edges_Index": "2 * min(X_Minimum, Length_of_Conveyer - X_Maximum) / Length_of_Conveyer",
    "SigmoidOfAreas": "1 / (1 + exp(2.0152 - dx * dy / 150))",
}
STEEL_COLUMNS = {
    "X_Maximum": {"minus": "X_Minimum"},
    "Y_Maximum": {"minus": "Y_Minimum"},
    "Pixels_Areas": {"over": "dx * dy"},
    "Sum_of_Luminosity": {"over": "Pixels_Areas"},
    "X_Perimeter": {"over": "dx"},
    "Y_Perimeter": {"over": "dy"},
}
URL = {
    "longest_words_raw": "max(longest_word_host, longest_word_path)",
    "without": "1000 * (1 - min(1, shortest_word_path))",
    "shortest_words_raw": "min(shortest_word_host, shortest_word_path + without)",
    "nb_subdomains": "min(max(nb_dots, 1), 3)",
}
URL_COLUMNS = {
    "length_url": {"minus": "length_hostname"},
    "length_hostname": {"minus": "longest_word_host"},
    "avg_word_host": {"minus": "(shortest_word_host + longest_word_host) / 2"},
    "avg_word_path": {"minus": "(shortest_word_path + longest_word_path) / 2"},
    "ratio_digits_url": {"over": "1 / length_url"},
    "ratio_digits_host": {"over": "1 / length_hostname"},
    "ratio_extHyperlinks": {"minus": "min(nb_hyperlinks, 1) - ratio_intHyperlinks"},
    "ratio_extMedia": {"minus": "100 - ratio_intMedia"},
}
CASES = (
    Case(
        "steel faults",
        "steel_faults_1941x27.csv",
        27,
        "constraints_cdgm/faults.txt",
        80,
        1000,
        5000,
        1_000_000,
        {"columns": STEEL_COLUMNS},
        STEEL,
    ),
    Case(
        "URL",
        "url_phishing_11430x88.csv",
        87,
        "constraints_drl/url_all.txt",
        40,
        600,
        5000,
        1_000_000,
        {"columns": URL_COLUMNS},
        URL,
    ),
    Case("HELOC-like", None, 23, "constraints_drl/heloc_all.txt", 100, 1000, 5000, 1_000_000),
    Case("MAGIC", "magic04.data", None, None, 40, 2000, 19_020, 0),
    Case("adult", "adult.data", None, None, 30, 2000, 30_000, 0, {"missing": "keep"}),
)


def table(case: Case, root: Path, directory: Path, columns: int | None = None) -> Path:
    """A case's table as a CSV file, its first columns alone."""
    path = directory / "data.csv"
    if case.file is None:
        rows = heloc_like(10_000)
    else:
        with (root / "tabular" / case.file).open(newline="") as file:
            rows = [row for row in csv.reader(file, skipinitialspace=True) if row]
    with path.open("w", newline="") as out:
        csv.writer(out).writerows(row[: columns or case.columns] for row in rows)
    return path
