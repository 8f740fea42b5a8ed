"""How near the samples come to a region, and where in it they are, as tables of the numbers in the plot of
clearances.

A near miss is a sample outside but within r of the boundary: r is the audit's own where one was requested,
else a tenth of the median distance of the samples outside, rounded to one digit.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lem_safe.report.contents import Contents
from lem_safe.report.words import percent

MOST = 12
"""The number of columns shown."""


class Nearness(NamedTuple):
    """One distribution and one region: how many are inside, how many near misses within r, and the 1, 5, and
    50 % quantiles of the distance.
    """

    region: str
    who: str
    inside: str
    near: str
    low: str
    usual: str
    middle: str


class Seat(NamedTuple):
    """One column of the samples inside a region: their median, the range of nine in ten, and the median of
    all samples.
    """

    column: str
    middle: str
    range: str
    everywhere: str


def reach(contents: Contents, clearances: Float[np.ndarray, "n"]) -> float:
    """r, in the data's units; 0 where no sample is outside."""
    asked = contents.audit.get("near_within")
    if asked is not None:
        return float(asked)
    outside = clearances[clearances > 0]
    return float(f"{np.median(outside) / 10:.1g}") if len(outside) else 0.0


def nearness(contents: Contents, laws: dict[str, np.ndarray], label: str) -> list[Nearness]:
    """A row for every region that has distances and every distribution; the run's own first. label: the name
    of the run's samples.
    """
    rows = []
    for region in dict.fromkeys(c["set"] for c in contents.audit["constraints"]):
        own = contents.clearance(region, laws[label])
        if own is None or not len(own):
            continue
        r = reach(contents, own)
        for who in (label, *(name for name in laws if name != label)):
            s = own if who == label else contents.clearance(region, laws[who])
            if s is not None and len(s):
                row = _row(region, who, s, contents.inside(region, laws[who]), r)
                rows.append(_as_audited(row, contents) if who == label else row)
    return [_whole(row, contents) for row in rows] if contents.thinned else rows


def seats(contents: Contents) -> dict[str, list[Seat]]:
    """For each region that contains samples, where they are, column by column, from the audit."""
    names, x = contents.audit.get("columns", contents.columns), np.asarray(contents.x, dtype=np.float64)
    found = {}
    for c in contents.audit["constraints"]:
        inside = c.get("inside")
        if inside is not None:
            at = {p: i for i, p in enumerate(inside["probabilities"])}
            everywhere = np.nanmedian(x, axis=0)
            found[c["set"]] = [
                Seat(
                    name,
                    f"{q[at[0.5]]:.3g}",
                    f"{q[at[0.05]]:.3g} to {q[at[0.95]]:.3g}",
                    f"{everywhere[i]:.3g}",
                )
                for i, (name, q) in enumerate(zip(names, inside["quantiles"], strict=True))
                if q is not None
            ][:MOST]
    return found


def _row(region: str, who: str, s: Float[np.ndarray, "k"], inside: np.ndarray, r: float) -> Nearness:
    near = int(((s > 0) & (s <= r)).sum())
    low, usual, middle = (f"{q:.3g}" for q in np.quantile(s, [0.01, 0.05, 0.5], method="inverted_cdf"))
    share = percent(near / len(s))
    return Nearness(
        region,
        who,
        percent(float(inside.mean())),
        f"{near:,} ({share}) within {_short(r)}",
        low,
        usual,
        middle,
    )


def _as_audited(row: Nearness, contents: Contents) -> Nearness:
    """The row with the audit's own count of near misses where it made one: for paths it includes the points
    between two recorded ones.
    """
    (c, *_) = (c for c in contents.audit["constraints"] if c["set"] == row.region)
    if c.get("near") is None:
        return row
    share = percent(c["near"] / contents.audit["rows"])
    return row._replace(near=f"{c['near']:,} ({share}) within {_short(float(contents.audit['near_within']))}")


def _whole(row: Nearness, contents: Contents) -> Nearness:
    """For a part of the audited rows: the audit's own share inside, and a share in place of a count of near
    misses where it made none.
    """
    (c, *_) = (c for c in contents.audit["constraints"] if c["set"] == row.region)
    guessed = "about" + row.near[row.near.index("(") :].replace("(", " ").replace(")", "")
    return row._replace(inside=percent(c["fraction"]), near=guessed if c["near"] is None else row.near)


def _short(r: float) -> str:
    return f"{r:.3g}" if math.isfinite(r) else "any distance"
