"""Data sets larger than a machine: how fast a core counts them, in how much memory, and that what shards and
other engines have counted is what one pass counts.

    python -m benchmarks shards                # all parts
    LEM_SAFE_SHARD_ROWS=1000000000 python -m benchmarks shards:stream

stream: rows are made and counted one shard at a time, a few hundred megabytes, in a process of its own, and
its file is removed: the disk needs to hold one shard. One of the processes is killed in the middle, and its
shard is counted again. The sum must be that of numpy, which counts what it makes. merged: on the command
line, one pass and shards of the same files, byte for byte. engines: the code of docs/large-data.md for those
that are installed.
"""

import contextlib
import importlib.util
import json
import os
import pickle
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.markdown import table
from benchmarks.streaming import PEAK

PARTS = ("stream", "merged", "engines")
PAGE = Path(__file__).resolve().parents[1] / "docs" / "large-data.md"
ROWS = int(float(os.environ.get("LEM_SAFE_SHARD_ROWS", "50_000_000")))
SHARD, CHUNK = 25_000_000, 1_000_000
"""Rows of a shard, 200 MB of float32, and rows made at a time."""
CENTER, RADIUS, TOLERATED = (2.0, 0.0), 0.5, 0.05
REGIONS = {"ball": {"kind": "ball", "center": list(CENTER), "radius": RADIUS}}
ENGINES = {"DuckDB": "duckdb", "Dask": "dask.dataframe", "Ray": "ray", "Spark": "pyspark"}
PACKAGES = {"DuckDB": "duckdb", "Dask": "dask", "Ray": "ray", "Spark": "pyspark"}
RULES = f"""\
version: 1
name: ball
columns: [x0, x1]
unsafe: {{ball: {{kind: ball, center: {list(CENTER)}, radius: {RADIUS}}}}}
constraints: [{{set: ball, beta: {TOLERATED}}}]
"""

WORKER = (
    PEAK
    + """
import json, pickle, sys, time
import numpy as np, torch
torch.set_num_threads(1)
import lem_safe, pyarrow.parquet
from benchmarks.shards import REGIONS, TOLERATED
source, out = sys.argv[1:]
lem_safe.count(np.zeros((10, 2)), REGIONS, beta=TOLERATED)
before, began, worked = peak(), time.perf_counter(), time.process_time()
print("begun", flush=True)
counts = lem_safe.count(source, REGIONS, beta=TOLERATED)
seconds, processor = time.perf_counter() - began, time.process_time() - worked
with open(out + ".tmp", "wb") as file:
    pickle.dump(counts, file)
import os
os.replace(out + ".tmp", out)
print(json.dumps([seconds, processor, (peak() - before) / 1024]))
"""
)


def measure(part: str | None = None) -> list[dict[str, Any]]:
    """The rows of all parts, or of one."""
    measured = {"stream": stream, "merged": merged, "engines": engines}
    return [row for name in PARTS if part in (None, name) for row in measured[name]()]


def stream(total: int = ROWS, shard: int = SHARD) -> list[dict[str, Any]]:
    """Counts `total` rows, one shard after the other."""
    import lem_safe

    shards = -(-total // shard)
    whole, inside, killed = lem_safe.count(np.empty((0, 2)), REGIONS), 0, 0
    seconds, processor, extra, sizes = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "shard.parquet", Path(folder) / "counts"
        for k in range(shards):
            inside += _made(source, min(shard, total - k * shard), seed=k)
            sizes.append(source.stat().st_size / 2**20)
            if k == 1 or shards == 1:
                killed += _killed(source, out, min(0.2, shard / 1e8))
            wall, work, more = _counted(source, out)
            whole = whole + pickle.loads(out.read_bytes())
            out.unlink()
            source.unlink()
            seconds.append(wall)
            processor.append(work)
            extra.append(more)
    began = time.process_time()
    report = whole.report()
    if (whole.samples, whole.inside["ball"]) != (total, inside) or report.samples != total:
        raise AssertionError(f"counted {whole}, numpy {inside} of {total}")
    return [
        {
            "name": "stream",
            "rows": total,
            "shards": shards,
            "mib_each": max(sizes),
            "inside": inside,
            "killed": killed,
            "rows_per_second": total / sum(seconds),
            "rows_per_processor_second": total / sum(processor),
            "extra_mib_first": extra[0],
            "extra_mib_most": max(extra),
            "report_seconds": time.process_time() - began,
            "verdict": report.verdict,
        }
    ]


def _made(path: Path, rows: int, seed: int) -> int:
    """Writes normal draws as Parquet; returns how many are in the ball, by numpy in float64."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng, inside = np.random.default_rng([7, seed]), 0
    schema = pa.schema([("x0", pa.float32()), ("x1", pa.float32())])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as file:
        for start in range(0, rows, CHUNK):
            x = rng.standard_normal((2, min(CHUNK, rows - start)), dtype=np.float32)
            file.write_table(pa.table(list(x), schema=schema))
            y = x.astype(np.float64) - np.array(CENTER)[:, None]
            inside += int((y[0] ** 2 + y[1] ** 2 <= RADIUS**2).sum())
    return inside


def _begun(source: Path, out: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(source), str(out)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
    )


def _killed(source: Path, out: Path, after: float) -> int:
    """Kills a process, so many seconds after it has begun to count; 1 as it left no counts."""
    with _begun(source, out) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        time.sleep(after)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    if out.exists():
        raise AssertionError("the counts were written before the process was killed")
    return 1


def _counted(source: Path, out: Path) -> tuple[float, float, float]:
    """Counts a shard: the clock's seconds, the processor's, and the MiB beyond those of ten rows."""
    with _begun(source, out) as worker:
        said, _ = worker.communicate()
    if worker.returncode:
        raise AssertionError(f"the process that counts a shard ended with {worker.returncode}")
    seconds, processor, extra = json.loads(said.splitlines()[-1])
    return seconds, processor, extra


def merged(rows: int = 10_000_000, files: int = 8, shards: int = 4) -> list[dict[str, Any]]:
    """One pass and shards on the command line; AssertionError where their bytes differ."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("rules.yaml").write_text(RULES)
        for k in range(files):
            Path(f"data/k={k}").mkdir(parents=True)
            _made(Path(f"data/k={k}/0.parquet"), rows // files, seed=k)
        one, seconds_of_one = _timed("audit", "data/k=*/*.parquet", "rules.yaml", "--json")
        parts, each = [f"part-{i}.json" for i in range(1, shards + 1)], []
        for i, part in enumerate(parts, 1):
            shard = ["--shard", f"{i}/{shards}", "--out", part]
            each.append(_timed("audit", "data/k=*/*.parquet", "rules.yaml", *shard)[1])
        many, seconds_of_merge = _timed("merge", *reversed(parts), "rules.yaml", "--json")
        size = max(Path(part).stat().st_size for part in parts) / 2**20
    if many != one:
        raise AssertionError("the merged audit is not that of one pass")
    return [
        {
            "name": "merged",
            "rows": rows,
            "files": files,
            "shards": shards,
            "same_bytes": many == one,
            "one_pass_seconds": seconds_of_one,
            "longest_shard_seconds": max(each),
            "merge_seconds": seconds_of_merge,
            "part_mib": size,
        }
    ]


def _timed(*arguments: str) -> tuple[bytes, float]:
    """What a command prints, and its seconds of processor time."""
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "lem_safe", *arguments],
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
    )
    if done.returncode not in (0, 1):
        raise AssertionError(f"lem-safe {arguments[0]} exited with {done.returncode}")
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime


def engines(rows: int = 1_000_000) -> list[dict[str, Any]]:
    """The code of the page for every engine, each in a process of its own; one that is not installed says
    so.
    """
    found = []
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        truth = loans(Path("data"), rows, np.random.default_rng(0))
        Path("rules.yaml").write_text(_code("Data larger than a machine", "yaml"))
        for name, module in ENGINES.items():
            row: dict[str, Any] = {"name": name, "rows": rows, "run": _is_here(module)}
            if row["run"]:
                inside, row["seconds"] = _run(_code(name, "python"))
                row["version"] = version(PACKAGES[name])
                if inside != truth:
                    raise AssertionError(f"{name} counted {inside}, numpy {truth}")
                row["same_counts"] = True
            found.append(row)
    return found


def _is_here(module: str) -> bool:
    with contextlib.suppress(ModuleNotFoundError):
        return importlib.util.find_spec(module) is not None
    return False


def _run(code: str) -> tuple[dict[str, int], float]:
    began = time.perf_counter()
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    alone = {"OMP_NUM_THREADS": "1", "PYSPARK_PYTHON": sys.executable, "RAY_AUTH_MODE": "disabled"}
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json\nprint('found', json.dumps(dict(counts.inside)))"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **alone, "PYTHONPATH": path},
    )
    (said,) = re.findall(r"^found (.*)$", done.stdout, re.MULTILINE)
    return json.loads(said), time.perf_counter() - began


def _code(title: str, language: str) -> str:
    """The first block of a section of the page."""
    pieces = re.split(r"^#+ (.*)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    section = pieces[pieces.index(title) + 1]
    found = re.search(rf"^```{language}\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    if found is None:
        raise AssertionError(f"{PAGE}: no {language} under '{title}'")
    return found[1]


def loans(folder: Path, rows: int, rng: np.random.Generator) -> dict[str, int]:
    """A data set in folders of years; returns how many rows are inside each region of the page's rules."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    inside = {"debt": 0, "young": 0}
    for year in (2023, 2024, 2025):
        place = folder / f"year={year}"
        place.mkdir(parents=True)
        for k in range(2):
            income = rng.lognormal(10, 0.5, rows // 6)
            loan = np.where(rng.random(len(income)) < 0.5, 0.0, income * rng.uniform(0, 0.7, len(income)))
            age = rng.integers(17, 90, len(income))
            age = np.where((age < 18) & (rng.random(len(age)) < 0.99), 18, age)
            inside["debt"] += int((loan > 0.4 * income).sum())
            inside["young"] += int(((age < 18) & (loan > 0)).sum())
            columns = {"loan": loan, "income": income, "age": age, "note": ["text"] * len(age)}
            pq.write_table(pa.table(columns), place / f"part-{k}.parquet")
    return inside


def section(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines of docs/measurements.md."""
    lines: list[str] = []
    for r in rows:
        if r["name"] == "stream":
            lines += [
                f"{r['rows']:,} rows of two columns (float32, Parquet) against a ball, made and counted in "
                f"{r['shards']} shards of up to {r['mib_each']:.0f} MiB, each in a process of its own: "
                f"{r['rows_per_processor_second'] / 1e6:.1f} million rows per second of processor time, "
                f"{r['rows_per_second'] / 1e6:.1f} by the clock; {r['extra_mib_most']:.0f} MiB beyond an "
                f"audit of ten rows in any of them ({r['extra_mib_first']:.0f} in the first). "
                f"{r['killed']} process was killed in the middle, and its shard counted again. The sum is "
                f"numpy's count, {r['inside']:,}; the report took {1000 * r['report_seconds']:.0f} ms.",
                "",
            ]
        elif r["name"] == "merged":
            lines += [
                f"{r['rows']:,} rows in {r['files']} files on the command line, seconds of processor time "
                "with "
                f"the start of a process: one pass {r['one_pass_seconds']:.1f} s, the longest of "
                f"{r['shards']} shards {r['longest_shard_seconds']:.1f} s, the merge "
                f"{r['merge_seconds']:.1f} s, parts of {r['part_mib']:.1f} MiB; the same bytes.",
                "",
            ]
    ran = [r for r in rows if r["name"] in ENGINES]
    if not ran:
        return lines[:-1]
    cells = [
        [f"{r['name']} {r['version']}", f"{r['seconds']:.0f}"]
        if r["run"]
        else [r["name"], "not installed, not run"]
        for r in ran
    ]
    what = f"The code of [large-data.md](large-data.md) over {ran[0]['rows']:,} rows, seconds by the clock"
    return [
        *lines,
        f"{what} with an engine's start; the counts are numpy's.",
        "",
        *table(["engine", "seconds"], cells),
    ]
