"""The recipes that the benchmark of quality trains, and the distributions that it trains them on."""

from typing import Any

from lem_safe.data.distributions import (
    Checkerboard,
    EightGaussians,
    Pinwheel,
    Planar,
    Rings,
    SwissRoll,
    TwoMoons,
)
from lem_safe.energies import MixtureBase, Network, Residual
from lem_safe.training import Calibrated, Loss, TrainingSettings
from lem_safe.training.checkpoint import describe

DISTRIBUTIONS: dict[str, type[Planar]] = {
    "eight_gaussians": EightGaussians,
    "two_moons": TwoMoons,
    "rings": Rings,
    "checkerboard": Checkerboard,
    "pinwheel": Pinwheel,
    "swiss_roll": SwissRoll,
}
WIDTHS, SIGMA = (64, 64, 64), 0.03
NETWORK: Network = Residual(hidden=WIDTHS[0], depth=len(WIDTHS))
ON_A_MIXTURE: Network = MixtureBase(components=16, hidden=WIDTHS[0], depth=len(WIDTHS))
"""The same recipe with another confining term: for clumps; the table says what it is worth elsewhere."""
DEFAULT, FORMER = "nothing named", "nothing named before"
"""What a scenario gets that names neither network nor loss nor training, and what it got when that loss was
denoising.
"""
LOSS: Loss = Calibrated(sigma=SIGMA, weight=1.0, draws=1024)
TRAINING = TrainingSettings(steps=6000, batch_size=512, learning_rate=2e-3, weight_decay=1e-3)
QUICK = TrainingSettings(steps=60, batch_size=64)


def recipe(
    network: Network = NETWORK, loss: dict[str, Any] | None = None, training: TrainingSettings = TRAINING
) -> list[str]:
    """The YAML of the energy, its data left out."""
    parts = {
        "network": describe(network, network.kind),
        "loss": loss or describe(LOSS, "calibrated"),
        "training": {
            name: value
            for name, value in describe(training).items()
            if value != describe(TrainingSettings())[name]
        },
    }
    lines = [
        f"{key}: {{{', '.join(f'{k}: {v}' for k, v in fields.items())}}}" for key, fields in parts.items()
    ]
    return ["```yaml", *lines, "```"]
