"""What a terminal or a pipe is given: text that its encoding may not have, and a place that may be full,
closed, or left by its reader.
"""

import codecs
import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from barriers.plain.needs import Choice, NeedsTorch

_PAIRS = (
    "≤ <=  ≥ >=  ≠ !=  ± +-  × x  · *  − -  – -  — -  … ...  → ->  ∞ inf  √ sqrt  ∇ grad  Σ sum  ∫ int",
    "𝔼 E  𝒰 U  ρ rho  β beta  μ mu  σ sigma  κ kappa  ε eps  λ lambda  φ phi  τ tau  θ theta  α alpha",
    "γ gamma  δ delta  Δ Delta  π pi  ℓ l  ² ^2  ³ ^3  ᵀ ^T  ½ 1/2  ₀ 0  ₁ 1  ₂ 2  ₃ 3  ∈ in  ∉ not in",
    "‖ ||  ′ '  “ \"  ” \"  ‘ '  ’ '  • *  ✓ ok  ✗ no  █ #  ─ -  │ |  ╭ +  ╮ +  ╰ +  ╯ +  ━ -",
)
STAND_INS = {pair[0]: pair[2:] for line in _PAIRS for pair in line.split("  ")} | {"\u00a0": " "}
"""What is printed where an encoding lacks a character; any other becomes its number, \\u..., as in JSON."""

ERRORS = "lem_safe.stand_ins"


def stand_ins(error: UnicodeError) -> tuple[str, int]:
    """The stand-ins of the characters that could not be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_one, error.object[error.start : error.end])), error.end


def _one(character: str) -> str:
    if character in STAND_INS:
        return STAND_INS[character]
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


codecs.register_error(ERRORS, stand_ins)


class Output(io.TextIOWrapper):
    """stdout that never raises: a failure is kept for the end of the program, and what follows is dropped."""

    def __init__(self, raw: BinaryIO, encoding: str, failed: OSError | None = None):
        super().__init__(raw, encoding, ERRORS, write_through=True)
        self.closed_before, self.failed = failed, None  # type: OSError | None, OSError | None
        self._held: list[str] | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """In a process that may have to begin again with torch, what is printed is kept until it need not."""
        self._held = [] if Choice.again else None
        try:
            yield
        except NeedsTorch:
            self._held = None
            raise
        finally:
            self.release()

    def release(self) -> None:
        """Prints what was kept, and keeps no more: something is told on stderr, or the end is reached."""
        printed, self._held = self._held, None
        if printed:
            self.write("".join(printed))

    def write(self, text: str) -> int:
        if not isinstance(text, str):  # click asks in this way whether a stream takes bytes
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self._held is not None:
            self._held.append(text)
            return len(text)
        if self.closed_before is not None:
            self.failed = self.closed_before
            return len(text)
        self._tried(lambda: (super(Output, self).write(text), super(Output, self).flush()))
        return len(text)

    def flush(self) -> None:
        if not self.closed:
            self._tried(super().flush)

    def _tried(self, do: Callable[[], object]) -> None:
        try:
            do()
        except OSError as error:
            self.failed = self.failed or error
            with open(os.devnull, "wb") as nowhere:  # what is still held goes there
                os.dup2(nowhere.fileno(), self.fileno())


def prepare() -> Output:
    """Gives descriptors 0, 1 and 2 a place, so that no file of ours takes theirs, and makes stdout an Output,
    which is returned.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free
    if sys.stderr is not None and isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors=ERRORS)
    if sys.stdout is None:
        nowhere = os.fdopen(os.open(os.devnull, os.O_WRONLY), "wb")
        made = Output(nowhere, "utf-8", OSError(errno.EBADF, "it is closed"))
    else:
        sys.stdout.flush()
        descriptor, encoding = sys.stdout.fileno(), sys.stdout.encoding
        made = Output(os.fdopen(descriptor, "wb", closefd=False), encoding)
    sys.stdout = made
    return made
