"""How long and how fast to train, and on rows how much smoothed (T.4): the `training:` of a scenario."""

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

    steps: Annotated[int, Ge(1), Doc("Steps of the optimiser, at most.")] = 4000
    batch_size: Annotated[int, Ge(1), Doc("Rows a step.")] = 512
    learning_rate: Annotated[float, Gt(0), Doc("The largest step size of the schedule.")] = 1e-3
    weight_decay: Annotated[float, Ge(0), Doc("AdamW's decay of the weights.")] = 1e-4
    ema: Annotated[
        float, Ge(0), Lt(1), Doc("How much the average keeps of itself each step; 0 keeps the last weights.")
    ] = 0.999
    held_out: Annotated[float, Gt(0), Lt(1), Doc("The fraction of rows that only early stopping sees.")] = 0.1
    clip: Annotated[float, Gt(0), Doc("The largest norm of a gradient; longer ones are shortened to it.")] = (
        10.0
    )
    smoothing: Annotated[
        float, Ge(0), Doc("h: every batch sees its rows plus fresh N(0, h²I) noise, whitened coordinates.")
    ] = 0.0
    patience: Annotated[
        int, Ge(1), Doc("Checks without improvement before training stops; there are 40 in all.")
    ] = 16
