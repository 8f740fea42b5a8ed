"""The loss of a trained energy whose scenario names none.

Columns: `calibrated`, which learns the mass of each mode (T.7), unlike score matching alone. Its noise is a
fifth of Scott's bandwidth for n rows in d whitened columns, as the noise should be narrower where rows are
many (T.9):

    σ = n^{−1/(d+4)} / 5

Images: `denoising`, as a comparison with random pixels teaches nothing about images.
"""

from lem_safe.energies.mlp import Network
from lem_safe.training.calibrated import Calibrated
from lem_safe.training.loss import Loss
from lem_safe.training.losses import Denoising

SHARE_OF_BANDWIDTH = 0.2
"""Scott's rule is for one Gaussian mode; data have several, each narrower than the whole."""


def default_loss(network: Network, rows: int, columns: int) -> Loss:
    """The default loss of `network` for this number of rows and columns."""
    return Calibrated(sigma=noise(rows, columns)) if network.whitens else Denoising()


def noise(rows: int, columns: int) -> float:
    """σ in whitened coordinates, a fifth of Scott's bandwidth (T.9)."""
    return float(SHARE_OF_BANDWIDTH * rows ** (-1 / (columns + 4)))
