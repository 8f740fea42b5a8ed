"""Commands that check a file or count rows do without torch, whose import takes longer than their work; and
begin again with it where a network, say, is asked for.

`LEM_SAFE_ARRAYS=torch lem-safe audit ...` has torch from the start.
"""

import os
import subprocess
import sys
from collections.abc import Sequence

from barriers.plain.needs import VARIABLE, Choice

COMMANDS = ("audit", "cache", "list", "merge", "new", "rules", "schema", "validate", "verify")
"""Commands that draw no samples and train nothing."""
UNTIMED = {"explain", "--no-timing"}
TAKEN = {"torch", "barriers.arrays"}
"""Modules that are there once the choice is made."""


def choose(arguments: Sequence[str]) -> None:
    """Chooses numpy for a process that has just been started for one of COMMANDS."""
    if os.environ.get(VARIABLE) is None and not TAKEN & set(sys.modules):
        named = next((word for word in arguments if not word.startswith("-")), None)
        Choice.plain = named in COMMANDS or set(arguments) >= UNTIMED


def again() -> int:
    """The same command in a new process, with torch: its exit status."""
    os.environ[VARIABLE] = "torch"
    command = [sys.executable, *sys.orig_argv[1:]]
    if os.name == "posix":
        os.execv(sys.executable, command)
    return subprocess.call(command)
