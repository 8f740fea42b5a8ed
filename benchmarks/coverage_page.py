"""docs/coverage.md: what the coverage benchmark found, as tables and sentences."""

import math
from collections.abc import Mapping
from typing import Any

from benchmarks.coverage_simulations import CONFIDENCE, Row


def page(record: Mapping[str, Any]) -> str:
    """docs/coverage.md."""
    rows: list[Row] = record["rows"]
    counted = [r for r in rows if "exactly" in r and not r["planted"]]
    exact = min(float(str(r["exactly"])) for r in counted)
    apart = max(abs(z(r, float(str(r["exactly"])))) for r in counted)
    lowest = min(
        (r for r in rows if r["what"] == "coverage" and not r["planted"]), key=lambda r: z(r, CONFIDENCE)
    )
    out = ["# Coverage of the bounds", "", "<!-- made by: python -m benchmarks.coverage --page -->", ""]
    out += [
        f"Measured by `python -m benchmarks coverage`: {max(int(str(r['runs'])) for r in rows):,} "
        f"repetitions per number, commit {record['commit']}.",
        "Each cell is the worst value over all sample sizes; its standard error is at most .22 %. Rows "
        "marked *planted* are methods that",
        "are known to fail: if the simulation did not show that they fail, it would show nothing about "
        "the others.",
        "",
        "The coverage of Clopper-Pearson is also computed exactly, over every possible count; the exact "
        "value for the worst size is in brackets.",
        f"It is never below 95 %: the lowest of {len(counted)} numbers is {100 * exact:.2f} %; "
        "simulated and exact values agree",
        f"within {apart:.1f} standard errors. Relative to its noise, the lowest simulated number of all "
        "methods,",
        f"{100 * float(str(lowest['found'])):.2f} % ({lowest['method']}, ρ(𝒰) = {lowest['p']:g}), is "
        f"{-z(lowest, CONFIDENCE):.1f} standard errors below 95 %; a test fails at 4.",
        "",
    ]
    heads = {
        "coverage": "## Coverage: at least 95 %",
        "wrong at some look": "## Evaluated after every sample: wrong at some evaluation at most 5 % of the "
        "time, the true fraction being equal to the tolerance",
    }
    for what, head in heads.items():
        these = [r for r in rows if r["what"] == what and "rho" not in r]
        rates = sorted({float(str(r["p"])) for r in these})
        out += [
            head,
            "",
            "| method | " + " | ".join(f"ρ(𝒰) = {p:g}" for p in rates) + " |",
            "| --- |" + " --- |" * len(rates),
        ]
        for planted in (False, True):
            for method in dict.fromkeys(str(r["method"]) for r in these if r["planted"] == planted):
                cells = []
                for p in rates:
                    values = [float(str(r["found"])) for r in these if r["method"] == method and r["p"] == p]
                    known = [
                        float(str(r["exactly"]))
                        for r in these
                        if r["method"] == method and r["p"] == p and "exactly" in r
                    ]
                    cell = (
                        f"{100 * (max(values) if what != 'coverage' else min(values)):.2f} %"
                        if values
                        else ""
                    )
                    cells.append(cell + (f" ({100 * min(known):.2f} %)" if known else ""))
                out.append(f"| {'*planted:* ' if planted else ''}{method} | " + " | ".join(cells) + " |")
        out.append("")
    chains = [r for r in rows if "rho" in r and r["what"] == "diagnostic"]
    singly = {r["rho"]: r for r in rows if "rho" in r and r["planted"]}
    out += [
        "## Rows of a chain: the diagnostic, which is not a certificate",
        "",
        "AR(1) chains whose effective sample size is known; 10 % inside, two-sided intervals.",
        "",
        "| ρ | rows | true n_eff | n_eff by batch means | interval wider by | its coverage | *planted:* "
        "rows counted singly |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in chains:
        alone = f"{100 * float(str(singly[r['rho']]['found'])):.1f} %" if r["rho"] in singly else ""
        cells = [
            f"{r['rho']:g}",
            f"{r['n']:,}",
            f"{r['true_ess']:,.0f}",
            f"{r['mean_ess']:,.0f}",
            f"{r['wider']:.2f}",
        ]
        out.append("| " + " | ".join([*cells, f"{100 * float(str(r['found'])):.1f} %", alone]) + " |")
    return "\n".join([*out, *short(chains), ""])


def short(chains: list[Row]) -> list[str]:
    """Where the diagnostic does not cover what it says, by more than noise."""
    out = []
    for r in [r for r in chains if z(r, CONFIDENCE) < -4]:
        out += [
            "",
            f"At ρ = {r['rho']:g} the diagnostic falls short: batch means estimate {r['mean_ess']:,.0f} "
            f"effective rows instead of {r['true_ess']:,.0f},",
            "because the correlation is longer than a batch, and the interval covers "
            f"{100 * float(str(r['found'])):.1f} % of the time. It warns of slow",
            "mixing but cannot show its absence: no bound or verdict uses it, and if rows come from "
            "chains an audit counts chains.",
        ]
    return out


def z(r: Row, truth: float) -> float:
    """By how many standard errors of its simulation a number is above the truth."""
    return (float(str(r["found"])) - truth) / max(math.sqrt(truth * (1 - truth) / int(str(r["runs"]))), 1e-6)
