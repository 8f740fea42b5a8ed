"""Trained energies judged by their samples: sliced W₂ to fresh data over what two fresh draws of the data are
apart by chance.

    python -m benchmarks.quality [NAME...] [--quick] [--table] [--results FILE] [--page FILE]

For each built-in distribution of the plane: the recipe below trains (seconds of CPU time are recorded),
Langevin makes 10,000 samples, and so do plain runs of torchebm and ebmkit given as many seconds. Three
ratios, 1 being indistinguishable:

ratio            samples begun at rows of the training data (`init: {kind: data}`)
from noise       samples begun at a standard normal (`init: {kind: standard}`): also needs Langevin to find
                 every mode in proportion
shape            the first with each mode resampled to its true share: what is left is the modes' shapes, not
                 their weights

Writes the numbers to benchmarks/results.json and the table, between its markers, to docs/quality.md.
"""

import argparse
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from barriers.coordinates import Coordinates
from benchmarks.peers import PEERS, Task
from benchmarks.quality_judge import Judge, draws_of
from benchmarks.quality_page import PAGE, write_page
from benchmarks.quality_recipes import (
    DEFAULT,
    DISTRIBUTIONS,
    FORMER,
    LOSS,
    NETWORK,
    ON_A_MIXTURE,
    QUICK,
    SIGMA,
    TRAINING,
    WIDTHS,
    recipe,
)
from lem_safe.data.distributions import Planar
from lem_safe.energies import Energy
from lem_safe.keys import Key
from lem_safe.provenance import versions
from lem_safe.training import Denoising, Trained, TrainingSettings
from lem_safe.training.whitening import whiten

STEP_SIZE, STEPS, SAMPLES, DRAWS = 0.001, 1000, 10_000, 8
HERE = Path(__file__).resolve().parent


def langevin(energy: Energy, z: Tensor, steps: int, key: Key) -> Tensor:
    """The unadjusted chain of E.2, on whitened coordinates."""
    for k in range(steps):
        ξ = key.fold(k).normal(z)
        z = z - STEP_SIZE * energy.value_and_gradient(z)[1] + math.sqrt(2 * STEP_SIZE) * ξ
    return z


def measure(names: Sequence[str] = tuple(DISTRIBUTIONS), *, quick: bool = False) -> list[dict[str, Any]]:
    """A row a distribution and library. quick: too little training to mean anything, for a test of the
    path.
    """
    rows: list[dict[str, Any]] = []
    for name in names:
        samples, steps, training = (200, 20, QUICK) if quick else (SAMPLES, STEPS, TRAINING)
        judge = Judge(name, samples, 2 if quick else DRAWS)
        source = DISTRIBUTIONS[name]()
        C, z = _whitened(source)
        starts = {"rows": z[Key(1).permutation(len(z))[:samples]], "noise": Key(2).normal(z[:samples])}
        plain = QUICK if quick else TrainingSettings()
        ours = {
            "lem-safe": Trained(source, NETWORK, LOSS, training),
            "on a mixture": Trained(source, ON_A_MIXTURE, LOSS, training),
            DEFAULT: Trained(source, training=plain),
            FORMER: Trained(source, loss=Denoising(), training=plain),
        }
        for who, trained in ours.items():
            rows.append({"name": f"{name}: {who}", **_ours(trained, judge, C, z, starts, steps)})
            _say(rows[-1])
        cpu = next(row["seconds"] for row in rows if row["name"] == f"{name}: lem-safe")
        task = Task(
            rows=z,
            start=starts["rows"],
            sigma=SIGMA,
            hidden=WIDTHS,
            batch_size=training.batch_size,
            seconds=cpu,
            step_size=STEP_SIZE,
            steps=steps,
            seed=0,
        )
        for peer in PEERS:
            rows.append({"name": f"{name}: {peer}", "floor": judge.floor, **_peer(peer, task, C, judge)})
            _say(rows[-1])
    return rows


def _ours(
    trained: Trained, judge: Judge, C: Coordinates, z: Tensor, starts: dict[str, Tensor], steps: int
) -> dict[str, Any]:
    """One recipe: trained, sampled from both starts, judged."""
    began, cpu = time.perf_counter(), time.process_time()
    energy, told = trained.train(0)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    clouds = {
        start: C(langevin(energy.inner, x, steps, Key(3)).double()).numpy() for start, x in starts.items()
    }
    usual = energy.inner.value_and_gradient(z)[0].quantile(0.999)
    late = energy(torch.from_numpy(clouds["noise"])) > usual
    exact = draws_of(energy, trained.data.load(0).values, len(judge.ours[0]))
    scores = {
        "law_ratio": judge.ratio(exact),
        "law_share_error": judge.share_error(exact),
        "stranded": float(late.double().mean()),
        "ratio": judge.ratio(clouds["rows"]),
        "from_noise": judge.ratio(clouds["noise"]),
        **_parts(judge, clouds["rows"]),
    }
    facts = {
        "steps": told["history"][-1]["step"],
        "seed": 0,
        "version": "",
        "error": "",
        "recipe": recipe(trained.network, told["loss"], trained.training),
    }
    return {"floor": judge.floor, "seconds": cpu, "wall_seconds": wall, **scores, **facts}


def _peer(peer: str, task: Task, C: Coordinates, judge: Judge) -> dict[str, Any]:
    """The same numbers for a peer; where it is not installed, or fails, which of the two."""
    try:
        made = PEERS[peer](task)
    except ImportError:
        return {"error": "not installed"}
    except Exception as error:  # a peer's failure is a result of the comparison, whatever it raises
        return {"error": f"failed: {type(error).__name__}: {error}"}
    x = C(made.x.double()).numpy()
    if not np.isfinite(x).all():
        lost = int((~np.isfinite(x)).any(1).sum())
        return {
            "error": f"{lost} of {len(x)} samples are not finite",
            "version": made.version,
            "steps": made.steps,
        }
    return {
        "ratio": judge.ratio(x),
        **_parts(judge, x),
        "steps": made.steps,
        "version": made.version,
        "seconds": task.seconds,
        "error": "",
    }


def _parts(judge: Judge, x: np.ndarray) -> dict[str, float]:
    return {"shape_ratio": judge.shape_ratio(x), "share_error": judge.share_error(x)}


def _whitened(source: Planar) -> tuple[Coordinates, Tensor]:
    data = source.load(0)
    C = whiten(data.values, data.columns)
    return C, C.inverse(data.values).float()


def _say(row: dict[str, Any]) -> None:
    numbers = ", ".join(
        f"{k} {row[k]:.3g}"
        for k in ("ratio", "from_noise", "shape_ratio", "share_error", "seconds")
        if k in row
    )
    print(f"{row['name']:28s} {row['error'] or numbers}", flush=True)


def main() -> None:
    from benchmarks.__main__ import record, write

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="distributions; all by default, and only then is the page written",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a minute's worth, meaningless numbers; nothing is written"
    )
    parser.add_argument(
        "--table", action="store_true", help="measure nothing: write the page from the results"
    )
    parser.add_argument("--results", type=Path, default=HERE / "results.json")
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.table:
        write_page(
            json.loads(arguments.results.read_text(encoding="utf-8"))["benchmarks"]["quality"]["rows"],
            arguments.page,
        )
        return
    began, rows, code = (
        time.perf_counter(),
        [],
        versions(),
    )  # of the code that measures, whatever is committed meanwhile
    for name in arguments.names or DISTRIBUTIONS:
        rows += measure([name], quick=arguments.quick)
        if not arguments.quick and not arguments.names:  # what is measured is kept if the rest is interrupted
            write(arguments.results, {"quality": {**record(rows, time.perf_counter() - began), **code}})
            write_page(rows, arguments.page)


if __name__ == "__main__":
    main()
