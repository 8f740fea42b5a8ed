"""Where the mass of a distribution lies, part by part, and how sharply its energy bends there."""

from typing import NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor


class Places(NamedTuple):
    """k parts of a mixture.

    points: some points near the mass of each, float64, on the CPU. bends: the second derivatives of each
    part's energy there along the axes, in nats per squared unit of the column; None where the energy has no
    values yet.
    """

    points: Float[Tensor, "k n d"]
    bends: Float[Tensor, "k n d"] | None

    def times(self, t: float) -> "Places":
        """Those of t times the energies."""
        return self._replace(bends=None if self.bends is None else t * self.bends)
