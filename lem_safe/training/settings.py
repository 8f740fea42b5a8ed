"""The `training:` of a scenario: its length, its rates, and the smoothing of the rows (T.4)."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Lt
from typing_extensions import Doc


@dataclass(frozen=True)
class TrainingSettings:
    """AdamW with a cosine schedule, an exponential moving average of the weights, and early stopping on
    held-out rows.
    """

    example: ClassVar[dict[str, object]] = {"steps": 200, "batch_size": 128}

    steps: Annotated[int, Ge(1), Doc("The largest number of optimiser steps.")] = 4000
    batch_size: Annotated[int, Ge(1), Doc("Rows per step.")] = 512
    learning_rate: Annotated[float, Gt(0), Doc("The largest step size of the schedule.")] = 1e-3
    weight_decay: Annotated[float, Ge(0), Doc("AdamW's decay of the weights.")] = 1e-4
    ema: Annotated[
        float,
        Ge(0),
        Lt(1),
        Doc("The decay of the moving average of the weights, per step; 0 keeps the last weights."),
    ] = 0.999
    held_out: Annotated[
        float, Gt(0), Lt(1), Doc("The fraction of rows that are held out for early stopping.")
    ] = 0.1
    clip: Annotated[
        float, Gt(0), Doc("The largest norm of a gradient; longer gradients are scaled down to it.")
    ] = 10.0
    smoothing: Annotated[
        float,
        Ge(0),
        Doc("h: fresh N(0, h²I) noise is added to the rows of every batch, in whitened coordinates."),
    ] = 0.0
    patience: Annotated[
        int,
        Ge(1),
        Doc(
            "The number of checks without improvement after which training stops; there are 40 checks in all."
        ),
    ] = 16
