"""How fast, and in how much memory, a file of samples is audited: a ball in two dimensions, float32, one
core, beside plain numpy.

    python -m benchmarks streaming              # 1e7 rows
    python -m benchmarks.streaming [--rows N]

Each file is audited in a process of its own, so that its peak memory is its own; `extra` is what the audit
added to a process that had already audited ten rows. Processor time is told beside the clock's, which other
work on the machine slows. The baseline reads the whole file and counts in float64; it keeps no clearances, no
worst samples, no diagnostics.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROWS = 10_000_000

PEAK = """
def peak():  # KiB of this program; ru_maxrss would start at its parent's
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
"""

AUDIT = (
    PEAK
    + """
import json, sys, time
import numpy as np, torch
torch.set_num_threads(1)
from lem_safe import audit
regions = {"ball": {"kind": "ball", "center": [2.0, 0.0], "radius": 0.5}}
audit(np.zeros((10, 2)), regions, beta=0.05)
if sys.argv[1].endswith(".parquet"):
    import pyarrow.parquet
before, began, worked = peak(), time.perf_counter(), time.process_time()
count = audit(sys.argv[1], regions, beta=0.05).constraints[0].violations
seconds, processor = time.perf_counter() - began, time.process_time() - worked
print(json.dumps([count, seconds, processor, (peak() - before) / 1024]))
"""
)

BASELINE = (
    PEAK
    + """
import json, sys, time
import numpy as np
path = sys.argv[1]
if path.endswith(".parquet"):
    import pyarrow.parquet as parquet
before, began, worked = peak(), time.perf_counter(), time.process_time()
if path.endswith(".npy"):
    x = np.load(path)
elif path.endswith(".npz"):
    x = np.load(path)["x"]
elif path.endswith(".csv"):
    x = np.loadtxt(path, delimiter=",", skiprows=1)
else:
    table = parquet.read_table(path, use_threads=False)
    x = np.stack([c.to_numpy() for c in table.columns], 1)
x = x.astype(np.float64)
count = int((((x - [2.0, 0.0]) ** 2).sum(1) <= 0.25).sum())
seconds, processor = time.perf_counter() - began, time.process_time() - worked
print(json.dumps([count, seconds, processor, (peak() - before) / 1024]))
"""
)


def write(folder: Path, rows: int) -> dict[str, Path]:
    """The same rows as every kind of file."""
    x = np.random.default_rng(0).normal(size=(rows, 2)).astype(np.float32)
    paths = {kind: folder / f"x{kind}" for kind in (".npy", ".npz", ".csv", ".parquet")}
    np.save(paths[".npy"], x)
    np.savez(paths[".npz"], x=x)
    try:
        import pyarrow
        import pyarrow.csv
        import pyarrow.parquet

        table = pyarrow.table({"x0": x[:, 0], "x1": x[:, 1]})
        pyarrow.parquet.write_table(table, paths[".parquet"])
        pyarrow.csv.write_csv(table, paths[".csv"])
    except ImportError:
        del paths[".parquet"]
        np.savetxt(paths[".csv"], x, delimiter=",", header="x0,x1", comments="", fmt="%.9g")
    return paths


def measured(program: str, path: Path) -> tuple[int, float, float, float]:
    """The count, the seconds by the clock and by the processor, and the extra MiB of one program on one file,
    in a process of its own.
    """
    one = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")}
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True, env=one
    )
    count, seconds, processor, extra = json.loads(done.stdout)
    return count, seconds, processor, extra


def compare(rows: int, slow_rows: int) -> list[dict[str, object]]:
    """A row for each kind of file; the text file has `slow_rows` rows."""
    found: list[dict[str, object]] = []
    for n, kinds in ((rows, (".npy", ".npz", ".parquet")), (slow_rows, (".csv",))):
        with tempfile.TemporaryDirectory() as folder:
            paths = write(Path(folder), n)
            for kind in kinds:
                if kind not in paths:
                    continue
                ours, numpys = measured(AUDIT, paths[kind]), measured(BASELINE, paths[kind])
                if ours[0] != numpys[0]:
                    raise AssertionError(f"{kind}: counted {ours[0]}, numpy {numpys[0]}")
                found.append(
                    {
                        "file": kind,
                        "rows": n,
                        "mib": paths[kind].stat().st_size / 2**20,
                        "inside": ours[0],
                        "rows_per_second": n / ours[1],
                        "rows_per_processor_second": n / ours[2],
                        "extra_mib": ours[3],
                        "numpy_rows_per_second": n / numpys[1],
                        "numpy_rows_per_processor_second": n / numpys[2],
                        "numpy_extra_mib": numpys[3],
                    }
                )
    return found


def measure() -> list[dict[str, object]]:
    """For `python -m benchmarks`."""
    return compare(ROWS, ROWS // 5)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=ROWS)
    rows = parser.parse_args().rows
    for r in compare(rows, max(rows // 5, 1)):
        print(
            f"{r['file']:9s} {r['rows']:>12,} rows, {r['mib']:6.0f} MiB: {r['rows_per_second']:12,.0f} "
            "rows/s "
            f"({r['rows_per_processor_second']:,.0f} of processor time), {r['extra_mib']:4.0f} MiB more"
            f"   numpy alone: {r['numpy_rows_per_second']:12,.0f} "
            f"({r['numpy_rows_per_processor_second']:,.0f}), {r['numpy_extra_mib']:4.0f} MiB more"
        )


if __name__ == "__main__":
    main()
