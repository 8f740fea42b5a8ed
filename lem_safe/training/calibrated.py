"""Denoising beside a comparison with known noise: slopes where data are, and how much mass is where, learned together (T.6 + T.7).

Score matching sees an energy through its gradient at the data, so it leaves two things free: the weights of modes that no data connect,
and whether the space between them is as empty as it should be. Both spoil a composition: one spurious hollow of U₊ − λU₋ takes all the
mass. Telling each row from R draws r of a wide Gaussian q settles them,

    E[log(e^{f(x)} + Σ_r e^{f(r)}) − f(x)],   f = −U − log q,

which is least where e^{f} is the density ratio up to a constant, that is at U = −log ρ + const, whatever R (T.7).

Both terms see the same ρ, the data blurred: by σ, and for one row in ten by three times as much (T.6). That little of a wide blur is
what fixes the flanks of a mode, four standard deviations out and more, where no row lies and where a conjunction has its mass. A quarter
of each batch is drawn wide, and weighed down to that tenth.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt, Lt
from jaxtyping import Float
from torch import Tensor
from typing_extensions import Doc

from lem_safe.energies.network import Trainable
from lem_safe.energies.numbers import positive
from lem_safe.training.loss import Loss


@dataclass(frozen=True)
class Calibrated(Loss):
    """Denoising, and telling rows from a wide Gaussian's draws: mode weights and empty space are learned too.

    The draws must meet the data now and then, so it is for ten dimensions or so, not for images.
    """

    example: ClassVar[dict[str, object]] = {"kind": "calibrated", "sigma": 0.1, "draws": 256}

    sigma: Annotated[float, Gt(0), Doc("The noise on the data, in whitened coordinates.")] = 0.04
    wide: Annotated[float, Ge(1), Doc("How much wider the wide noise is.")] = 3.0
    share: Annotated[float, Gt(0), Lt(1), Doc("How much of the blurred data is blurred by the wide noise.")] = 0.1
    weight: Annotated[float, Gt(0), Doc("How much the comparison counts beside denoising.")] = 1.0
    spread: Annotated[float, Gt(0), Doc("The standard deviation of the Gaussian compared with; whitened data have 1.")] = 1.5
    draws: Annotated[int, Ge(1), Doc("R, the draws that each batch is compared with.")] = 1024

    def __post_init__(self) -> None:
        for name in ("sigma", "weight", "spread"):
            positive("Calibrated", name, getattr(self, name))
        if not (self.wide >= 1 and 0 < self.share < 1):
            raise ValueError(f"Calibrated: wide must be >= 1 and share between 0 and 1; got {self.wide:g} and {self.share:g}")
        if self.draws < 1:
            raise ValueError(f"Calibrated: draws must be >= 1; got {self.draws}")

    def __call__(self, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator) -> Float[Tensor, ""]:
        ξ = torch.randn(z.shape, generator=generator, dtype=z.dtype)
        far = (torch.arange(z.shape[0]) % 4 == 0).to(z.dtype)
        σ = self.sigma * (1 + (self.wide - 1) * far)
        w = far * self.share / far.mean() + (1 - far) * (1 - self.share) / (1 - far.mean())
        x = z + σ[:, None] * ξ
        r = self.spread * torch.randn((self.draws, z.shape[1]), generator=generator, dtype=z.dtype)
        denoising = self.sigma**2 * (w * (energy.gradient(x) - ξ / σ[:, None]).square().sum(-1)).mean()  # (T.6)
        here, there = self._ratio(energy, x), self._ratio(energy, r).logsumexp(0)
        return denoising + self.weight * (w * (torch.logaddexp(here, there) - here)).mean()  # (T.7)

    def _ratio(self, energy: Trainable, x: Tensor) -> Tensor:
        """f = −U − log q, up to a constant."""
        return 0.5 * (x / self.spread).square().sum(-1) - energy(x)
