"""docs/measurements.md: what `python -m benchmarks` measured of speed, memory and endurance, beside its
peers, from results.json.

python -m benchmarks laplacian qp streaming clouds guard kills mutations attack price posteriors
python -m benchmarks.measurements
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import (
    answer_page,
    certificates,
    designs,
    estimates,
    fixed_costs,
    general_constraints,
    growth_page,
    large_tables,
    paths_page,
    posteriors,
    ranges,
    shards,
    steps_page,
    tables_page,
    without_torch,
)
from benchmarks.markdown import table

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "measurements.md"

Rows = Sequence[Mapping[str, Any]]


def laplacian(rows: Rows) -> list[str]:
    """Milliseconds of every method, and the ratio that is claimed."""
    least = min(rows, key=lambda r: r["best_peer_over_forward"])
    wide = [r for r in rows if r["columns"] == 64 and r.get("width") == 256]
    return [
        "Processor time per call in milliseconds, the shortest of several calls, the methods taking turns. "
        "*forward* is ours and exact; *hessian* is `vmap(hessian)`, "
        "*jacrev* is `vmap(jacrev(grad))` (as in torchebm) and *loop* is d backward passes (as in ebmkit), "
        "all exact; *Hutchinson* is an estimate with one random direction per row.",
        "",
        *table(
            [
                "network",
                "columns",
                "rows",
                "forward",
                "hessian",
                "jacrev",
                "loop",
                "best exact peer / forward",
                "Hutchinson",
            ],
            [
                [
                    _network(r),
                    str(r["columns"]),
                    str(r["rows"]),
                    f"{r['forward_ms']:.2f}",
                    *(f"{r[f'{name}_ms']:.2f}" for name in ("hessian", "jacrev", "loop")),
                    f"{r['best_peer_over_forward']:.1f}",
                    f"{r['hutchinson_ms']:.2f}",
                ]
                for r in rows
            ],
        ),
        "",
        f"The smallest ratio is {least['best_peer_over_forward']:.1f} ({_network(least)}, {least['columns']} "
        "columns); at 64 columns and "
        f"width 256 it is {' and '.join(format(r['best_peer_over_forward'], '.1f') for r in wide)}. "
        f"Results differ by {max(r['largest_gap'] for r in rows):.0e} at most, float32.",
    ]


def qp(rows: Rows) -> list[str]:
    """Ratios to the structured dual."""
    versions = ", ".join(f"{name} {value}" for name, value in rows[0]["versions"].items())
    return [
        "One solve and its gradient, float64; quadprog has no gradient and is timed without it. *gap* is the "
        "largest difference between the "
        f"two solutions; it is empty if the other library is too slow to run it again. {versions}.",
        "",
        *table(
            ["case and peer", "peer / ours", "ours, ms", "peer, ms", "gap"],
            [
                [
                    r["name"],
                    f"{r['ratio']:,.{int(r['ratio'] < 10)}f}",
                    f"{r['ours_ms']:.2f}",
                    f"{r['peer_ms']:,.1f}",
                    _gap(r["gap"]),
                ]
                for r in rows
            ],
        ),
    ]


def streaming(rows: Rows) -> list[str]:
    """Rows a second and memory."""
    return [
        "A ball in two dimensions, float32, one core; *extra* is the memory that the audit of the whole "
        "file needed beyond that of an audit of ten rows. "
        "numpy reads the whole file and counts, without clearances, worst samples and diagnostics.",
        "",
        *table(
            [
                "file",
                "rows",
                "MiB",
                "rows/s",
                "rows/s of processor time",
                "extra MiB",
                "numpy, rows/s",
                "numpy, extra MiB",
            ],
            [
                [
                    f"`{r['file']}`",
                    f"{r['rows']:,}",
                    f"{r['mib']:.0f}",
                    *(
                        f"{r[k]:,.0f}"
                        for k in (
                            "rows_per_second",
                            "rows_per_processor_second",
                            "extra_mib",
                            "numpy_rows_per_second",
                            "numpy_extra_mib",
                        )
                    ),
                ]
                for r in rows
            ],
        ),
    ]


def kills(rows: Rows) -> list[str]:
    """How many kills, where they happened, what was identical."""
    total, same = (sum(r[name] for r in rows) for name in ("kills", "identical"))
    return [
        f"Runs were killed (SIGKILL) at random moments before their end and resumed: {same} of {total} give "
        "the same bytes as a run that was not "
        "interrupted. Kills that came after the end are counted separately and repeated.",
        "",
        *table(
            ["run", "kills", "identical", "resumed within a chain", "where they happened", "after the end"],
            [
                [
                    r["case"],
                    str(r["kills"]),
                    str(r["identical"]),
                    str(r["resumed_in_the_middle_of_a_chain"]),
                    ", ".join(f"{count} {place}" for place, count in r["fell"].items()),
                    str(r["came_too_late"]),
                ]
                for r in rows
            ],
        ),
    ]


def price(rows: Rows) -> list[str]:
    """What was paid over what is needed, scenario by scenario, its mean for every filter; and where KL is
    known, both estimates of it.
    """
    told = [r for r in rows if r["kind"] == "filter"]
    priced = [r for r in told if r["paid"] is not None and r["needed"]]
    means = {
        name: [r["paid"] / r["needed"] for r in priced if r["filter"] == name]
        for name in dict.fromkeys(r["filter"] for r in told)
    }
    free = sorted({r["scenario"] for r in told} - {r["scenario"] for r in priced})
    mean = sum(sum(v) for v in means.values()) / max(sum(map(len, means.values())), 1)
    return [
        "Lower bounds of KL in nats, with one standard error: *needed* by any method that keeps every "
        "tolerance (P.6), *paid* by this filter "
        "with its defaults, computed from membership and distance (P.7). *inside* is the final fraction of "
        "each constraint beside the tolerance.",
        "",
        *table(
            ["scenario and filter", "inside", "needed", "paid", "paid / needed"],
            [[f"{r['scenario']}: {r['filter']}", *_priced(r)] for r in told],
        ),
        "",
        "Mean of paid over needed: "
        f"{', '.join(f'{name} {sum(v) / len(v):.2f}' for name, v in means.items() if v)}; all {mean:.2f}."
        + (f" Nothing is needed in {', '.join(free)}." if free else ""),
        *_known([r for r in rows if r["kind"] == "known"]),
    ]


def _priced(r: Mapping[str, Any]) -> list[str]:
    if r["refused"] is not None:
        return ["refused", "", "", ""]
    inside = ", ".join(
        f"{100 * p:.2f} % of {100 * β:g} %" for p, β in zip(r["final"], r["beta"], strict=True)
    )
    needed, paid = (f"{r[name]:.4f} ± {r[f'{name}_error']:.4f}" for name in ("needed", "paid"))
    return [inside, needed, paid, f"{r['paid'] / r['needed']:.2f}" if r["needed"] else ""]


def _known(rows: Rows) -> list[str]:
    """Both estimates where the KL is known."""
    if not rows:
        return []
    return [
        "",
        "A standard normal distribution, projected for a half-space with tolerance .05; the KL is "
        f"{rows[0]['kl']:.4f}; 4,000 draws of "
        "each distribution. *neighbours* is the nearest-neighbour estimate that the report used before.",
        "",
        *table(
            ["columns", "needed", "paid", "neighbours"],
            [
                [
                    str(r["dimension"]),
                    *(f"{r[k]:.3f} ± {r[f'{k}_error']:.3f}" for k in ("needed", "paid")),
                    f"{r['neighbours']:.3f}",
                ]
                for r in rows
            ],
        ),
    ]


def mutations(rows: Rows) -> list[str]:
    """What broken scenarios end in."""
    r = rows[0]
    return [
        f"Of {r['broken_files']} broken scenarios (wrong types, huge numbers, NaN, unicode, deep nesting, "
        "aliases, bombs) "
        f"{r['exit_2_located_within_a_second']} end with exit status 2 and a line number within a second; "
        "the slowest takes "
        f"{r['slowest_seconds']:.2f} s, the median {1000 * r['median_seconds']:.0f} ms. {r['still_valid']} "
        "more mutations left the file valid.",
    ]


def attack(rows: Rows) -> list[str]:
    """How many attacks of each family end as they must."""
    cases, right = (sum(r[name] for r in rows) for name in ("cases", "right"))
    wrong = [f"- {fault}" for r in rows for fault in r["wrong"]]
    return [
        f"Of {cases:,} attacks {right:,} end as they must: in time, with a status that is allowed, in words, "
        "without a traceback or an internal error, and with nothing half written. docs/limits.md says what "
        "is allowed. Each runs the command line in a process of its own.",
        "",
        *table(
            ["family", "cases", "right", "slowest, s"],
            [
                [r["family"], f"{r['cases']:,}", f"{r['right']:,}", f"{r['slowest_seconds']:.1f}"]
                for r in rows
            ],
        ),
        *(["", "Wrong:", "", *wrong] if wrong else []),
    ]


def clouds(rows: Rows) -> list[str]:
    """Clouds together beside one cloud of as many particles."""
    return [
        "100 clouds of 20 particles, taking their steps together, beside one cloud of 2,000: milliseconds of "
        "processor time per step, on one core, turn about in one process, the least of the same steps in "
        "four takes. *One by one* is what the clouds take each by itself. Where a filter counts, the ratio "
        "is above 1.5 since one cloud was made faster than clouds side by side could be: of one cloud most "
        "steps draw no random numbers and refuse no move, of 100 clouds every step does in some.",
        "",
        *table(
            ["energy", "filter", "one of 2,000", "100 of 20", "ratio", "one by one"],
            [
                [
                    r["energy"],
                    r["filter"],
                    *(f"{r[name]:.2f}" for name in ("one_ms", "clouds_ms", "ratio", "one_by_one_ms")),
                ]
                for r in rows
            ],
        ),
    ]


def guard(rows: Rows) -> list[str]:
    """A loop with a guard beside the loop without one."""
    return [
        "A Langevin loop of 10,000 particles in plain torch, the gradient of an MLP with three layers of 128 "
        "by autograd, without and with `lem_safe.guard`: milliseconds of processor time per step, on one "
        f"core, turn about in one process. The largest ratio is {max(r['ratio'] for r in rows):.2f}.",
        "",
        *table(
            ["kind", "without", "with", "ratio"],
            [[r["filter"], *(f"{r[name]:.2f}" for name in ("without_ms", "with_ms", "ratio"))] for r in rows],
        ),
    ]


SECTIONS: dict[str, tuple[str, Callable[[Rows], list[str]]]] = {
    "laplacian": ("The exact Laplacian of a network", laplacian),
    "qp": ("The filter's QP", qp),
    "streaming": ("Auditing large files", streaming),
    "shards": ("Data in shards", shards.section),
    "fixed_costs": ("What a command costs", fixed_costs.section),
    "estimates": ("Times that are estimated", estimates.section),
    "without_torch": ("Commands without torch", without_torch.section),
    "steps": ("What a step costs", steps_page.section),
    "growth": ("How the cost grows", growth_page.section),
    "time_to_answer": ("Time to a given answer", answer_page.section),
    "clouds": ("Clouds in one batch", clouds),
    "tables": ("Rows of public tables", tables_page.tables),
    "mechanisms": ("One generator, three mechanisms", tables_page.mechanisms),
    "general_constraints": ("Rows under general constraints", general_constraints.section),
    "designs": ("Engineering designs", designs.section),
    "ranges": ("Ranges, spread and correlations", ranges.section),
    "large_tables": ("A table of a million rows", large_tables.section),
    "paths": ("Paths around what was put there later", paths_page.section),
    "guard": ("A guard in a loop of one's own", guard),
    "kills": ("Killed and resumed runs", kills),
    "mutations": ("Broken scenarios", mutations),
    "attack": ("What files and machines can do", attack),
    "price": ("The price of a tolerance", price),
    "posteriors": ("Posteriors under a constraint", posteriors.section),
    "certificates": ("Certificates", certificates.section),
    "price_before": ("The price of a tolerance, before", price),
}


def page(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The page of all sections that have been measured."""
    out = ["# Measurements", "", "<!-- made by: python -m benchmarks.measurements -->", ""]
    out += [
        "Made from `benchmarks/results.json`. Times were measured on a shared machine: a ratio within a row "
        "is meaningful, a single time is not."
    ]
    for name, (title, lines) in SECTIONS.items():
        if name in found:
            made = found[name]
            where = (
                f"{made['machine']['cores']} cores, {made['machine']['cpu']}, torch "
                f"{made['versions']['torch']}, commit {made['commit']}"
            )
            out += [
                "",
                f"## {title}",
                "",
                f"`python -m benchmarks {name.removesuffix('_before')}`: {where}.",
                "",
                *lines(made["rows"]),
            ]
    return "\n".join(out) + "\n"


def _network(row: Mapping[str, Any]) -> str:
    return (
        f"{row['network']}, width {row['width']}, depth {row['depth']}"
        if "width" in row
        else str(row["network"])
    )


def _gap(value: float | None) -> str:
    return f"{value:.0e}" if value is not None and value == value else ""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=HERE / "results.json")
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    found = json.loads(arguments.results.read_text(encoding="utf-8"))["benchmarks"]
    arguments.page.write_text(page(found), encoding="utf-8")
    if "growth" in found:
        growth_page.draw(found["growth"]["rows"])


if __name__ == "__main__":
    main()
