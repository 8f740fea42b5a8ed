"""How much is computed: rows that each measure looks at, and how many splits."""

from typing import NamedTuple


class Effort(NamedTuple):
    """splits, rows: of the measures of columns and pairs. tests, tested: splits and rows of each table of the
    classifiers, trees: of boosting. queries, references: samples asked about and rows compared with for the
    nearest rows. learners: of the two-sample test.
    """

    splits: int
    rows: int
    tests: int
    tested: int
    trees: int
    queries: int
    references: int
    learners: tuple[str, ...]


FULL = Effort(5, 20_000, 3, 10_000, 100, 2_000, 5_000, ("boosting", "logistic"))
"""Of `lem-safe quality`: about twenty seconds for 30,000 rows of 15 columns."""
BRIEF = Effort(3, 4_000, 2, 1_500, 30, 500, 2_000, ("boosting",))
"""Of the report of a run: about a second."""
