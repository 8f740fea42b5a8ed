"""A network that corrects a mixture of products over latent rows: U(x) = c tanh(f(e(x))/c) + U₀(x) (E.23).

e(x) is what `RowTrunk` makes of a row, and ∇f is 0 in the codes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.energies.based import Based
from lem_safe.energies.bounded import BoundedTrunk
from lem_safe.energies.row_mixture import RowMixture

HELD = ("weights", "means", "factors", "tables")
"""What a file holds of a base."""


class RowEnergy(Based[RowMixture]):
    """A bounded network on a mixture of products."""

    def __init__(self, trunk: BoundedTrunk, base: RowMixture):
        super().__init__(trunk, base)
        self.codes = base.codes

    def correction(self, x: Float[Tensor, "n D"]) -> Float[Tensor, "n"]:
        """What the network adds to the base; where nothing is differentiated, a part at a time."""
        if self._records(x) or len(x) <= (rows := self.at_once(x)):
            return self.trunk(x)
        with torch.no_grad():
            return torch.cat([self.trunk(part) for part in x.split(rows)])

    def given(self, codes: Mapping[int, int]) -> "RowEnergy":
        """The same, conditioned on codes by the place of their column among those with codes."""
        trunk = self.trunk
        assert isinstance(trunk, BoundedTrunk)
        return RowEnergy(trunk, self.base.given(codes))

    def _load_from_state_dict(self, state: Mapping[str, Tensor], prefix: str, *rest: Any) -> None:
        """Takes the number of components from the state; an error for anything but a mixture of these
        columns.
        """
        held = {name: state[f"{prefix}base.{name}"] for name in HELD if f"{prefix}base.{name}" in state}
        base = _mixture(held, self.base.numbers, self.base.sizes)
        if base is None:
            rest[-1].append(f"{prefix}base is not a mixture over these columns")
        else:
            self.base = base.to(self.base.means.dtype)
        super()._load_from_state_dict(state, prefix, *rest)


def _mixture(held: Mapping[str, Tensor], numbers: int, sizes: Sequence[int]) -> RowMixture | None:
    """The mixture of these tensors; None where they are none of these columns."""
    if len(held) < len(HELD) or held["weights"].ndim != 1 or not len(held["weights"]):
        return None
    k = len(held["weights"])
    shapes = ((k,), (k, numbers), (k, numbers, numbers), (sum(sizes), k))
    if any(tuple(held[name].shape) != shape for name, shape in zip(HELD, shapes, strict=True)):
        return None
    L = held["factors"]
    positive = bool((held["weights"] > 0).all()) and bool((L.diagonal(dim1=1, dim2=2) > 0).all())
    if not positive or not torch.equal(L, L.tril()):
        return None
    return RowMixture(held["weights"], held["means"], L, held["tables"], sizes)
