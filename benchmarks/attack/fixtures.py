"""Small inputs that are right: what every attack changes one thing of."""

from pathlib import Path

import numpy as np

SCENARIO = """\
version: 1
name: attacked
energy: {energy}
unsafe: {{zone: {region}}}
constraints: [{{set: zone, beta: 0.2}}]
sampler: {{kind: langevin, samples: 20, steps: 3, step_size: 0.01{init}}}
filter: {{kind: none}}
"""
ENERGY = "{kind: gaussian, mean: [0, 0], std: 1}"
REGION = "{kind: ball, center: [2, 0], radius: 0.8}"
TRAINED = (
    "{{kind: trained, data: {data}, network: {{kind: mlp, hidden: 4, depth: 1}}, "
    "loss: {{kind: denoising}}, training: {{steps: 2, batch_size: 8}}}}"
)
DATA = "{kind: file, path: rows.csv}"


def scenario(energy: str = ENERGY, region: str = REGION, init: str = "") -> str:
    """The text of a scenario with one part replaced; init: after `sampler.init: `."""
    return SCENARIO.format(energy=energy, region=region, init=f", init: {init}" if init else "")


def rows(count: int = 40) -> np.ndarray:
    """Rows of two columns."""
    return np.random.default_rng(0).normal(size=(count, 2))


def write_rows(folder: Path) -> None:
    """The same rows as rows.csv, rows.npy, rows.npz."""
    x = rows()
    np.save(folder / "rows.npy", x)
    np.savez(folder / "rows.npz", x=x)
    np.savetxt(folder / "rows.csv", x, delimiter=",", header="x0,x1", comments="")
