"""Commands that check a file or count rows do without torch, whose import takes longer than their work; and
begin again with it where a network, say, is asked for.

`LEM_SAFE_ARRAYS=torch lem-safe audit ...` has torch from the start.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from barriers.plain.needs import VARIABLE, Choice

COMMANDS = ("audit", "cache", "explain", "list", "merge", "new", "rules", "schema", "validate", "verify")
"""Commands that draw no samples and train nothing, unless an explanation is to time steps."""
TIMED = {"explain", "--timing"}
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "1")
"""numpy's products as a run has them, whose time an explanation estimates: several threads may take many
times as long where other programs run.
"""
PAGES = {"--out", "--grow", "--failing-rows", "--near"}
"""What an audit writes before it may need torch, or counts by distances."""
SHARD = "--shard"
"""With it, `--out` is one file, written at the end."""
TAKEN = {"torch", "barriers.arrays"}
"""Modules that are there once the choice is made."""


def choose(arguments: Sequence[str]) -> str | None:
    """Chooses numpy for a process that has just been started for one of COMMANDS; what is wrong with the
    environment, or None.
    """
    wanted = os.environ.get(VARIABLE) or "any"
    if wanted not in ("any", "numpy", "torch"):
        return f"{VARIABLE}: must be numpy or torch; got {wanted!r}"
    if TAKEN & set(sys.modules) or not started():
        return None
    Choice.plain = Choice.again = wanted != "torch" and fits(arguments)
    if Choice.plain and "explain" in arguments:
        os.environ.setdefault(*ONE_THREAD)
    return None


def fits(arguments: Sequence[str]) -> bool:
    """Whether a command line can be answered without torch."""
    named = next((word for word in arguments if not word.startswith("-")), None)
    options = {word.split("=")[0] for word in arguments}
    if SHARD not in options and options & PAGES:
        return False
    return named in COMMANDS and not options >= TIMED


def started() -> bool:
    """Whether this process is the command itself, and no program that calls it."""
    program = sys.modules.get("__main__")
    spec = getattr(program, "__spec__", None)
    if spec is not None:
        return bool(spec.name == "lem_safe.__main__")
    return Path(getattr(program, "__file__", None) or "").stem in ("lem-safe", "lem-safe-script")


def again() -> int:
    """The same command in a new process, with torch: its exit status."""
    os.environ[VARIABLE] = "torch"
    command = [sys.executable, *sys.orig_argv[1:]]
    if os.name == "posix":
        os.execv(sys.executable, command)
    return subprocess.call(command)
