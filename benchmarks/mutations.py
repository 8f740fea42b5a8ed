"""Broken scenario files: each must end `lem-safe validate` with exit 2, every line of it located, no
traceback, within a second.

    python -m benchmarks.mutations [--files 500]

Files are drawn by hypothesis from a good scenario: values of wrong types and sizes, NaN, Unicode, deep
nesting, cut, shuffled and overwritten text, and from a list of hand-made ones: aliases, YAML bombs, tabs, a
byte-order mark, CRLF, nothing, binary. A mutation that happens to leave a valid scenario is counted apart and
another one takes its place.
"""

import argparse
import contextlib
import io
import random
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from benchmarks.mutations_by_hand import GOOD, handmade
from benchmarks.mutations_drawn import mutated_text, mutated_values
from lem_safe import cli

LIMIT = 1.0
"""Seconds of processor time that no file may take."""
LOCATED = re.compile(r"^.*\.yaml:\d+(:\d+)?: \S")


def mutations(count: int) -> list[bytes]:
    """The hand-made files, then `count` drawn ones, half of them text, half of them values; always the
    same.
    """
    found = list(handmade().values())

    @settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def collect(data: st.DataObject) -> None:
        if data.draw(st.booleans()):
            text = mutated_text(random.Random(data.draw(st.integers(0, 2**32))), data.draw(st.integers(1, 4)))
        else:
            text = mutated_values(data)
        found.append(text.encode("utf-8", "surrogatepass"))

    collect()
    return found


class Outcome(NamedTuple):
    """What one file came to: its exit status, seconds of processor time, the first line that names no place,
    the whole of stderr.
    """

    status: int
    seconds: float
    unlocated: str | None
    said: str


def outcome(content: bytes, path: Path) -> Outcome:
    """`lem-safe validate` on one file. A line names a place, or shows the source below one."""
    path.write_bytes(content)
    out, err = io.StringIO(), io.StringIO()
    began = time.process_time()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main(["validate", str(path)])
    seconds = time.process_time() - began
    lines = err.getvalue().splitlines()
    unlocated = next(
        (line for line in lines if not line.startswith("    ") and not LOCATED.match(line)), None
    )
    if status == 2 and not lines:
        unlocated = "nothing was said"
    return Outcome(status, seconds, unlocated, err.getvalue())


def wrong(found: Outcome) -> str | None:
    """What must not be: another status than 0 or 2, a line without its place, a traceback, more than a
    second.
    """
    if found.status not in (0, 2):
        return f"exit {found.status}: {found.said[:200]}"
    if found.unlocated is not None:
        return f"no place: {found.unlocated[:200]}"
    if "Traceback" in found.said:
        return "a traceback"
    return f"{found.seconds:.2f} s" if found.seconds > LIMIT else None


def judged(files: int) -> Iterator[tuple[bytes, Outcome]]:
    """Files in order, until `files` of them were broken."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mutated.yaml"
        outcome(GOOD.encode(), path)  # imports are not a file's fault
        broken = 0
        for content in mutations(2 * files):
            found = outcome(content, path)
            yield content, found
            broken += found.status != 0
            if broken == files:
                return


def measure(files: int = 500) -> list[dict[str, object]]:
    """One row: how many files were refused, how many of them as they must be, the slowest."""
    every = list(judged(files))
    for content, found in every:
        if (fault := wrong(found)) is not None:
            print(f"{fault}\n    {content[:120]!r}", flush=True)
    broken = [found for _, found in every if found.status != 0]
    row: dict[str, object] = {
        "broken_files": len(broken),
        "exit_2_located_within_a_second": sum(wrong(found) is None for found in broken),
        "still_valid": len(every) - len(broken),
        "slowest_seconds": round(max(found.seconds for _, found in every), 3),
        "median_seconds": round(sorted(found.seconds for _, found in every)[len(every) // 2], 4),
    }
    print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    return [row]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=500)
    (row,) = measure(parser.parse_args().files)
    raise SystemExit(row["broken_files"] != row["exit_2_located_within_a_second"])


if __name__ == "__main__":
    main()
