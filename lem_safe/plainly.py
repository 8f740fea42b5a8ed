"""Commands that check a file or count rows do without torch, whose import takes longer than their work; and
begin again with it where a network, say, is asked for.

    LEM_SAFE_ARRAYS=torch  lem-safe audit ...    with torch from the start
    LEM_SAFE_ARRAYS=numpy  lem-safe audit ...    a failure, where only torch would do
"""

import os
import subprocess
import sys
from collections.abc import Sequence

from barriers.plain.needs import VARIABLE, Choice

COMMANDS = ("audit", "explain", "list", "merge", "schema", "validate", "verify")


def choose(arguments: Sequence[str]) -> None:
    """Chooses numpy for a process that has just been started for one of COMMANDS."""
    named = next((word for word in arguments if not word.startswith("-")), None)
    if (
        os.environ.get(VARIABLE) is None
        and "torch" not in sys.modules
        and "barriers.arrays" not in sys.modules
    ):
        Choice.plain = named in COMMANDS


def again() -> int:
    """The same command in a new process, with torch: its exit status."""
    os.environ[VARIABLE] = "torch"
    command = [sys.executable, *sys.orig_argv[1:]]
    if os.name == "posix":
        os.execv(sys.executable, command)
    return subprocess.call(command)
