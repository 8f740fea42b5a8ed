"""The command line: parse, call, print, exit status. Slow imports are made by the command that needs them."""

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from lem_safe.commands.audit import audit
from lem_safe.commands.cache import cache
from lem_safe.commands.certify import certify
from lem_safe.commands.compare import compare
from lem_safe.commands.explain import explain
from lem_safe.commands.list_ import list_
from lem_safe.commands.many import said_once, speak, status_in_job
from lem_safe.commands.merge import merge
from lem_safe.commands.new import new
from lem_safe.commands.ood import ood
from lem_safe.commands.outcome import complain, say
from lem_safe.commands.plan import plan
from lem_safe.commands.quality import quality
from lem_safe.commands.report import report
from lem_safe.commands.reproduce import reproduce
from lem_safe.commands.rules import convert
from lem_safe.commands.run import run
from lem_safe.commands.sample import sample
from lem_safe.commands.schema import schema
from lem_safe.commands.thin import thin
from lem_safe.commands.train import train
from lem_safe.commands.validate import validate
from lem_safe.commands.verify import verify
from lem_safe.signals import status_after

HELP = (
    "Safety-constrained generation: unsafe regions in YAML, sampling under constraints, audits of violations."
)

COMMANDS: tuple[Callable[..., int | None], ...] = (
    new,
    validate,
    explain,
    run,
    certify,
    verify,
    audit,
    merge,
    quality,
    thin,
    compare,
    report,
    sample,
    train,
    plan,
    ood,
    reproduce,
    list_,
    schema,
    cache,
)
"""The commands in the order of `lem-safe --help`."""

GROUPS: dict[str, tuple[str, tuple[Callable[..., int | None], ...]]] = {
    "rules": ("Files of rules of other programs.", (convert,)),
}
"""Commands of two words: the first one, what it is about, and the functions of the second ones."""

app = typer.Typer(name="lem-safe", help=HELP, no_args_is_help=True, pretty_exceptions_enable=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit status."""
    try:
        with said_once():
            app(args=None if arguments is None else list(arguments), prog_name="lem-safe")
    except KeyboardInterrupt:
        complain("interrupted")
        return status_after()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 2
    return 0


def _registered(body: Callable[..., int | None], within: typer.Typer = app) -> None:
    """Registers a command whose return value is its exit status."""

    name = body.__name__.rstrip("_")

    @functools.wraps(body)
    def guarded(*positional: Any, **named: Any) -> None:
        speak()
        raise typer.Exit(status_in_job(name, lambda: body(*positional, **named)))

    within.command(name=name)(guarded)


def _version(wanted: bool | None) -> None:
    if wanted:
        from lem_safe import __version__

        say(f"lem-safe {__version__}")
        raise typer.Exit()


@app.callback(help=HELP)
def _options(
    version: Annotated[
        bool | None, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = None,
) -> None:
    """The options before a command."""


for _body in COMMANDS:
    _registered(_body)
for _name, (_about, _bodies) in GROUPS.items():
    _group = typer.Typer(help=_about, no_args_is_help=True, pretty_exceptions_enable=False)
    _group.callback()(lambda: None)
    for _body in _bodies:
        _registered(_body, _group)
    app.add_typer(_group, name=_name)

if __name__ == "__main__":
    sys.exit(main())
