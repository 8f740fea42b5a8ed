"""Regions defined by a trained network, and regions that are known by membership only.

A network's output is a level function, used through its first-order distance (see `pull`). `contains`
evaluates a frozen float64 copy of the network; a predicate is called directly. In a scenario these are
`classifier` and `sublevel`; a predicate can be made in Python only, since scenarios run no code.
"""

from collections.abc import Callable
from typing import Any, NoReturn

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, needs_torch, torch
from barriers.derivatives import Jet, Scalar, autodiff_jet
from barriers.sets.base import NotSmooth, UnsafeSet
from barriers.sets.field import Field, Function, bounded
from barriers.sets.soft import soften, soften_complement


class Classifier(UnsafeSet):
    """Where a network gives `label` at least `probability` p: s = log Σ_{others} e^{l} − l_label + logit p,
    over its logits.
    """

    exact = False

    def __init__(
        self,
        network: Function,
        label: int,
        probability: float = 0.5,
        dimension: int | None = None,
        smooth: bool = True,
    ):
        super().__init__()
        if not 0 < probability < 1:
            raise ValueError(f"Classifier: probability must be between 0 and 1; got {probability:g}")
        self.f, self.label, self.dimension, self.smooth = (
            Field(network, dimension, smooth),
            int(label),
            dimension,
            smooth,
        )
        self.odds = float(torch.tensor(probability, dtype=torch.float64).logit())

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return bounded(self._level(self.f(x)))

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return ~(self._level(self.f.exact(x)) > 0)  # NaN counts as inside

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return autodiff_jet(self, x)

    def _level(self, logits: Tensor) -> Tensor:
        own, others = _against(logits, self.label)
        return others.logsumexp(-1) - own + self.odds


class MostLikely(UnsafeSet):
    """Where `label` is a network's most probable class: s = max_{others} l − l_label, over its logits.

    For three or more classes there are kinks where the second most probable class changes; for two, `smooth`
    states whether the network has any.
    """

    exact = False

    def __init__(self, network: Function, label: int, dimension: int | None = None, smooth: bool = False):
        super().__init__()
        self.f, self.label, self.dimension, self.smooth = (
            Field(network, dimension, smooth),
            int(label),
            dimension,
            smooth,
        )

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        own, others = _against(self.f(x), self.label)
        return bounded(others.amax(-1) - own)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        own, others = _against(self.f.exact(x), self.label)
        return ~(others.amax(-1) > own)  # NaN counts as inside

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return autodiff_jet(self, x)


class Predicate(UnsafeSet):
    """The region of a Python function: float64 rows in, one truth value per row out. No distance, so for the
    gate only.
    """

    exact = False
    smooth = False

    def __init__(self, function: Callable[[Tensor], Any], dimension: int | None = None):
        super().__init__()
        self.function, self.dimension = function, dimension

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        self.refuse()

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        needs_torch("a region given as a function")
        with torch.no_grad():
            answer = torch.as_tensor(self.function(x.double()), device=x.device)
        if answer.shape != x.shape[:-1]:
            raise ValueError(
                f"Predicate: must answer once a row ({tuple(x.shape[:-1])}); got shape {tuple(answer.shape)}"
            )
        return answer.bool()

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        self.refuse()

    def refuse(self) -> NoReturn:
        """Raises the error that there is no distance."""
        name = getattr(self.function, "__name__", "function")
        raise NotSmooth(
            f"Predicate {name} answers yes or no and has no distance: it works with the filter `gate` only "
            "(G.2)"
        )


def _against(logits: Tensor, label: int) -> tuple[Tensor, Tensor]:
    """The logit of one class, and those of all others."""
    k = logits.shape[-1]
    if k < 2 or not -k <= label < k:
        raise ValueError(
            f"classifier: needs two classes or more and a label among them; got label {label} of {k}"
        )
    own = logits[..., label]
    return own, torch.cat([logits[..., : label % k], logits[..., label % k + 1 :]], -1)


@soften.register
def _soft_predicate(unsafe: Predicate, width: Scalar) -> UnsafeSet:
    unsafe.refuse()


@soften_complement.register
def _soft_outside_predicate(inner: Predicate, width: Scalar) -> UnsafeSet:
    inner.refuse()
