"""How far samples are from the data, over what two draws of the data are apart by chance."""

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor

from benchmarks.modes import MODES, reweighted, share_error
from benchmarks.quality_recipes import DISTRIBUTIONS
from lem_safe.energies import Energy
from lem_safe.keys import Key
from lem_safe.report.cost import sliced_w2


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
