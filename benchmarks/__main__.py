"""Runs every benchmark that has a `measure()` and writes what was found, with machine, versions and commit,
to benchmarks/results.json.

    python -m benchmarks [NAME...] [--out FILE]
    python -m benchmarks NAME:PART              # of a benchmark with PARTS, this one alone
    python -m benchmarks NAME --as OTHER        # the rows are kept under another name, beside those of
        another commit

A module of this folder is a benchmark when it has `measure() -> list[dict]`, a row a number. With names, only
those are run, and the others' rows in the file stay as they were.
"""

import argparse
import importlib
import json
import os
import platform
import time
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

import torch

from lem_safe.provenance import versions

HERE = Path(__file__).parent


def benchmarks() -> dict[str, ModuleType]:
    """Every module of this folder with a `measure()`, by name."""
    modules = {
        m.name: importlib.import_module(f"benchmarks.{m.name}")
        for m in iter_modules([str(HERE)])
        if m.name != "__main__"
    }
    return {name: module for name, module in sorted(modules.items()) if hasattr(module, "measure")}


def _available(module: ModuleType) -> bool:
    """Whether what a benchmark needs is here; one that lacks it says so."""
    lacks: str | None = getattr(module, "lacks", lambda: None)()
    if lacks is not None:
        print(f"== {module.__name__.split('.')[-1]}: left out, as {lacks}", flush=True)
    return lacks is None


def machine() -> dict[str, object]:
    """The processor, its cores, and how many threads torch was given."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.system(),
    }


def record(rows: list[dict[str, object]], took: float) -> dict[str, object]:
    """What one benchmark found, with what it was found on."""
    return {"rows": rows, "seconds": round(took, 1), "machine": machine(), **versions()}


def _others(path: Path, name: str, rows: list[dict[str, object]], part: str) -> list[dict[str, object]]:
    """The rows of a benchmark in the file that are not measured again, nor of the same part."""
    before = json.loads(path.read_text())["benchmarks"] if path.exists() else {}
    again = {row["name"] for row in rows}
    kept = before.get(name, {}).get("rows", [])
    return [row for row in kept if row["name"] not in again and row.get("part") != part]


def write(path: Path, found: dict[str, dict[str, object]]) -> None:
    """Adds to what the file holds; written beside it first, then renamed."""
    before = json.loads(path.read_text())["benchmarks"] if path.exists() else {}
    text = json.dumps(
        {"schema_version": 1, "benchmarks": {**before, **found}}, indent=2, sort_keys=True, ensure_ascii=False
    )
    beside = path.with_suffix(".tmp")
    beside.write_text(text + "\n")
    beside.replace(path)


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--out", type=Path, default=HERE / "results.json")
    parser.add_argument(
        "--as",
        dest="under",
        metavar="OTHER",
        help="the name that the rows of the one benchmark are kept under",
    )
    arguments = parser.parse_args()
    if arguments.under is not None and len(arguments.names) != 1:
        parser.error("--as names the rows of one benchmark; give one NAME")
    torch.set_num_threads(1)
    known = benchmarks()
    for asked in arguments.names:
        name, _, part = asked.partition(":")
        if name not in known:
            parser.error(f"no benchmark {name!r}; there are {', '.join(known)}")
        parts = getattr(known[name], "PARTS", ())
        if part and part not in parts:
            parser.error(f"benchmark {name!r} has no part {part!r}; it has {', '.join(parts) or 'none'}")
    for asked in arguments.names or [name for name in known if _available(known[name])]:
        print(f"== {asked}", flush=True)
        name, _, part = asked.partition(":")
        began = time.perf_counter()
        rows = known[name].measure(part) if part else known[name].measure()
        under = arguments.under or name
        kept = _others(arguments.out, under, rows, part) if part else []
        write(arguments.out, {under: record([*kept, *rows], time.perf_counter() - began)})


if __name__ == "__main__":
    main()
