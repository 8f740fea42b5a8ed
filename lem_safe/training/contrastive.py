"""The loss of rows of a table: their network tells them from draws of its base (T.10).

    L(g) = E_data log(1 + e^{g}) + E_base log(1 + e^{−g})

With as many draws as rows its minimum is g = −log(p_data/p_base), so that U₀ + g is the energy of the data:
numbers, categories and missing cells alike, without a derivative in any of them. At g = 0 it is 2 log 2.

Rows that rules have cut are told from draws that obey these: g is then that of p_data over p_base within the
rules, and nothing is learned of where no row can be (E.31).
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float

from barriers.arrays import Tensor, functional, torch
from lem_safe.energies.network import Trainable
from lem_safe.energies.row_energy import RowEnergy
from lem_safe.energies.row_mixture import RowMixture
from lem_safe.energies.row_truncation import Holds
from lem_safe.errors import NumericalFailure
from lem_safe.training.loss import Loss
from lem_safe.training.shared import Shared

MOST, AT_ONCE, SPARE = 2000, 50, 1.2
"""How many times as many draws as rows are made at most, in all and at once; and how many times as many as by
the share of those before would do.
"""


@dataclass(frozen=True)
class Contrastive(Loss):
    """Noise-contrastive estimation against the base of a `RowEnergy`; TypeError for any other energy. holds:
    which draws of the base count; by default all of them.
    """

    spreads: ClassVar[bool] = True
    example: ClassVar[dict[str, object]] = {"kind": "contrastive"}

    holds: Holds | None = None

    def __call__(
        self, energy: Trainable, z: Float[Tensor, "n D"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        rows = energy.inner if isinstance(energy, Shared) else energy
        if not isinstance(rows, RowEnergy):
            kind = type(rows).__name__
            raise TypeError(f"Contrastive: needs an energy with a base to draw from; got {kind}")
        with torch.no_grad():
            drawn = self._drawn(rows.base, generator, z)
        here, there = (
            energy.of(rows.correction, x) if isinstance(energy, Shared) else rows.correction(x)
            for x in (z, drawn)
        )
        return functional.softplus(here).mean() + functional.softplus(-there).mean()

    def _drawn(self, base: RowMixture, generator: torch.Generator, z: Tensor) -> Float[Tensor, "n D"]:
        """As many draws of the base that count as there are rows; NumericalFailure where hardly any does."""
        if self.holds is None:
            return base.drawn(generator, len(z), z.dtype)
        found, many, tried, wanted = list[Tensor](), 0, 0, len(z)
        while many < len(z) and tried < MOST * len(z):
            some = base.drawn(generator, wanted, z.dtype)
            found.append(some[self.holds(some)])
            many, tried = many + len(found[-1]), tried + wanted
            wanted = min(math.ceil(SPARE * (len(z) - many) * tried / max(many, 1)), AT_ONCE * len(z))
        if many < len(z):
            raise NumericalFailure(
                f"of {tried:,} draws of the mixture {many:,} obey the rules that truncate its rows; leave "
                "truncated out"
            )
        return torch.cat(found)[: len(z)]
