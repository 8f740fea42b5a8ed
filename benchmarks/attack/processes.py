"""The command line in a process of its own: forked from this one, which has imported everything, or started
afresh. What it prints goes to files; at its time limit it is killed.
"""

import io
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.attack.case import Arguments, Outcome, Surroundings

PLAIN = Surroundings()
ROOT = Path(__file__).resolve().parents[2]


def forked(
    *arguments: str,
    around: Surroundings = PLAIN,
    seconds: float = 20.0,
    interrupted: tuple[float, signal.Signals] | None = None,
) -> Callable[[Path], Outcome]:
    """A run of `lem-safe ARGUMENTS` in a child of this process; `{here}` in an argument is its folder."""

    def run(folder: Path) -> Outcome:
        words = [word.replace("{here}", str(folder)) for word in arguments]
        return called(command(*words), folder, around, seconds, interrupted)

    return run


def called(
    body: Callable[[], int],
    folder: Path,
    around: Surroundings = PLAIN,
    seconds: float = 20.0,
    interrupted: tuple[float, signal.Signals] | None = None,
) -> Outcome:
    """What a body returns as an exit status, called in a child of this process. interrupted: after so many
    seconds, by that signal.
    """
    began = time.monotonic()
    child = started(body, folder, around)
    if interrupted is not None:
        time.sleep(interrupted[0])
        os.kill(child, interrupted[1])
    return ended(child, folder, began, seconds)


def started(body: Callable[[], int], folder: Path, around: Surroundings = PLAIN, label: str = "") -> int:
    """The number of a child that runs a body; what it prints goes to files whose names begin with `label`."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        status = 120
        try:
            status = _inside(body, folder, around, label)
        finally:
            os._exit(status)
    return child


def ended(child: int, folder: Path, began: float, seconds: float, label: str = "") -> Outcome:
    """What a child came to, or was killed for at its time limit."""
    code = _waited(child, began + seconds)
    out, err = (folder / f"{label}{name}" for name in ("stdout", "stderr"))
    return Outcome(code, _text(out), _text(err), time.monotonic() - began)


def _inside(body: Callable[[], int], folder: Path, around: Surroundings, label: str) -> int:
    """The body with its surroundings, in the child; what the interpreter does at its end included."""
    heard()
    os.chdir(folder)
    os.environ.update(around.environment)
    _redirect(folder, around, label)
    for name, value in around.limits.items():
        resource.setrlimit(name, (value, value))
    if around.user is not None:
        os.seteuid(around.user)
    try:
        status = body()
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        status = 1
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError) as error:
        print(f"Exception ignored while flushing: {error}", file=sys.stderr, flush=True)
        status = 120
    return status


def heard() -> None:
    """Signals as a terminal's process has them: a job in the background may have been told to ignore some."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _redirect(folder: Path, around: Surroundings, label: str) -> None:
    written = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    inside = around.stdout is not None and not around.stdout.startswith("/")
    for descriptor, path, flags in (
        (0, around.stdin, os.O_RDONLY),
        (1, f"{label}{around.stdout}" if inside else around.stdout, written),
        (2, f"{label}stderr", written),
    ):
        if path is None:
            os.close(descriptor)
            continue
        opened = os.open(folder / path, flags, 0o644)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.stdout = None if around.stdout is None else _stream(1, around.encoding)  # type: ignore[assignment]
    sys.stderr = _stream(2, around.encoding, "backslashreplace")


def _stream(descriptor: int, encoding: str, errors: str = "strict") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.FileIO(descriptor, "w", closefd=False), encoding, errors, write_through=True)


def command(*arguments: str) -> Callable[[], int]:
    """A body that is the command line."""
    return lambda: _main(arguments)


def _main(arguments: Arguments) -> int:
    from lem_safe.__main__ import main

    return main(list(arguments))


def _waited(child: int, until: float) -> int | None:
    """The status of a child as a shell has it; None where it had to be killed."""
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _text(path: Path) -> str:
    return path.read_text("utf-8", "backslashreplace") if path.is_file() else ""


def fresh(
    *arguments: str,
    folder: Path,
    environment: dict[str, str] | None = None,
    shell: str | None = None,
    interrupted: tuple[float, signal.Signals] | None = None,
    seconds: float = 60.0,
) -> Outcome:
    """The command line from the start of its interpreter. shell: the line that runs it, `$LEM` in it the
    program; interrupted: after so many seconds, by that signal.
    """
    program = [sys.executable, "-m", "lem_safe"]
    around = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **(environment or {})}
    command = (
        [*program, *arguments] if shell is None else ["sh", "-c", shell.replace("$LEM", " ".join(program))]
    )
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=around,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=heard,
    )
    try:
        if interrupted is not None:
            time.sleep(interrupted[0])
            process.send_signal(interrupted[1])
        out, err = process.communicate(timeout=seconds)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        code = None
    status = code if code is None or code >= 0 else 128 - code
    return Outcome(
        status, *(part.decode("utf-8", "backslashreplace") for part in (out, err)), time.monotonic() - began
    )
