"""The objective of training: a loss, or several in sequence."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.declared import declares
from lem_safe.energies.network import Trainable

PART = 256
"""Held-out rows per evaluation of a loss."""


class Loss(ABC):
    """The objective of training. spreads: whether all that `__call__` does with the energy's parameters is to
    evaluate the energy, which several processes may then do together; declared by the class that has it.
    """

    example: ClassVar[dict[str, object]]
    spreads: ClassVar[bool] = False

    @abstractmethod
    def __call__(
        self, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """The mean loss of a batch, differentiable in the energy's parameters, with noise from
        `generator`.
        """

    def blurred(self, z: Float[Tensor, "n d"], generator: torch.Generator) -> Float[Tensor, "n d"]:
        """Rows of the distribution whose energy minimises this loss, given rows of the data: with the noise
        that the loss adds.
        """
        return z


class Stage(NamedTuple):
    """A loss, and the fraction of the steps at which it ends."""

    until: float
    loss: Loss


class Staged(Loss):
    """Losses in sequence whose values do not measure the quality of an energy; `score` does. Called, it is
    its last stage.
    """

    @abstractmethod
    def stages(self) -> tuple[Stage, ...]:
        """In order; the last ends at 1."""

    @abstractmethod
    def score(
        self, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """The number that early stopping uses on held-out rows, at any stage: smaller is better."""


def spread_out(loss: Loss) -> bool:
    """Whether several processes can train with a loss, in all of its stages."""
    return all(declares(stage.loss, "spreads", "__call__") for stage in stages(loss))


def stages(loss: Loss) -> tuple[Stage, ...]:
    """The stages of a loss, one where it has none."""
    return loss.stages() if isinstance(loss, Staged) else (Stage(1.0, loss),)


def score(loss: Loss, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator) -> float:
    """The held-out number of an energy: the loss itself, where its value measures the quality of an energy.

    Computed in parts: a loss that draws something per batch then draws it often, which averages out its
    noise.
    """
    if isinstance(loss, Staged):
        return float(loss.score(energy, z, generator).detach())
    parts = z.split(PART)
    return sum(len(part) * float(loss(energy, part, generator).detach()) for part in parts) / len(z)
