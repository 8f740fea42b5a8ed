"""A judgement in words and one small table, for a terminal."""

from lem_safe.escaping import on_one_line
from lem_safe.formatting import aligned, percent
from lem_safe.judging.judgement import ColumnJudgement, Judgement, Measure

HEADS = ("measure", "samples", "real halves", "", "")
SHARES = ("outside", "copies", "nearer", "missing_worst")
"""The measures that are shares."""
FEWEST = 10
"""Rows of a part below which nothing is said to be alike or not."""
NAMED = 3
"""Columns that one sentence names."""


def to_text(j: Judgement) -> str:
    """What is known first, then a table of the measures, then copies, notes and SDMetrics' score."""
    rows = [HEADS, *(row(measure) for measure in j.measures)]
    lines = [headline(j), "", *aligned(rows), "", *sentences(j)]
    return "\n".join(on_one_line(line) for line in lines)


def headline(j: Judgement) -> str:
    """The comparison, and which measures are beyond their floors."""
    return f"{sizes(j)}: {verdict(j)}"


def sizes(j: Judgement) -> str:
    """The two tables and what is in them."""
    many = (j.rows["samples"], "sample"), (j.rows["real"], "real row"), (len(j.columns), "column")
    return ", ".join(f"{n:,} {what}{'s' * (n != 1)}" for n, what in many)


def verdict(j: Judgement) -> str:
    """Which measures tell samples from real rows; what that says and what it does not."""
    measured = [measure for measure in j.measures if measure.within is not None]
    if _part(measured) < FEWEST:
        return (
            f"not comparable: there are too few rows for two parts of {FEWEST} real rows and one of samples"
        )
    beyond = [measure for measure in measured if not measure.within]
    if not beyond:
        return (
            f"no difference found: all {len(measured)} measures are within what parts of "
            f"{_part(measured):,} real rows differ by"
        )
    names = ", ".join(_short(measure) for measure in beyond)
    are = "is" if len(beyond) == 1 else "are"
    return f"{len(beyond)} of {len(measured)} measures {are} beyond the noise of the real rows: {names}"


def row(measure: Measure) -> tuple[str, ...]:
    """One measure beside its floor."""
    found, floor = numbers(measure)
    where = " and ".join(measure.where)
    return measure.title, found, floor, standing(measure), f"({where})" if where else ""


def numbers(measure: Measure) -> tuple[str, str]:
    """The measure, and its floor with the standard deviation of a split."""
    b = measure.beside
    if b is None:
        return "not measured", measure.note
    shown = percent if measure.name in SHARES else three
    return shown(b.found), f"{shown(b.floor)} ± {shown(b.floor_sd)}"


def standing(measure: Measure) -> str:
    """Within or beyond the floor, in words."""
    b = measure.beside
    if b is None:
        return ""
    if b.within:
        return "within"
    if measure.name == "nearest":
        return "too near" if b.found < b.floor else "too far"
    return "beyond"


def three(value: float) -> str:
    """A number with three significant digits.

    >>> three(0.01234), three(0.0001), three(12.3456)
    ('0.0123', '0.0001', '12.3')
    """
    return f"{value:.3g}"


def sentences(j: Judgement) -> list[str]:
    """What is said below the table."""
    return [
        *differing(j),
        *below_half(j),
        copies(j),
        *utility(j),
        *sdmetrics(j),
        *(f"{note}." for note in j.notes),
    ]


def differing(j: Judgement) -> list[str]:
    """The columns that differ most, and those of another range or type."""
    far = sorted(
        (c for c in j.columns if c.distance is not None and not c.distance.within),
        key=lambda c: c.distance.found - c.distance.floor if c.distance else 0.0,
        reverse=True,
    )
    said = []
    if far:
        named = ", ".join(_distance(c) for c in far[:NAMED])
        more = f", and {len(far) - NAMED} more" if len(far) > NAMED else ""
        said.append(f"Columns beyond the noise: {named}{more}.")
    out = sorted((c for c in j.columns if c.outside > 0), key=lambda c: c.outside, reverse=True)
    if out:
        named = ", ".join(f"{c.name} {percent(c.outside)}" for c in out[:NAMED])
        more = f", and {len(out) - NAMED} more" if len(out) > NAMED else ""
        said.append(f"Cells outside the real range or categories: {named}{more}.")
    ratios = [(c.spread, c.name) for c in j.columns if c.spread is not None]
    if ratios:
        (low, first), (high, last) = min(ratios), max(ratios)
        said.append(
            f"Standard deviation, over the real one: {three(low)} ({first}) to {three(high)} ({last})."
        )
    decimals = [c for c in j.columns if _loses_whole(c)]
    if decimals:
        named = ", ".join(c.name for c in decimals[:NAMED]) + (", …" if len(decimals) > NAMED else "")
        said.append(f"Whole numbers in the real rows, and not in the samples: {named}.")
    return said


def below_half(j: Judgement) -> list[str]:
    """What it says if a classifier is worse than chance."""
    low = [m for m in j.measures if m.name.startswith("auc_") and not m.within and m.beside is not None]
    if not any(m.beside.found < m.beside.floor for m in low if m.beside is not None):
        return []
    return [
        "An AUC below .5 says that samples are copies of real rows: a classifier that has seen the one takes "
        "the other for it. Its score says nothing then."
    ]


def copies(j: Judgement) -> str:
    """How many samples are copies, and how many by chance."""
    n, c = j.rows["samples"], j.copies
    share = percent((c["of_real"] or 0) / n)
    text = f"Copies: {c['of_real']:,} of {n:,} samples ({share}) equal a real row in every cell"
    if c["of_holdout"] is not None:
        text += f", {c['of_holdout']:,} a held-out row"
    if c["of_real_in_holdout"]:
        text += f" ({c['of_real_in_holdout']:,} of {j.rows['holdout']:,} held-out rows equal a real row too)"
    repeats = f"{c['repeats_in_samples']:,} samples repeat an earlier sample"
    return f"{text}; {repeats}, {c['repeats_in_real']:,} real rows an earlier real row."


def utility(j: Judgement) -> list[str]:
    """The accuracy of models, where measured; their AUC is in the table."""
    if j.target is None or "accuracy" not in j.target["samples"]:
        return []
    ours, real = j.target["samples"]["accuracy"], j.target["real"]["accuracy"]
    return [
        f"Accuracy on held-out real rows: {percent(ours)} trained on samples, {percent(real)} on real rows."
    ]


def sdmetrics(j: Judgement) -> list[str]:
    """SDMetrics' own score, or why there is none; nothing where it was not asked for."""
    if j.sdmetrics.get("score") is None:
        return [f"SDMetrics: {j.sdmetrics['why']}."] if "why" in j.sdmetrics else []
    parts = [f"{name} {three(v)}" for name, v in j.sdmetrics["properties"].items() if v is not None]
    score = f"quality score {three(j.sdmetrics['score'])} ({', '.join(parts)})"
    return [f"SDMetrics {j.sdmetrics['version']}: {score}."]


def _distance(c: ColumnJudgement) -> str:
    b = c.distance
    return c.name if b is None else f"{c.name} ({c.measure} {three(b.found)}, noise {three(b.floor)})"


def _loses_whole(c: ColumnJudgement) -> bool:
    real, samples = c.whole
    return real == 1 and samples is not None and samples < 1


def _part(measured: list[Measure]) -> int:
    """The rows of a part, in the measures of columns."""
    return next((m.beside.rows for m in measured if m.beside is not None), 0)


def _short(measure: Measure) -> str:
    return measure.title.split(" (")[0]
