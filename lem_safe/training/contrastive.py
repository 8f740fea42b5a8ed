"""The loss of rows of a table: their network tells them from draws of its base (T.10).

    L(g) = E_data log(1 + e^{g}) + E_base log(1 + e^{−g})

With as many draws as rows its minimum is g = −log(p_data/p_base), so that U₀ + g is the energy of the data:
numbers, categories and missing cells alike, without a derivative in any of them. At g = 0 it is 2 log 2.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from lem_safe.energies.network import Trainable
from lem_safe.energies.row_energy import RowEnergy
from lem_safe.training.loss import Loss


@dataclass(frozen=True)
class Contrastive(Loss):
    """Noise-contrastive estimation against the base of a `RowEnergy`; TypeError for any other energy."""

    example: ClassVar[dict[str, object]] = {"kind": "contrastive"}

    def __call__(
        self, energy: Trainable, z: Float[Tensor, "n D"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        if not isinstance(energy, RowEnergy):
            kind = type(energy).__name__
            raise TypeError(f"Contrastive: needs an energy with a base to draw from; got {kind}")
        with torch.no_grad():
            drawn = energy.base.drawn(generator, len(z), z.dtype)
        return softplus(energy.correction(z)).mean() + softplus(-energy.correction(drawn)).mean()
