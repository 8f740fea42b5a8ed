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
import re
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from barriers.coordinates import Coordinates
from benchmarks.modes import MODES, reweighted, share_error
from benchmarks.peers import PEERS, Task
from lem_safe.data.distributions import (
    Checkerboard,
    EightGaussians,
    Pinwheel,
    Planar,
    Rings,
    SwissRoll,
    TwoMoons,
)
from lem_safe.energies import Energy, MixtureBase, Network, Residual
from lem_safe.keys import Key
from lem_safe.provenance import versions
from lem_safe.report.cost import sliced_w2
from lem_safe.training import Calibrated, Denoising, Loss, Trained, TrainingSettings
from lem_safe.training.checkpoint import describe
from lem_safe.training.whitening import whiten

DISTRIBUTIONS: dict[str, type[Planar]] = {
    "eight_gaussians": EightGaussians,
    "two_moons": TwoMoons,
    "rings": Rings,
    "checkerboard": Checkerboard,
    "pinwheel": Pinwheel,
    "swiss_roll": SwissRoll,
}
WIDTHS, SIGMA = (64, 64, 64), 0.03
NETWORK: Network = Residual(hidden=WIDTHS[0], depth=len(WIDTHS))
ON_A_MIXTURE: Network = MixtureBase(components=16, hidden=WIDTHS[0], depth=len(WIDTHS))
"""The same recipe with another confining term: for clumps; the table says what it is worth elsewhere."""
DEFAULT, FORMER = "nothing named", "nothing named before"
"""What a scenario gets that names neither network nor loss nor training, and what it got when that loss was
denoising.
"""
LOSS: Loss = Calibrated(sigma=SIGMA, weight=1.0, draws=1024)
TRAINING = TrainingSettings(steps=6000, batch_size=512, learning_rate=2e-3, weight_decay=1e-3)
QUICK = TrainingSettings(steps=60, batch_size=64)
STEP_SIZE, STEPS, SAMPLES, DRAWS = 0.001, 1000, 10_000, 8
TARGET = 1.5
HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "quality.md"
BLOCK = re.compile(r"(<!-- made by: python -m benchmarks\.quality -->\n).*?(<!-- end -->)", re.S)


def langevin(energy: Energy, z: Tensor, steps: int, key: Key) -> Tensor:
    """The unadjusted chain of E.2, on whitened coordinates."""
    for k in range(steps):
        ξ = key.fold(k).normal(z)
        z = z - STEP_SIZE * energy.value_and_gradient(z)[1] + math.sqrt(2 * STEP_SIZE) * ξ
    return z


class Judge:
    """Fresh data of one distribution, and what two draws of it are apart by chance."""

    def __init__(self, name: str, samples: int, draws: int):
        source = DISTRIBUTIONS[name]()
        fresh = [source.draw(Key(k).fold("fresh").generator(), samples).numpy() for k in range(2 * draws)]
        self.ours, self.others, self.labels = fresh[:draws], fresh[draws:], MODES.get(name)
        self.distance = partial(sliced_w2, rng=np.random.default_rng(0))
        self.floor = float(
            np.mean([self.distance(x, y) for x, y in zip(self.ours, self.others, strict=True)])
        )

    def ratio(self, x: np.ndarray) -> float:
        """Sliced W₂ to the data over the floor; NaN where a sample is not finite."""
        return (
            float(np.mean([self.distance(x, y) for y in self.ours])) / self.floor
            if np.isfinite(x).all()
            else math.nan
        )

    def shape_ratio(self, x: np.ndarray) -> float:
        """The same with every mode of x resampled to the data's share: over the same floor, so the rest of a
        ratio is the weights.
        """
        if self.labels is None or not np.isfinite(x).all():
            return self.ratio(x)
        return (
            float(np.mean([self.distance(reweighted(x, y, self.labels), y) for y in self.ours])) / self.floor
        )

    def share_error(self, x: np.ndarray) -> float:
        """The largest error of a mode's share; 0 for a single mode."""
        return (
            share_error(x, np.concatenate(self.ours + self.others), self.labels)
            if self.labels and np.isfinite(x).all()
            else 0.0
        )


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


def draws_of(energy: Energy, rows: Tensor, n: int, cells: int = 400) -> np.ndarray:
    """n independent draws of e^{−U}: cells of a grid over the rows' range and half of it on either side, and
    a place within each.
    """
    low, high = rows.min(0).values, rows.max(0).values
    low, high = low - (high - low) / 2, high + (high - low) / 2
    size = (high - low) / cells
    index = torch.cartesian_prod(torch.arange(cells), torch.arange(cells))
    mass = torch.cat([-energy(low + (part + 0.5) * size) for part in index.split(20_000)]).double().softmax(0)
    generator = Key(4).generator()
    chosen = index[torch.multinomial(mass, n, replacement=True, generator=generator)]
    return (low + (chosen + torch.rand(n, 2, generator=generator, dtype=torch.float64)) * size).numpy()


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


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows of `measure` as a table, and a sentence on every distribution that misses the target."""
    by_name = {row["name"]: row for row in rows}
    names = [row["name"].removesuffix(": lem-safe") for row in rows if row["name"].endswith(": lem-safe")]
    text = [
        "| distribution | lem-safe | shape alone | worst share of a mode off by | begun at noise | "
        "training, CPU s | on a mixture | torchebm "
        "| ebmkit | floor |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for name in names:
        own = by_name[f"{name}: lem-safe"]
        peers = [
            _cell(by_name.get(f"{name}: {peer}", {"error": "not run"})) for peer in ("on a mixture", *PEERS)
        ]
        share = f"{100 * own['share_error']:.1f} %" if name in MODES else "one mode"
        numbers = [
            f"{own['ratio']:.2f}",
            f"{own['shape_ratio']:.2f}",
            share,
            f"{own['from_noise']:.2f}",
            f"{own['seconds']:.0f}",
        ]
        text.append("| " + " | ".join([f"`{name}`", *numbers, *peers, f"{own['floor']:.4f}"]) + " |")
    verdicts = _verdicts([by_name[f"{name}: lem-safe"] for name in names])
    told = by_name[f"{names[0]}: lem-safe"][
        "recipe"
    ]  # of the run that was measured, not of the code of today
    default = _by_default(by_name, names)
    return (
        "\n".join(["The recipe as written in a scenario:", "", *told, "", *text, "", *verdicts, *default])
        + "\n"
    )


def _by_default(by_name: dict[str, dict[str, Any]], names: Sequence[str]) -> list[str]:
    """What a scenario without a recipe gets, beside what it got before; nothing where that was not
    measured.
    """
    pairs = {name: [by_name.get(f"{name}: {who}") for who in (DEFAULT, FORMER)] for name in names}
    text = [
        "",
        "Scenarios that name neither network nor loss nor training (the loss is now `calibrated`, before it "
        "was `denoising`), judged by independent "
        "draws from the trained energy itself (by quadrature on a grid), whose mode shares do not depend "
        "on where a chain started:",
        "",
        "| distribution | calibrated | worst share off by | training, CPU s | denoising | worst share off "
        "by | training, CPU s |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    cells = [(name, [c for r in pair if r for c in _default_cells(r, name)]) for name, pair in pairs.items()]
    rows = ["| " + " | ".join([f"`{name}`", *found]) + " |" for name, found in cells if len(found) == 6]
    return [*text, *rows] if rows else []


def _default_cells(row: dict[str, Any], name: str) -> list[str]:
    share = f"{100 * row['law_share_error']:.1f} %" if name in MODES else "one mode"
    return [f"{row['law_ratio']:.2f}", share, f"{row['seconds']:.0f}"]


def recipe(
    network: Network = NETWORK, loss: dict[str, Any] | None = None, training: TrainingSettings = TRAINING
) -> list[str]:
    """The YAML of the energy, its data left out."""
    parts = {
        "network": describe(network, network.kind),
        "loss": loss or describe(LOSS, "calibrated"),
        "training": {
            name: value
            for name, value in describe(training).items()
            if value != describe(TrainingSettings())[name]
        },
    }
    lines = [
        f"{key}: {{{', '.join(f'{k}: {v}' for k, v in fields.items())}}}" for key, fields in parts.items()
    ]
    return ["```yaml", *lines, "```"]


def _cell(row: dict[str, Any]) -> str:
    return row["error"] or f"{row['ratio']:.2f} (shape {row['shape_ratio']:.2f})"


def _verdicts(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What the numbers say, in words."""
    met = [r for r in rows if r["ratio"] <= TARGET]
    lines = [f"{len(met)} of {len(rows)} reach {TARGET} times the floor."]
    for row in rows:
        name = row["name"].split(":")[0]
        if row["ratio"] > TARGET:
            why = (
                "the weights of the modes cause the excess"
                if row["shape_ratio"] <= TARGET
                else "the shapes themselves are wrong"
            )
            lines.append(
                f"- `{name}`: {row['ratio']:.2f}, and {row['shape_ratio']:.2f} with every mode at its true "
                f"share: {why}."
            )
        if row["from_noise"] > max(TARGET, 1.2 * row["ratio"]):
            late = (
                f"{100 * row['stranded']:.1f} % of those particles have an energy above that of 99.9 % of "
                "the data"
            )
            lines.append(
                f"- `{name}` begun at noise: {row['from_noise']:.2f}; {late}. Langevin dynamics move slowly "
                "from mode to mode and along a mode, so the start of a particle determines where it ends."
            )
    return lines


def write_page(rows: Sequence[dict[str, Any]], path: Path = PAGE) -> None:
    """The table between the page's markers."""
    path.write_text(
        BLOCK.sub(lambda m: m[1] + table(rows) + m[2], path.read_text(encoding="utf-8")), encoding="utf-8"
    )


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
