"""Denoising combined with a comparison with known noise: slopes at the data, and the masses of modes, learned
together (T.6 + T.7).

Score matching uses an energy's gradient at the data only, so it leaves two things undetermined: the weights
of modes that no data connect, and how empty the space between them is. Both spoil a composition: one spurious
minimum of U₊ − λU₋ takes all the mass. Distinguishing each row from R draws r of a wide Gaussian q determines
them,

    E[log(e^{f(x)} + Σ_r e^{f(r)}) − f(x)],   f = −U − log q,

which is minimal where e^{f} is the density ratio up to a constant, that is at U = −log ρ + const, for any R
(T.7).

Both terms use the same ρ, the data blurred: by σ, and for one row in ten by three times as much (T.6). This
small share of a wide blur determines the flanks of a mode, four standard deviations out and more, where no
row lies and where a conjunction has its mass. A quarter of each batch is drawn wide, and weighted down to
that tenth.

Where rows are few, errors cost little, and a network leaves them. Denoising has the same optimal slope at x
whatever weight h(x) its rows have there, so they may be weighted by rarity, h = ρ^{−p} with ρ the energy's
own e^{−U}, held fixed: p > 0 moves no minimiser (T.8).
"""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Lt
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from lem_safe.energies.network import Trainable
from lem_safe.energies.numbers import positive
from lem_safe.training.loss import PART, Stage, Staged

COMMON, MOST = 0.02, 5.0
"""h is 1 at the energy that this fraction of a batch is below, and at most e^MOST."""


@dataclass(frozen=True)
class Calibrated(Staged):
    """Denoising, plus a comparison of the rows with draws from a wide Gaussian, so that mode weights and
    empty space are learned too.

    The draws must overlap the data, so it is for about ten dimensions at most, not for images.
    """

    spreads: ClassVar[bool] = True
    example: ClassVar[dict[str, object]] = {"kind": "calibrated", "sigma": 0.1, "draws": 256}

    sigma: Annotated[float, Gt(0), Doc("The noise on the data, in whitened coordinates.")] = 0.04
    wide: Annotated[float, Ge(1), Doc("How many times wider the wide noise is.")] = 3.0
    share: Annotated[float, Gt(0), Lt(1), Doc("The fraction of the noisy data that has the wide noise.")] = (
        0.1
    )
    weight: Annotated[float, Gt(0), Doc("The weight of the comparison relative to denoising.")] = 1.0
    spread: Annotated[
        float, Gt(0), Doc("The standard deviation of the reference Gaussian; whitened data have 1.")
    ] = 1.5
    draws: Annotated[
        int, Ge(1), Doc("R, the number of reference draws that each batch is compared with.")
    ] = 1024
    drawn_wide: Annotated[
        float,
        Gt(0),
        Lt(1),
        Doc("The fraction of each batch that is drawn with the wide noise, whatever `share` is."),
    ] = 0.25
    rarity: Annotated[
        float,
        Ge(0),
        Lt(1),
        Doc("p: denoising weights a row in proportion to density^-p; 0 weights all rows equally."),
    ] = 0.0

    def __post_init__(self) -> None:
        for name in ("sigma", "weight", "spread"):
            positive("Calibrated", name, getattr(self, name))
        if not (self.wide >= 1 and 0 < self.share < 1 and 0 < self.drawn_wide < 1 and 0 <= self.rarity < 1):
            raise ValueError(
                "Calibrated: wide must be >= 1, share and drawn_wide between 0 and 1, rarity in [0, 1); "
                f"got {self.wide:g}, {self.share:g}, {self.drawn_wide:g} and {self.rarity:g}"
            )
        if self.draws < 1:
            raise ValueError(f"Calibrated: draws must be >= 1; got {self.draws}")

    def stages(self) -> tuple[Stage, ...]:
        return (Stage(1.0, self),)

    def score(
        self, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """The held-out loss with equal weights, since h makes values of different energies incomparable;
        computed in parts, so that there are many draws r.
        """
        plain = replace(self, rarity=0.0)
        return torch.stack(
            [len(part) / len(z) * plain(energy, part, generator).detach().double() for part in z.split(PART)]
        ).sum()

    def blurred(self, z: Float[Tensor, "n d"], generator: torch.Generator) -> Float[Tensor, "n d"]:
        far = torch.rand(len(z), generator=generator, dtype=z.dtype) < self.share
        σ = self.sigma * torch.where(far, self.wide, 1.0).to(z.dtype)
        return z + σ[:, None] * torch.randn(z.shape, generator=generator, dtype=z.dtype)

    def __call__(
        self, energy: Trainable, z: Float[Tensor, "n d"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        ξ = torch.randn(z.shape, generator=generator, dtype=z.dtype)
        far = ((torch.arange(z.shape[0], dtype=torch.float64) * self.drawn_wide) % 1 < self.drawn_wide).to(
            z.dtype
        )
        σ = self.sigma * (1 + (self.wide - 1) * far)
        w = far * self.share / far.mean() + (1 - far) * (1 - self.share) / (1 - far.mean())
        x = z + σ[:, None] * ξ
        r = self.spread * torch.randn((self.draws, z.shape[1]), generator=generator, dtype=z.dtype)
        U = energy(x)
        g = w * self._counts(U, w)
        denoising = (
            self.sigma**2 * (g * (energy.gradient(x) - ξ / σ[:, None]).square().sum(-1)).mean()
        )  # (T.6)
        here, there = self._ratio(U, x), self._ratio(energy(r), r).logsumexp(0)
        return denoising + self.weight * (w * (torch.logaddexp(here, there) - here)).mean()  # (T.7)

    def _counts(self, U: Tensor, w: Tensor) -> Tensor:
        """h(x), with mean 1 under the weights w, held fixed."""
        U = U.detach()
        h = (self.rarity * (U - U.quantile(COMMON))).clamp(max=MOST).exp()
        return h * w.sum() / (w * h).sum()  # (T.8)

    def _ratio(self, U: Tensor, x: Tensor) -> Tensor:
        """f = −U − log q, up to a constant."""
        return 0.5 * (x / self.spread).square().sum(-1) - U
