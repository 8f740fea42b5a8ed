"""Draws of a Gaussian mixture given in the scenario: data whose exact energy is known, in any number of
columns.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, MinLen
from typing_extensions import Doc

from barriers.arrays import torch
from lem_safe.data.source import Dataset, DataSource, digest, generator


@dataclass(frozen=True)
class Mixture(DataSource):
    """Equal round Gaussians at the given means, columns x0, x1, ..."""

    example: ClassVar[dict[str, object]] = {
        "kind": "gaussian_mixture",
        "means": [[0.0, 4.0], [4.0, 0.0], [0.0, -4.0]],
        "std": 0.3,
    }

    means: Annotated[list[list[float]], MinLen(1), Doc("The centre of each component.")]
    std: Annotated[float, Gt(0), Doc("The standard deviation of each component.")]
    samples: Annotated[int, Ge(2), Doc("The number of rows in the training table.")] = 20_000

    def __post_init__(self) -> None:
        if len({len(mean) for mean in self.means}) != 1 or not self.means[0]:
            raise ValueError(
                f"Mixture: means must be points with the same number of columns; got {self.means!r}"
            )

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(f"x{i}" for i in range(len(self.means[0])))

    def load(self, seed: int) -> Dataset:
        g, means = generator(f"Mixture {self.means}", seed), torch.tensor(self.means, dtype=torch.float64)
        which = torch.randint(len(means), (self.samples,), generator=g)
        ξ = torch.randn(self.samples, means.shape[1], generator=g, dtype=torch.float64)
        return Dataset(means[which] + self.std * ξ, self.columns)

    def fingerprint(self) -> str:
        return digest(repr(self))
