"""The command line: parse, call, print, exit status. What takes time to import is imported by the command that needs it.

0 every tolerance met, 1 a tolerance failed, 2 bad input, 3 a numerical failure, 4 an internal error, 130 interrupted.
"""

import errno
import functools
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lem_safe.faults import BadInput, Fault, NumericalFailure

if TYPE_CHECKING:
    from lem_safe.progress import Progress

app = typer.Typer(
    name="lem-safe",
    help="Safety-constrained generation: unsafe regions in YAML, constrained sampling, audited violations.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

ScenarioArgument = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="A scenario file, or the name of a bundled one (lem-safe list scenarios).")
]
Out = Annotated[Path | None, typer.Option("--out", help="Directory to write to, empty or absent.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")]
Strict = Annotated[bool, typer.Option("--strict", help="Pass only what the bound certifies.")]


class Listing(StrEnum):
    """What `lem-safe list` can list."""

    sets = "sets"
    energies = "energies"
    samplers = "samplers"
    filters = "filters"
    losses = "losses"
    networks = "networks"
    data = "data"
    surrogates = "surrogates"
    scenarios = "scenarios"


class Form(StrEnum):
    """How an audit can be printed."""

    text = "text"
    json = "json"
    junit = "junit"
    markdown = "markdown"
    github = "github"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit status."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="lem-safe")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 2
    return 0


def status_of(body: Callable[[], int | None]) -> int:
    """What a command exits with: the one place where a failure becomes a number and a message on stderr."""
    try:
        return body() or 0
    except BadInput as bad:
        for fault in bad.faults:
            _complain(str(fault))
        return 2
    except NumericalFailure as failure:
        _complain(f"numerical failure: {failure}")
        return 3
    except KeyboardInterrupt:
        _complain("interrupted; the same command with --resume goes on from the last checkpoint")
        return 130
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            _complain(
                f"{error.filename or 'disk'}: no space left; what was complete before is intact; free some space and --resume"
            )
            return 3
        if (
            error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOENT, errno.EEXIST, errno.ENAMETOOLONG)
            and error.filename
        ):
            _complain(f"{error.filename}: {error.strerror}; choose another place, or change its permissions")
            return 2
        return _internal(error)
    except Exception as error:
        return _internal(error)


def _internal(error: BaseException) -> int:
    with tempfile.NamedTemporaryFile("w", prefix="lem-safe-", suffix=".log", delete=False, encoding="utf-8") as log:
        traceback.print_exception(error, file=log)
    first = (str(error).splitlines() or [""])[0]
    _complain(f"internal error: {type(error).__name__}: {first}; please report it with {log.name}")
    return 4


def _command(body: Callable[..., int | None]) -> Callable[..., None]:
    """Registers a command whose return value is its exit status."""

    @functools.wraps(body)
    def guarded(*positional: Any, **named: Any) -> None:
        raise typer.Exit(status_of(lambda: body(*positional, **named)))

    app.command(name=body.__name__.rstrip("_"))(guarded)
    return guarded


def _version(wanted: bool | None) -> None:
    if wanted:
        from lem_safe import __version__

        _say(f"lem-safe {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool | None, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = None,
) -> None:
    """Safety-constrained generation: unsafe regions in YAML, constrained sampling, audited violations."""


@_command
def run(
    scenario: ScenarioArgument,
    out: Annotated[
        Path | None, typer.Option("--out", help="Directory to write to, empty or absent; by default a fresh runs/NAME.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Replaces the scenario's seed.")] = None,
    samples: Annotated[int | None, typer.Option("--samples", help="Replaces sampler.samples.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Replaces sampler.steps.")] = None,
    device: Annotated[str, typer.Option("--device", metavar="cpu|cuda", help="Where to sample.")] = "cpu",
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads of torch; one is fastest for small energies.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run, bit for bit.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    strict: Strict = False,
    json: Json = False,
) -> int:
    """Sample a scenario under its constraints, audit the samples, write a report."""
    from lem_safe.catalogue import load

    overrides = {
        key: value
        for key, value in {"seed": seed, "sampler.samples": samples, "sampler.steps": steps}.items()
        if value is not None
    }
    loaded = load(scenario, overrides)
    from lem_safe import runner
    from lem_safe.run_directory import last_unfinished, must_be_fresh

    if resume and out is None:
        out = last_unfinished(Path("runs"), loaded.name)
    if out is not None and not resume:
        must_be_fresh(out)
    progress, leave = _progress(quiet or json)
    try:
        done = runner.run(loaded, out=out, device=device, resume=resume, threads=threads, progress=progress, strict=strict)
    finally:
        leave()
    _say(done.report.to_json() if json else str(done))
    return done.exit_status


@_command
def audit(
    samples: Annotated[
        Path, typer.Argument(metavar="SAMPLES", help="Samples anyone made: .npz (array x), .npy, .csv or .parquet.")
    ],
    scenario: ScenarioArgument,
    out: Out = None,
    form: Annotated[Form, typer.Option("--format", help="How the verdict is printed.")] = Form.text,
    strict: Strict = False,
    json: Json = False,
) -> int:
    """Judge samples from anywhere against a scenario's tolerances."""
    from lem_safe.auditing import audit as judge
    from lem_safe.auditing import for_samples
    from lem_safe.auditor import badge_json, badge_svg
    from lem_safe.auditor.samples import open_samples
    from lem_safe.files import write_text
    from lem_safe.run_directory import must_be_fresh

    if out is not None:
        must_be_fresh(out)
    opened = open_samples(samples)
    loaded = for_samples(scenario, opened.columns)
    report = judge(opened, loaded, strict=strict, coupled=opened.coupled)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / "scenario.yaml", loaded.to_yaml())
        write_text(out / "badge.json", badge_json(report.to_dict()))
        write_text(out / "badge.svg", badge_svg(report.to_dict()))
        write_text(out / "audit.json", report.to_json())
    _say(report.to("json" if json else form.value))
    return report.status


@_command
def plan(
    beta: Annotated[float, typer.Option("--beta", help="The tolerance to certify.")],
    true: Annotated[float, typer.Option("--true", help="The fraction you expect to be inside.")],
    confidence: Annotated[float, typer.Option("--confidence", help="Confidence of the bound.")] = 0.95,
    power: Annotated[float, typer.Option("--power", help="How likely the certificate should be.")] = 0.9,
) -> int:
    """Say how many independent samples a certificate needs."""
    from lem_safe.auditor.planning import plan as planned

    try:
        _say(str(planned(beta, true, confidence, power)))
    except ValueError as error:
        raise BadInput(Fault(str(error))) from error
    return 0


@_command
def train(
    scenario: ScenarioArgument,
    out: Annotated[Path | None, typer.Option("--out", help="A file to copy the energy to.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> int:
    """Train a scenario's energy and nothing else; a later run reuses it."""
    from lem_safe.build import train as trained
    from lem_safe.catalogue import load

    loaded = load(scenario)
    progress, leave = _progress(quiet)
    try:
        path = trained(loaded, out, progress)
    finally:
        leave()
    _say(str(path))
    return 0


@_command
def report(directory: Annotated[Path, typer.Argument(metavar="DIR", help="The directory of a finished run.")]) -> int:
    """Render a run's report.html and figures again, from its files alone."""
    from lem_safe.report import render

    if not (directory / "audit.json").is_file() or not (directory / "run.json").is_file():
        raise BadInput(Fault("holds no finished run (audit.json and run.json); give the directory of one", file=str(directory)))
    _say(str(render(directory)))
    return 0


@_command
def validate(
    scenarios: Annotated[list[str], typer.Argument(metavar="SCENARIO...", help="Scenario files or bundled names.")],
) -> int:
    """Show every error of every scenario, with its line; runs nothing."""
    from lem_safe.catalogue import load

    faults: list[Fault] = []
    for scenario in scenarios:
        try:
            loaded = load(scenario)
        except BadInput as bad:
            faults += bad.faults
        else:
            filtered, sampler = loaded.filter["kind"], loaded.sampler
            _say(f"{scenario}: valid: {loaded.name}, {sampler.samples} samples, {sampler.steps} steps, filter {filtered}")
    if faults:
        raise BadInput(faults)
    return 0


@_command
def schema() -> None:
    """Print the JSON Schema of a scenario, for editors."""
    import json

    from lem_safe.catalogue import json_schema

    _say(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@_command
def list_(
    what: Annotated[Listing | None, typer.Argument(metavar="[WHAT]", help="One kind of thing; by default everything.")] = None,
) -> None:
    """Show what a scenario can name, and what each filter promises."""
    from rich.console import Console
    from rich.table import Table

    from lem_safe.listing import listing

    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    for kind in [what] if what else list(Listing):
        heads, rows = listing(kind.value)
        table = Table(title=kind.value, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for head in heads:
            table.add_column(head, overflow="fold", no_wrap=head in ("kind", "name", "promise"))
        for row in rows:
            table.add_row(*row)
        with console.capture() as captured:
            console.print(table)
        _say("\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n")


def _progress(silent: bool) -> "tuple[Progress, Callable[[], None]]":
    """Bars on a terminal, lines when piped; and what to call when the work is over."""
    from lem_safe.progress import Bars, Lines, Silent

    if silent or sys.stderr is None or not sys.stderr.isatty():
        return (Silent() if silent else Lines()), lambda: None
    bars = Bars()
    bars.__enter__()
    return bars, lambda: bars.__exit__(None, None, None)


def _say(text: str) -> None:
    """Text on stdout; a reader that has gone away is not an error."""
    try:
        print(text.rstrip("\n"), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)
    except (BrokenPipeError, AttributeError, ValueError):  # closed, or its reader has gone: the exit status still tells
        if sys.stderr is not None:
            sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # the interpreter flushes it at exit


if __name__ == "__main__":
    sys.exit(main())
