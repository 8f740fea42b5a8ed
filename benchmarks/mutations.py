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
import json
import random
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from lem_safe import cli

GOOD = """\
version: 1
name: two_balls
energy: {kind: gaussian, mean: [0, 0], std: 1}
unsafe:
  near: {kind: ball, center: [2, 0], radius: 0.8}
  wall: {kind: half_space, normal: [1, 0], offset: 3}
  odd: {kind: rule, where: "x0 * x1 > 2"}
  both: {any: [near, wall, odd]}
constraints:
  - {set: both, beta: 0.03}
sampler: {kind: langevin, samples: 100, steps: 10, step_size: 1e-2}
filter: {kind: gate}
audit: {confidence: 0.95}
sweep: {sampler.steps: [10, 20]}
"""
LIMIT = 1.0
"""Seconds of processor time that no file may take."""
LOCATED = re.compile(r"^.*\.yaml:\d+(:\d+)?: \S")

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from([1e300, -1e300, 10**400, -(10**400), 5e-324, 2**63, 1e15]),
    st.sampled_from(["near", "both", "ball", "gate", "-1", "1e400", "𝒰", "\u202e", "\x00", "\ufeff"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
) | st.integers(10, 3000).map(lambda depth: _nested(depth))
PIECES = [
    "{",
    "}",
    "[",
    "]",
    ": ",
    "- ",
    "\t",
    "&a ",
    "*a",
    "!!int ",
    "!!python/object/apply:os.system ",
    "|",
    ">",
    "'",
    '"',
    "#",
    "\n",
    "\r\n",
    "\x00",
    "é",
    "𝒰",
    "\ud800",
    "---\n",
    "%",
    "@",
    "<<: ",
    "? ",
    "\u2028",
    "9" * 5000,
]


def _nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def handmade(size: float = 1.0) -> dict[str, bytes]:
    """The files nobody draws at random; those that are long by `size` times as much."""

    def times(count: int) -> int:
        return int(size * count)

    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(24)
    )
    texts = {
        "empty": "",
        "blank": " \n\n",
        "comment": "# nothing\n",
        "a list": "- 1\n",
        "a number": "3\n",
        "bomb": bomb,
        "merge": GOOD + "<<: {a: 1}\n",
        "alias": GOOD.replace("[0, 0]", "&m [0, 0]").replace("[2, 0]", "*m"),
        "tab": GOOD.replace("  near", "\tnear"),
        "two documents": GOOD + "---\n" + GOOD,
        "tag": GOOD.replace("0.8", "!!python/object:os.system x"),
        "deep": "a: " + "[" * times(100_000),
        "deep braces": "{a: " * times(50_000),
        "deep blocks": "".join(" " * i + "a:\n" for i in range(times(1500))),
        "wide": "a: [" + "1," * times(200_000) + "1]",
        "long line": "a: " + "x" * times(480_000),
        "many keys": "".join(f"k{i}: 1\n" for i in range(times(15_000))),
        "huge": "x" * 1_500_000,
        "quotes": "a: '" + "''" * times(200_000),
        "digits": GOOD.replace("10, step", "9" * times(300_000) + ", step"),
        "null byte": GOOD + "a: \x00\n",
        "duplicates": GOOD + "seed: 1\n" * times(3000),
        "CRLF": GOOD.replace("0.8", "-1").replace("\n", "\r\n"),
        "CR": GOOD.replace("0.8", "-1").replace("\n", "\r"),
        "rule": GOOD.replace("x0 * x1 > 2", "(" * 3000 + "x0" + ")" * 3000 + " > 1"),
        "power": GOOD.replace("x0 * x1 > 2", "9**9**9**9**9 > x0"),
        "sum": GOOD.replace("x0 * x1 > 2", "+".join(["x0"] * times(20_000)) + " > 1"),
        "samples": GOOD.replace("samples: 100,", "samples: 4000000000000,"),
        "sweep": GOOD.replace("[10, 20]", str([*range(1, times(20_000))])),
        "grid": GOOD.replace("sampler.steps: [10, 20]", ", ".join(f"a.{c}: [1, 2, 3]" for c in "abcdefgh")),
        "bad sweep": GOOD.replace("[10, 20]", str([*range(-times(100), 0)])),
        "union": GOOD.replace("[near, wall, odd]", "[" + "near, " * times(9_000) + "waal]"),
        "means": GOOD.replace(
            "kind: gaussian, mean: [0, 0]",
            "kind: gaussian_mixture, means: [" + "[0, 0], " * times(5_000) + "[0, x]]",
        ),
    }
    files = {name: text.encode() for name, text in texts.items()}
    files["BOM"] = b"\xef\xbb\xbf" + GOOD.replace("0.8", "-1").encode()
    files["UTF-16"] = GOOD.encode("utf-16")
    files["binary"] = bytes(random.Random(0).randrange(256) for _ in range(4000))
    files["gzip"] = b"\x1f\x8b\x08\x00" + bytes(200)
    files["cut"] = GOOD.encode()[:-7] + "é".encode()[:1]
    return files


def mutated_text(rng: random.Random, times: int) -> str:
    """The good scenario with pieces cut out, put in, shuffled, overwritten."""
    text = GOOD
    for _ in range(times):
        at = rng.randrange(len(text))
        match rng.randrange(4):
            case 0:
                text = text[:at] + text[at + rng.randrange(1, 12) :]
            case 1:
                text = text[:at] + rng.choice(PIECES) + text[at:]
            case 2:
                lines = text.splitlines(keepends=True)
                rng.shuffle(lines)
                text = "".join(lines)
            case _:
                text = text[:at] + text[rng.randrange(len(text)) :]
        text = text or "x"
    return text


def mutated_values(draw: st.DataObject) -> str:
    """The good scenario with values of other types and sizes, as one line of flow YAML."""
    content = YAML(typ="safe", pure=True).load(GOOD)
    for _ in range(draw.draw(st.integers(1, 3))):
        spot = content
        while isinstance(spot, dict | list) and spot:
            key = draw.draw(st.sampled_from(list(spot) if isinstance(spot, dict) else list(range(len(spot)))))
            if draw.draw(st.booleans()) or not isinstance(spot[key], dict | list):
                spot[key] = draw.draw(VALUES)
                break
            spot = spot[key]
    return _dump(content)


def _dump(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_dump(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        depth, inner = 0, value
        while isinstance(inner, list) and len(inner) == 1:
            depth, inner = depth + 1, inner[0]
        return (
            "[" * depth + (_dump(inner) if depth else ", ".join(map(_dump, value)).join("[]")) + "]" * depth
        )
    if isinstance(value, float):
        return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}.get(repr(value), repr(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:d}" if abs(value) < 10**300 else f"{'-' if value < 0 else ''}1{'0' * 400}"
    return json.dumps(value)


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
