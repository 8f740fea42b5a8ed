"""A sweep: every combination of a scenario's `sweep` as a run of its own in OUT/<combination>, one table of
all of them.

The runs share seed, start and noise wherever the swept keys let them, so that rows differ by what was swept
and by nothing else.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lem_safe.errors import BadInput, Fault, NumericalFailure
from lem_safe.files import write_json, write_text
from lem_safe.formatting import percent
from lem_safe.inputs import read_mapping
from lem_safe.progress import Progress, Silent
from lem_safe.registry import load
from lem_safe.run_directory import RESUME, fresh_under, must_be_fresh, only_writer
from lem_safe.runs.result import Run
from lem_safe.runs.runner import run
from lem_safe.scenario import Scenario, named
from lem_safe.templates import rendered

TABLE = "sweep.json"
VERDICTS = {0: "passed", 1: "failed", 3: "numerical failure"}


@dataclass(frozen=True)
class Entry:
    """One combination: what it set, where its run is, its exit status, and its report's numbers (None where
    it failed numerically).
    """

    settings: Mapping[str, Any]
    directory: str
    status: int
    failure: str | None
    constraints: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Sweep:
    """A finished sweep: a directory of run directories, and one row for each."""

    directory: Path
    scenario: Scenario
    entries: tuple[Entry, ...]

    @property
    def exit_status(self) -> int:
        """The worst of the runs': 0 all passed, 1 a tolerance was not met, 3 a run failed numerically."""
        return max(entry.status for entry in self.entries)

    def run(self, index: int) -> Run:
        """One of the runs, read back from its directory; NumericalFailure where it has none."""
        entry = self.entries[index]
        if entry.failure is not None:
            raise NumericalFailure(entry.failure)
        return run(
            self.directory / entry.directory / "scenario.yaml",
            out=self.directory / entry.directory,
            resume=True,
        )

    def to_dict(self) -> dict[str, Any]:
        """The content of sweep.json."""
        return _content(self.scenario, self.entries, finished=True)

    def to_json(self) -> str:
        """sweep.json, readable."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def __str__(self) -> str:
        heads, rows = table(self.entries)
        widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in [heads, *rows]
        ]
        passed = sum(entry.status == 0 for entry in self.entries)
        head = f"{self.scenario.name}: {passed} of {len(self.entries)} combinations passed"
        return "\n".join([head, "", *lines, "", str(self.directory / "report.html")])

    def _repr_html_(self) -> str:
        return rendered("sweep_table.html.j2", "lem_safe.runs", **_cells(self.entries, links=False))


def sweep(
    scenario: Scenario | str | Path,
    *,
    out: Path | str | None = None,
    device: str = "cpu",
    resume: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
    strict: bool = False,
    with_report: bool = True,
) -> Sweep:
    """Runs every combination of a scenario's sweep, each in its own run directory under `out`, and writes
    sweep.json and report.html.

    Raises BadInput before anything is written where a combination cannot be run. A run that fails numerically
    is told in the table and the others go on. With `resume`, finished runs are kept and an interrupted one
    continues, bit for bit.
    """
    progress = progress or Silent()
    chosen = scenario if isinstance(scenario, Scenario) else load(scenario)
    if not chosen.variants:
        raise BadInput(
            Fault(
                "has no sweep; write sweep: {filter.rate: [1, 5, 25]}, or use lem_safe.run",
                file=str(chosen.source or chosen.name),
            )
        )
    path = Path(out) if out is not None else fresh_under(Path("runs"), chosen.name)
    if resume:
        _must_be_the_same(path, chosen)
    else:
        must_be_fresh(path, RESUME)
    with only_writer(path, resume=resume):
        entries = _entries(
            chosen,
            path,
            progress,
            device=device,
            resume=resume,
            threads=threads,
            strict=strict,
            with_report=with_report,
        )
    return Sweep(path, chosen, tuple(entries))


def _entries(chosen: Scenario, path: Path, progress: Progress, **options: Any) -> list[Entry]:
    """The runs one after the other; sweep.json and report.html tell at any time how far they are."""
    write_json(path / TABLE, _content(chosen, (), finished=False))
    entries: list[Entry] = []
    for i, ((settings, variant), folder) in enumerate(zip(chosen.variants, folders(chosen), strict=True)):
        progress.say(f"[{i + 1}/{len(chosen.variants)}] {named(settings)}")
        try:
            done = run(variant, out=path / folder, progress=progress, **options)
            entries.append(
                Entry(settings, folder, done.exit_status, None, tuple(done.report.to_dict()["constraints"]))
            )
        except NumericalFailure as failure:
            progress.say(f"numerical failure: {failure}")
            entries.append(Entry(settings, folder, 3, str(failure), ()))
        write_json(path / TABLE, _content(chosen, entries, finished=i + 1 == len(chosen.variants)))
        write_text(path / "report.html", page(chosen, entries))
    return entries


def folders(scenario: Scenario) -> list[str]:
    """The name of each combination's directory: rate=5, or filter.kind=gate,sampler.samples=100; all
    different.
    """
    found: list[str] = []
    keys = [key for key, _ in (scenario.sweep or {}).items()]
    lasts = [key.rsplit(".", 1)[-1] for key in keys]
    short = {key: last if lasts.count(last) == 1 else key for key, last in zip(keys, lasts, strict=True)}
    for settings, _ in scenario.variants:
        text = ",".join(
            part.replace(" = ", "=") for part in (named({short[k]: v}) for k, v in settings.items())
        )
        name = re.sub(r"[^\w.=,+-]+", "_", text)[:100].strip("._") or "run"
        twin = sum(other == name or other.rpartition("--")[0] == name for other in found)
        found.append(f"{name}--{twin + 1}" if twin else name)
    return found


def table(entries: Sequence[Entry]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: a column for each swept key, then the result and, for each constraint, its fraction,
    its largest and its verdict.
    """
    keys = list(entries[0].settings) if entries else []
    sets = next(([c["set"] for c in entry.constraints] for entry in entries if entry.constraints), [])
    heads = [*keys, "result"]
    for name in sets:
        of = f" {name}" if len(sets) > 1 else ""
        heads += [f"found{of}", f"most over steps{of}", f"verdict{of}"]
    rows = []
    for entry in entries:
        cells = [named({key: value}).removeprefix(f"{key} = ") for key, value in entry.settings.items()]
        by_set = {c["set"]: c for c in entry.constraints}
        row = [*cells, VERDICTS.get(entry.status, str(entry.status))]
        for name in sets:
            c = by_set.get(name)
            row += (
                ["", "", ""]
                if c is None
                else [percent(c["fraction"]), percent(c["max_fraction_over_steps"]), str(c["verdict"])]
            )
        rows.append(row)
    return heads, rows


def page(scenario: Scenario, entries: Sequence[Entry]) -> str:
    """One self-contained page: the table, each row with a link to its run's own report."""
    keys = ", ".join(f"{key} ({len(values)})" for key, values in (scenario.sweep or {}).items())
    passed = sum(entry.status == 0 for entry in entries)
    tone, head = ("passed", "Passed") if passed == len(entries) else ("failed", "Not all passed")
    return rendered(
        "sweep.html.j2",
        "lem_safe.runs",
        title=f"{scenario.name}: sweep",
        tone=tone,
        head=head,
        lead=f"{passed} of {len(entries)} combinations passed; {len(scenario.variants)} planned. "
        f"Swept: {keys}.",
        note=(
            "Every row is a run of its own, judged like any other. All begin with the same seed, unless the "
            "seed is what is swept."
        ),
        **_cells(entries, links=True),
    )


def last_unfinished(parent: Path, name: str) -> Path | None:
    """The newest sweep under `parent` of a scenario of this name that was interrupted; None where none
    was.
    """
    cut = [
        p
        for p in parent.glob(f"{name}*/{TABLE}")
        if not read_mapping(p, "remove it, or give --out").get("finished", False)
    ]
    own = [p for p in cut if re.fullmatch(r"(-\d+)?", p.parent.name.removeprefix(name))]
    return max(own, key=lambda p: p.stat().st_mtime).parent if own else None


def _content(scenario: Scenario, entries: Sequence[Entry], *, finished: bool) -> dict[str, Any]:
    kept = (
        "set",
        "beta",
        "violations",
        "fraction",
        "upper_bound",
        "max_fraction_over_steps",
        "verdict",
        "passed",
    )
    runs = [
        {
            "settings": dict(entry.settings),
            "directory": entry.directory,
            "status": entry.status,
            "failure": entry.failure,
            "constraints": [{key: c[key] for key in kept} for c in entry.constraints],
        }
        for entry in entries
    ]
    return {
        "schema_version": 1,
        "scenario": scenario.name,
        "fingerprint": scenario.fingerprint(),
        "sweep": scenario.sweep,
        "finished": finished,
        "status": max((entry.status for entry in entries), default=0),
        "runs": runs,
    }


def _must_be_the_same(path: Path, scenario: Scenario) -> None:
    if not path.exists() or not any(path.iterdir()):
        return
    if not (path / TABLE).is_file():
        raise BadInput(Fault(f"holds no sweep ({TABLE} is missing); choose another --out", file=str(path)))
    begun = read_mapping(path / TABLE, "choose another --out").get("fingerprint")
    if begun != scenario.fingerprint():
        message = (
            "holds another sweep, or one of data that have changed since; resume it with what it was "
            "begun with, or choose another --out"
        )
        raise BadInput(Fault(message, file=str(path)))


class Cell(NamedTuple):
    """One cell of the page: under a head that it repeats where a narrow page turns rows into cards."""

    head: str
    text: str
    link: str | None


def _cells(entries: Sequence[Entry], *, links: bool) -> dict[str, Any]:
    """The heads and rows of the page's table."""
    heads, rows = table(entries)
    shown = []
    for entry, row in zip(entries, rows, strict=True):
        place = len(entry.settings)
        cells = [Cell(head, text, None) for head, text in zip(heads, row, strict=True)]
        if entry.failure is not None:
            cells[place] = cells[place]._replace(text=f"{row[place]}: {entry.failure}")
        elif links:
            cells[place] = cells[place]._replace(link=f"{entry.directory}/report.html")
        shown.append(cells)
    return {"heads": heads, "rows": shown}
