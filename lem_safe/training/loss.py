"""What training makes small: a loss, or a few of them one after the other."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lem_safe.energies.network import Trainable

PART = 256
"""Held-out rows that a loss sees at once."""


class Loss(ABC):
    """What training makes small."""

    example: ClassVar[dict[str, object]]

    @abstractmethod
    def __call__(
        self, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """The mean loss of a batch, differentiable in the energy's parameters; noise comes from
        `generator`.
        """

    def blurred(self, z: Float[Tensor, "n d"], generator: torch.Generator) -> Float[Tensor, "n d"]:
        """Rows of the distribution whose energy this loss is least at, given rows of the data: with the noise
        that the loss adds.
        """
        return z


class Stage(NamedTuple):
    """A loss, and the fraction of the steps at which it ends."""

    until: float
    loss: Loss


class Staged(Loss):
    """Losses one after the other, none of whose values says how good an energy is: a score does. Called, it
    is its last stage.
    """

    @abstractmethod
    def stages(self) -> tuple[Stage, ...]:
        """In order; the last ends at 1."""

    @abstractmethod
    def score(
        self, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """Smaller is better, whatever the stage: what early stopping looks at, on held-out rows."""


def stages(loss: Loss) -> tuple[Stage, ...]:
    """The stages of a loss, one where it has none."""
    return loss.stages() if isinstance(loss, Staged) else (Stage(1.0, loss),)


def score(loss: Loss, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator) -> float:
    """The held-out number of an energy: the loss itself, where its value says how good an energy is.

    Measured part by part: a loss that draws something for a whole batch then draws it often, and one draw's
    luck does not decide.
    """
    if isinstance(loss, Staged):
        return float(loss.score(energy, z, generator).detach())
    parts = z.split(PART)
    return sum(len(part) * float(loss(energy, part, generator).detach()) for part in parts) / len(z)
