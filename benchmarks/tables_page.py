"""The parts of docs/measurements.md about tables: `benchmarks.tables` and `benchmarks.mechanisms`."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.markdown import table

Rows = Sequence[Mapping[str, Any]]
WORDS = {"none": "none", "gate": "gate", "repair": "repair (PiShield)", "rejection": "rejection"}


def tables(rows: Rows) -> list[str]:
    """Rows of public tables: rules of the field, likeness, seconds."""
    judged = [r for r in rows if "judged" in r]
    least = min((r["least_equal"] for r in rows if r.get("computed")), default=1.0)
    return [
        "Public tables, trained and sampled with the settings of `benchmarks/tables.py` and "
        "`benchmarks/table_cases.py`. HELOC-like is a synthetic table with the columns of HELOC, whose own "
        "rows may not be given away, under the rules that are published for HELOC. *Computed* are columns "
        f"that `derived` computes from others; the formulas hold in {100 * least:.3g} % of the rows of their "
        "table or more. *Breaking* are rows of a CSV that break any rule of the table's rule file (steel "
        "faults: C-DGM, URL and HELOC: DRL), as written, counted in integers by "
        "`benchmarks/independent_rules.py`, which shares no code with lem-safe; "
        "*without* is the share of the unfiltered samples inside. *C2ST* is `lem-safe quality`'s two-sample "
        "score by gradient boosting and by logistic regression, 1 where samples cannot be told from data. "
        "*Spread* is the largest factor between standard deviations, *correlation* the largest difference. "
        "Seconds by a clock, on one thread.",
        "",
        *table(
            [
                "table",
                "computed",
                "training, s",
                "sampling, s",
                "samples",
                "C2ST",
                "outside",
                "spread",
                "correlation",
                "copies",
            ],
            [
                [
                    r["name"],
                    str(r.get("computed", 0)),
                    f"{r['training_seconds']:.0f}",
                    f"{r['sampling_seconds']:.0f}",
                    f"{r['samples']:,}",
                    f"{r['score_boosting']:.2f}, {r['score_logistic']:.2f}",
                    f"{100 * r['outside']:.2g} %",
                    f"{r['spread']:.2f}",
                    f"{r['correlations_worst']:.2f}",
                    f"{100 * r['copies']:.2g} %",
                ]
                for r in rows
            ],
        ),
        "",
        *table(
            ["table", "rows", "breaking", "without"],
            [
                [r["name"], f"{r['judged']:,}", f"{r['violating']:,}", f"{100 * r['unfiltered']:.3g} %"]
                for r in judged
            ],
        ),
    ]


def mechanisms(rows: Rows) -> list[str]:
    """What rules do to one generator's rows, by mechanism."""
    lacking = [f"{r['table']}: {r['mechanism']} is {r['lacks']}." for r in rows if "lacks" in r]
    return [
        "One trained generator for each table, in which every column is modelled; that of `steel faults "
        "computed` is the one of the section above. The rules are the linear ones of the table's file (C-DGM "
        "for steel faults, DRL for the others). *Gate* is lem-safe's filter while sampling; "
        "*repair* is PiShield's own layer on the unfiltered rows, rounded to what their columns hold; "
        "*rejection* leaves out the unfiltered rows that break a rule. *Breaking* are rows as written, "
        "counted by `benchmarks/independent_rules.py`. Fidelity is the two-sample score by gradient "
        "boosting, 1 where rows cannot be told from data; utility that of models of the last column, trained "
        "on these rows and tested on real ones (AUC), by `lem-safe quality`, ± the standard deviation over "
        "its splits; *floor* is the same of real rows.",
        "",
        *table(
            ["table", "mechanism", "rows", "breaking", "fidelity", "floor", "utility", "floor"],
            [
                [
                    r["table"],
                    WORDS[r["mechanism"]],
                    f"{r['rows']:,}",
                    f"{100 * r['violating'] / r['rows']:.3g} %",
                    *(part for key in ("score_boosting", "utility") for part in _beside(r, key)),
                ]
                for r in rows
                if "lacks" not in r
            ],
        ),
        *(["", *lacking] if lacking else []),
    ]


def _beside(row: Mapping[str, Any], key: str) -> tuple[str, str]:
    """A measure with the spread of its splits, and its floor."""
    if key not in row:
        return "not measured", ""
    return f"{row[key]:.3f} ± {row[f'{key}_sd']:.3f}", f"{row[f'{key}_floor']:.3f}"
