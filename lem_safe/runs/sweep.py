"""A sweep: every combination of a scenario's `sweep` as a run of its own in OUT/<combination>, one table of
all of them.

The runs share seed, start and noise wherever the swept keys let them, so that rows differ by what was swept
and by nothing else.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lem_safe.errors import BadInput, Fault, NumericalFailure
from lem_safe.escaping import each_on_one_line, on_one_line
from lem_safe.files import write_json, write_text
from lem_safe.formatting import aligned
from lem_safe.inputs import read_mapping
from lem_safe.processes.group import ALONE, Group
from lem_safe.progress import Progress, Silent
from lem_safe.registry import load
from lem_safe.run_directory import RESUME, fresh_under, must_be_fresh, only_writer
from lem_safe.runs.result import Run
from lem_safe.runs.runner import run
from lem_safe.runs.sweep_table import Entry, cells, page, table
from lem_safe.scenario import Scenario, must_run, named
from lem_safe.templates import rendered

TABLE = "sweep.json"


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
        heads, rows = each_on_one_line(table(self.entries))
        lines = aligned([heads, *rows])
        passed = sum(entry.status == 0 for entry in self.entries)
        head = f"{on_one_line(self.scenario.name)}: {passed} of {len(self.entries)} combinations passed"
        return "\n".join([head, "", *lines, "", on_one_line(self.directory / "report.html")])

    def _repr_html_(self) -> str:
        return rendered("sweep_table.html.j2", "lem_safe.runs", **cells(self.entries, links=False))


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
    group: Group = ALONE,
) -> Sweep:
    """Runs every combination of a scenario's sweep, each in its own run directory under `out`, and writes
    sweep.json and report.html.

    Raises BadInput before anything is written where a combination cannot be run. A run that fails numerically
    is told in the table and the others go on; in a job of several processes it ends the sweep. With `resume`,
    finished runs are kept and an interrupted one continues, bit for bit.
    """
    progress = progress or Silent()
    chosen = _several(scenario)
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
            group=group,
        )
    return Sweep(path, chosen, tuple(entries))


def _entries(chosen: Scenario, path: Path, progress: Progress, **options: Any) -> list[Entry]:
    """The runs one after the other; sweep.json and report.html tell at any time how far they are."""
    write_json(path / TABLE, _content(chosen, (), finished=False))
    entries: list[Entry] = []
    for i, ((settings, variant), folder) in enumerate(zip(chosen.variants, folders(chosen), strict=True)):
        progress.say(f"[{i + 1}/{len(chosen.variants)}] {named(settings)}")
        begin = partial(run, variant, out=path / folder, progress=progress, **options)
        entries.append(_entry(settings, folder, begin, progress, options["group"]))
        write_json(path / TABLE, _content(chosen, entries, finished=i + 1 == len(chosen.variants)))
        write_text(path / "report.html", page(chosen, entries))
    return entries


def _several(scenario: Scenario | str | Path) -> Scenario:
    """The scenario; BadInput where it has no sweep."""
    chosen = scenario if isinstance(scenario, Scenario) else load(scenario)
    must_run(chosen)
    if not chosen.variants:
        raise BadInput(
            Fault(
                "has no sweep; write sweep: {filter.rate: [1, 5, 25]}, or use lem_safe.run",
                file=str(chosen.source or chosen.name),
            )
        )
    return chosen


def _entry(
    settings: Mapping[str, Any], folder: str, begin: Callable[[], Run], progress: Progress, group: Group
) -> Entry:
    """The row of one combination, whether its run ends or fails numerically."""
    try:
        done = begin()
    except NumericalFailure as failure:
        if group.size > 1:  # the other processes are in the middle of that run
            raise
        progress.say(f"numerical failure: {failure}")
        return Entry(settings, folder, 3, str(failure), ())
    return Entry(settings, folder, done.exit_status, None, tuple(done.report.to_dict()["constraints"]))


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
