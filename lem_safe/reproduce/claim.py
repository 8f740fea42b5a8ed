"""One claim of the paper: its statement, the check, the result, and a verdict that can be examined.

holds: found within the tolerance stated with it. corrected: true as theory.md and docs/equations.md state it,
not as printed.
fails: looked for and not found. not run: needs a missing file, which is named.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from barriers.arrays import Tensor, torch
from lem_safe.data.distributions import EightGaussians
from lem_safe.energies import Energy, GaussianMixture
from lem_safe.keys import Key
from lem_safe.progress import Progress
from lem_safe.report.style import Draw
from lem_safe.samplers import Langevin
from lem_safe.training.trained import Trained

Verdict = Literal["holds", "corrected", "fails", "not run"]

RADIUS, STD, START = 4.0, 0.5, 2.0
"""Fig. 1 states neither: eight modes on a circle of this radius, with this spread; the cloud starts as N(0,
START² I).
"""
CIRCLE = [
    [4.0, 0.0],
    [2.8284271247461903, 2.8284271247461903],
    [0.0, 4.0],
    [-2.8284271247461903, 2.8284271247461903],
    [-4.0, 0.0],
    [-2.8284271247461903, -2.8284271247461903],
    [0.0, -4.0],
    [2.8284271247461903, -2.8284271247461903],
]


@dataclass(frozen=True)
class Setting:
    """The resources of a claim. quick: smaller clouds and fewer seeds, to check that it runs; its numbers are
    not the study's.
    """

    progress: Progress
    seed: int = 0
    quick: bool = False
    data_root: Path | None = None
    checkpoint: Path | None = None
    cache: Path | None = None

    @property
    def particles(self) -> int:
        return 1000 if self.quick else 5000

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(range(self.seed, self.seed + (1 if self.quick else 5)))

    def train(self, trained: Trained, seed: int) -> Energy:
        """The energy, from the cache or trained now, with progress; frozen, over data units."""
        self.progress.start(f"training, seed {seed}", trained.training.steps)
        energy, origin = trained.load_or_train(seed, self.cache, self._report)
        self.progress.finish(origin)
        return energy

    def _report(self, step: int, total: int, loss: float, held_out: float | None) -> None:
        self.progress.update(step, f"loss {loss:.4f}")


@dataclass(frozen=True)
class Found:
    """The result of a check. ours: the numbers in words. numbers: the same as data. draws: plots, each with
    its own axes. width: of each plot, in inches.
    """

    verdict: Verdict
    ours: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    draws: tuple[Draw, ...] = ()
    note: str = ""
    width: float = 3.4


@dataclass(frozen=True)
class Claim:
    """A claim. name: for `lem-safe reproduce NAME`. where: its place in the paper. paper: its statement
    there, with its number.

    needs: the files of a setting that it reads, "data_root" or "checkpoint".
    """

    name: str
    title: str
    where: str
    paper: str
    tolerance: str
    check: Callable[[Setting], Found]
    needs: tuple[str, ...] = ()


def eight(std: float = STD) -> GaussianMixture:
    """The exact energy of Fig. 1, normalised."""
    return GaussianMixture(means=CIRCLE, std=std)


def draws(seed: int, n: int, std: float = STD) -> Tensor:
    """n independent draws of it, float64."""
    return EightGaussians(radius=RADIUS, std=std).draw(Key(seed).fold("data").generator(), n)


def cloud(seed: int, n: int, d: int = 2, std: float = START) -> Tensor:
    """n independent draws of N(0, std² I), float64."""
    return std * torch.randn(n, d, generator=Key(seed).fold("start").generator(), dtype=torch.float64)


@torch.no_grad()
def langevin(
    energy: Energy, x: Tensor, step_size: float, steps: int, seed: int, keep: tuple[int, ...] = ()
) -> tuple[Tensor, dict[int, Tensor]]:
    """The cloud after `steps` Langevin steps (E.2), and after each k of `keep`."""
    sampler, key = Langevin(energy, step_size), Key(seed).fold("langevin")
    state, kept = sampler.init(x), {0: x} if 0 in keep else {}
    for k in range(steps):
        state, _ = sampler.step(key.fold(k), state)
        if k + 1 in keep:
            kept[k + 1] = state.x
    return state.x, kept


def verdict_of(held: bool) -> Verdict:
    """holds or fails."""
    return "holds" if held else "fails"
