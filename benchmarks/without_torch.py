"""Commands that print the same with torch and without it, character by character.

    python -m benchmarks without_torch

Mutated scenario files (`benchmarks.mutations`) and the bundled ones are validated, and rows are audited
against an example of every kind of region, in one process with torch and in one where it cannot be imported.
What asks for torch there begins again with it, so it is counted apart.
"""

import contextlib
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from benchmarks.markdown import table
from benchmarks.mutations import mutations
from lem_safe.scenario.bundled import bundled_scenarios

MUTATED, ROWS = 300, 2000
SCRIPT = """
import sys
from barriers.plain.needs import Choice
Choice.plain = Choice.again = sys.argv[1] == "numpy"
from benchmarks.without_torch import answers
answers(sys.argv[2], sys.argv[3])
"""


def measure() -> list[dict[str, Any]]:
    """One row for each kind of command."""
    with tempfile.TemporaryDirectory() as place:
        groups = _commands(Path(place))
        asked = Path(place) / "commands.json"
        asked.write_text(json.dumps([command for commands in groups.values() for command in commands]))
        found = [_answered(mode, asked, Path(place)) for mode in ("numpy", "torch")]
    rows, begin = [], 0
    for name, commands in groups.items():
        pairs = list(zip(*(each[begin : begin + len(commands)] for each in found), strict=True))
        begin += len(commands)
        needed = sum(ours is None for ours, _ in pairs)
        same = sum(ours is not None and ours == theirs for ours, theirs in pairs)
        rows.append({"name": name, "commands": len(commands), "same": same, "begun_again": needed})
    return rows


def answers(commands: str, out: str) -> None:
    """Runs commands one after the other, and writes what each returned and printed; None where it needs
    torch.
    """
    from barriers.plain.needs import NeedsTorch
    from lem_safe.cli import main

    found: list[list[Any] | None] = []
    for command in json.loads(Path(commands).read_text()):
        said, complained = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
            try:
                status = main(command)
            except NeedsTorch:
                status = -1
        found.append(None if status == -1 else [status, said.getvalue(), complained.getvalue()])
    Path(out).write_text(json.dumps(found))


def section(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines of docs/measurements.md."""
    return [
        "Exit status, stdout and stderr with numpy alone and with torch, character by character; *begun "
        "again* are those that only torch can do.",
        "",
        *table(
            ["command", "of them", "the same", "begun again", "different"],
            [
                [
                    row["name"],
                    f"{row['commands']:,}",
                    f"{row['same']:,}",
                    f"{row['begun_again']:,}",
                    f"{row['commands'] - row['same'] - row['begun_again']:,}",
                ]
                for row in rows
            ],
        ),
    ]


def _commands(place: Path) -> dict[str, list[list[str]]]:
    mutated = []
    for i, content in enumerate(mutations(MUTATED)[:MUTATED]):
        path = place / f"mutated_{i}.yaml"
        path.write_bytes(content)
        mutated.append(["validate", str(path)])
    return {
        "validate, mutated files": mutated,
        "validate, bundled scenarios": [["validate", name] for name in bundled_scenarios()],
        "audit, an example of every kind of region": list(_audits(place)),
    }


def _audits(place: Path) -> Sequence[list[str]]:
    from barriers.sets import SETS

    found = []
    for kind, entry in SETS.items():
        example = dict(entry.example)
        columns = [f"x{i}" for i in range(getattr(entry.constructor, "example_columns", 2))]
        content = {
            "version": 1,
            "name": kind,
            "columns": columns,
            "unsafe": {"region": example},
            "constraints": [{"set": "region", "beta": 0.5}],
        }
        scenario, rows = place / f"{kind}.yaml", place / f"{kind}.csv"
        with scenario.open("w") as file:
            YAML().dump(content, file)
        x = np.random.default_rng(0).normal(size=(ROWS, len(columns)))
        np.savetxt(rows, x, "%.17g", ",", header=",".join(columns), comments="")
        found.append(["audit", str(rows), str(scenario)])
    return found


def _answered(mode: str, asked: Path, place: Path) -> list[Any]:
    began, out = time.monotonic(), place / f"{mode}.json"
    subprocess.run([sys.executable, "-c", SCRIPT, mode, str(asked), str(out)], check=True)
    print(f"{mode}: {time.monotonic() - began:.0f} s", flush=True)
    found: list[Any] = json.loads(out.read_text())
    return found
