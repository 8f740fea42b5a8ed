"""A placeholder for an energy that is still to be learned: its dimension and its columns are known, its
values are not.

`validate` checks a composition of trained energies with these placeholders.
"""

from typing import NoReturn

from jaxtyping import Float

from barriers.arrays import Tensor
from lem_safe.energies.base import Energy


class Untrained(Energy):
    """A placeholder for a learned energy over `columns` in a composition that is checked before anything is
    trained.
    """

    def __init__(self, columns: tuple[str, ...]):
        super().__init__()
        self.columns, self.dimension = columns, len(columns)

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        self._refuse()

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        self._refuse()

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ValueError(
            f"Untrained: an energy over {', '.join(self.columns)} has no values before it is trained; use "
            "build()"
        )


def columns_of(energy: Energy) -> tuple[str, ...]:
    """The coordinates' names of a composition: those of its learned terms, which must agree,
    else x0, x1, ...
    """
    named = list(dict.fromkeys(part.columns for part in energy.modules() if isinstance(part, Untrained)))
    if len(named) > 1:
        raise ValueError(
            f"trained terms must share their columns; got {', '.join(named[0])} and {', '.join(named[1])}; "
            "choose them with columns:"
        )
    return named[0] if named else tuple(f"x{i}" for i in range(energy.dimension))
