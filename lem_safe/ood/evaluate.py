"""Out-of-distribution scores of rows under an energy: S₁, S₂, S₃ (O.1) of data from its distribution against
other data, with AUROC, ROC and histograms.

In-distribution rows are, in this order: those of the caller; fresh draws where the data are a built-in
distribution, or the energy has exact draws; else the rows that trained the energy, which the report states.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import Bool, Float64

from barriers.arrays import Tensor, torch
from lem_safe.data import DataSource, Table
from lem_safe.data.distributions import Planar
from lem_safe.data.tables import fitting, read_fitting
from lem_safe.errors import BadInput, Fault
from lem_safe.escaping import on_one_line
from lem_safe.files import write_json, write_npz, write_text
from lem_safe.keys import Key
from lem_safe.ood.auroc import ENOUGH, Detection, detect
from lem_safe.ood.page import INSIDE, write_page
from lem_safe.ood.scores import STEPS, TITLES, Scores, scores, usual_step
from lem_safe.progress import Progress, Silent
from lem_safe.provenance import versions
from lem_safe.runs.problem import Problem, build
from lem_safe.scenario import Scenario

DRAWS = 5000
"""Rows drawn in distribution where no number is given."""


@dataclass(frozen=True)
class Row:
    """One score on one data set."""

    against: str
    score: str
    rows: int
    detection: Detection


@dataclass(frozen=True)
class Ood:
    """The table, the scores behind it, and the settings of the flow of S₃."""

    scenario: str
    inside: str
    table: tuple[Row, ...]
    scores: Mapping[str, Scores]
    step_size: float
    steps: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema_version": 1,
            "scenario": self.scenario,
            "orientation": "higher is more out-of-distribution; fixed in advance, never turned round",
            "in_distribution": {"what": self.inside, "rows": len(self.scores["in distribution"].energy)},
            "flow": {"step_size": self.step_size, "steps": self.steps},
            "table": [
                {"against": r.against, "score": r.score, "rows": r.rows, **r.detection._asdict()}
                for r in self.table
            ],
            **versions(),
        }

    def __str__(self) -> str:
        names = [on_one_line(r.against) for r in self.table]
        width = max(map(len, names))
        inside = on_one_line(self.inside)
        lines = [
            f"{on_one_line(self.scenario)}: in distribution: {inside}; higher = more out-of-distribution",
            "",
        ]
        lines.append(f"{'against':<{width}}  {'score':<20}  {'AUROC':<22}  FPR95   AUPR")
        lines += [
            f"{name:<{width}}  {TITLES[r.score]:<20}  {_with_interval(r.detection):<22}  "
            f"{r.detection.fpr95:.4f}  {r.detection.aupr:.4f}"
            for name, r in zip(names, self.table, strict=True)
        ]
        return "\n".join(lines)


def ood(
    scenario: Scenario,
    against: Mapping[str, DataSource | Path],
    *,
    inside: DataSource | Path | None = None,
    out: Path | None = None,
    step_size: float | None = None,
    steps: int = STEPS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Ood:
    """Scores every data set of `against` and the in-distribution rows under the scenario's energy; `out` gets
    the table, plots and page.

    Raises BadInput for data without the energy's columns, for fewer than two rows, and for in-distribution
    rows without a finite score.
    """
    progress = progress or Silent()
    whole = scenario.model_copy(update={"given": None})  # rows have values of their own
    problem = build(whole, progress=progress)
    rows, origin = in_distribution(problem, inside, seed)
    z = problem.coordinates.inverse(rows).to(problem.dtype)
    _must_be_known(z.isfinite().all(1), origin)
    h = step_size if step_size is not None else _usual_step(problem, z, steps)
    found = {"in distribution": scores(problem.potential, z, h, steps)}
    _must_be_known(
        found["in distribution"].energy.isfinite() & found["in distribution"].gradient.isfinite(), origin
    )
    progress.start("scores", len(against))
    for i, (name, source) in enumerate(against.items()):
        x = _rows(source, problem, seed)
        found[name] = scores(problem.potential, problem.coordinates.inverse(x).to(problem.dtype), h, steps)
        progress.update(i + 1, name)
    table = compared(found, seed)
    result = Ood(scenario.name, origin, table, found, h, steps)
    progress.finish(f"{len(table)} comparisons")
    if out is not None:
        write(result, out)
    return result


def compared(found: Mapping[str, Scores], seed: int) -> tuple[Row, ...]:
    """Every score of every data set against the first entry, the in-distribution one."""
    (_, base), *others = ((name, s.arrays()) for name, s in found.items())
    return tuple(
        Row(name, score, len(values), detect(base[score], values, seed))
        for name, theirs in others
        for score, values in theirs.items()
    )


def in_distribution(
    problem: Problem, given: DataSource | Path | None, seed: int
) -> tuple[Float64[Tensor, "n d"], str]:
    """In-distribution rows in data units, and their origin in words."""
    if given is not None:
        return _rows(given, problem, seed), "the rows given"
    generator = Key(seed).fold("in distribution").generator()
    trained = problem.scenario.energy.get("data")
    if trained is not None:
        from lem_safe.registry import make

        source = make("data", trained)
        if isinstance(source, Planar):
            return source.draw(generator, DRAWS), f"{DRAWS:,} fresh draws"
        return source.load(
            problem.scenario.seed
        ).values, "the rows that trained the energy, which it has seen; give others with --inside"
    exact = problem.energy.exact_draws(generator, DRAWS)
    if exact is not None:
        return exact, f"{DRAWS:,} exact draws of the energy"
    raise BadInput(
        Fault(
            "has no data and cannot be drawn from exactly; give rows in distribution with --inside",
            key="energy",
        )
    )


def write(result: Ood, out: Path) -> Path:
    """Writes ood.json, scores.npz, the plots and ood.html; returns the page's path."""
    (out / "figures").mkdir(parents=True, exist_ok=True)
    arrays = {
        f"{name}/{score}": values for name, s in result.scores.items() for score, values in s.arrays().items()
    }
    write_npz(out / "scores.npz", **{on_one_line(name): values for name, values in arrays.items()})
    write_json(out / "ood.json", json.loads(json.dumps(result.to_dict(), default=float)))
    page = out / "ood.html"
    write_text(page, write_page(result.to_dict(), arrays, out / "figures"))
    return page


def source_of(text: str) -> DataSource | Path:
    """What `--against` names: a file, a kind of data (noise), or a specification ({kind: noise, law:
    gaussian}).
    """
    from lem_safe.registry import TABLES, make

    path = Path(text)
    if path.suffix and os.path.exists(path):
        return path
    if text.startswith("{"):
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            spec = YAML(typ="safe", pure=True).load(text)
            made: DataSource = make("data", spec)
        except (YAMLError, ValueError, TypeError, AttributeError) as error:
            raise BadInput(
                Fault(f"'{text}' is not a data specification: {error}; write {{kind: ..., ...}}")
            ) from error
        return made
    if text in TABLES["data"].members:
        try:
            made = make("data", {"kind": text})
        except ValueError as error:
            raise BadInput(
                Fault(f"'{text}' needs more than its kind: {error}; write {{kind: {text}, ...}}")
            ) from error
        return made
    raise BadInput(
        Fault(f"'{text}' is neither a file nor a kind of data; kinds: {', '.join(TABLES['data'].members)}")
    )


def named(texts: Sequence[str]) -> dict[str, DataSource | Path]:
    """Each `NAME=DATA`, or DATA alone, which is then its own name; BadInput for a name given twice."""
    found: dict[str, DataSource | Path] = {}
    for text in texts:
        head, mark, rest = text.partition("=")
        plain = not mark or text.startswith("{") or os.path.exists(text)
        name, spec = (Path(text).stem if os.path.exists(text) else text, text) if plain else (head, rest)
        if name == INSIDE:
            raise BadInput(Fault(f"'{name}' is what the rows of --inside are called; call it OTHER={spec}"))
        if name in found:
            raise BadInput(Fault(f"two data sets are called '{name}'; call one OTHER={spec}"))
        found[name] = source_of(spec)
    return found


def _usual_step(problem: Problem, z: Tensor, steps: int) -> float:
    try:
        return usual_step(problem.potential, z, steps)
    except ValueError as error:
        raise BadInput(
            Fault(f"{error}; give other rows with --inside, or a step with --flow-step")
        ) from error


def _must_be_known(finite: Bool[Tensor, "n"], origin: str) -> None:
    """Refuses in-distribution rows without finite scores: if all had infinite scores, nothing could be
    distinguished.
    """
    lost = int((~finite).sum())
    if lost:
        said = (
            f"{lost:,} of {len(finite):,} rows in distribution ({origin}) have no finite energy and gradient"
        )
        raise BadInput(Fault(f"{said}; give rows nearer to what the energy knows with --inside"))


def _with_interval(found: Detection) -> str:
    return f"{found.auroc:.4f} " + (
        "(few: no interval)" if found.low is None else f"({found.low:.4f}-{found.high:.4f})"
    )


def _rows(source: DataSource | Path, problem: Problem, seed: int) -> Float64[Tensor, "n d"]:
    """The rows of one data set, in the order of the energy's columns."""
    d, what = problem.coordinates.width, str(getattr(source, "path", source))
    if isinstance(source, DataSource):
        data = source.load(seed)
        table = Table(data.values.double().numpy(), data.columns)
        table = (
            fitting(table, problem.columns, what) if len(data.columns) == d else table
        )  # a part of an image is not one
    else:
        table = read_fitting(source, problem.columns)
    values, names = torch.from_numpy(table.values), table.columns or ()
    if len(values) < 2:
        raise BadInput(
            Fault(
                f"{what} has {len(values)} row{'s' * (len(values) != 1)}; comparing needs at least 2, and "
                f"an interval {ENOUGH}"
            )
        )
    if values.shape[1] != d:
        raise BadInput(
            Fault(
                f"{what} has {values.shape[1]} columns ({', '.join(names[:4])}, ...) where the energy has {d}"
            )
        )
    return values
