"""The loss of rows of a table: their network tells them from draws of its base (T.10).

    L(g) = E_data log(1 + e^{g}) + E_base log(1 + e^{−g})

With as many draws as rows its minimum is g = −log(p_data/p_base), so that U₀ + g is the energy of the data:
numbers, categories and missing cells alike, without a derivative in any of them. At g = 0 it is 2 log 2.
"""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float

from barriers.arrays import Tensor, functional, torch
from lem_safe.energies.network import Trainable
from lem_safe.energies.row_energy import RowEnergy
from lem_safe.training.loss import Loss
from lem_safe.training.shared import Shared


@dataclass(frozen=True)
class Contrastive(Loss):
    """Noise-contrastive estimation against the base of a `RowEnergy`; TypeError for any other energy."""

    spreads: ClassVar[bool] = True
    example: ClassVar[dict[str, object]] = {"kind": "contrastive"}

    def __call__(
        self, energy: Trainable, z: Float[Tensor, "n D"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        rows = energy.inner if isinstance(energy, Shared) else energy
        if not isinstance(rows, RowEnergy):
            kind = type(rows).__name__
            raise TypeError(f"Contrastive: needs an energy with a base to draw from; got {kind}")
        with torch.no_grad():
            drawn = rows.base.drawn(generator, len(z), z.dtype)
        here, there = (
            energy.of(rows.correction, x) if isinstance(energy, Shared) else rows.correction(x)
            for x in (z, drawn)
        )
        return functional.softplus(here).mean() + functional.softplus(-there).mean()
