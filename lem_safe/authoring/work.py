"""What U and ∇U take, counted from the specification of an energy without building it: of each particle, the
multiply-adds of matrix products and of convolutions, the activations of layers, and other numbers that are
computed; of all particles together, the operations on arrays.

A gradient is a forward and a backward sweep, so each matrix of a network counts twice.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from lem_safe.checkpoints.opened import opened
from lem_safe.energies.images.convolutional import SMALLEST
from lem_safe.errors import BadInput
from lem_safe.registry import make
from lem_safe.training.trained import Trained

Spec = Mapping[str, Any]
MEANS = "inner.base.means"
"""What the file of a trained energy calls the centres of the mixture that its network corrects."""


class Work(NamedTuple):
    """The work of one evaluation of U and ∇U; `operations` of all particles, the others of one."""

    products: float = 0.0
    convolved: float = 0.0
    activations: float = 0.0
    numbers: float = 0.0
    operations: float = 0.0

    def plus(self, *others: "Work") -> "Work":
        """The work of several evaluations one after the other."""
        return Work(*map(sum, zip(self, *others, strict=True)))

    def times(self, evaluations: float) -> "Work":
        """That of so many evaluations."""
        return Work(*(evaluations * part for part in self))


class Of(NamedTuple):
    """What an energy is over: so many columns, trained with this seed."""

    columns: int
    seed: int


class NotCounted(Exception):
    """The work of something that its specification does not say: of what, in words."""


def work(energy: Spec, of: Of) -> Work:
    """The work of an energy; NotCounted where its specification does not say it."""
    count = ENERGIES.get(energy["kind"])
    if count is None:
        raise NotCounted(f"an energy of the kind {energy['kind']}")
    return count(energy, of)


def _trained(energy: Spec, of: Of) -> Work:
    network = energy["network"]
    count, made = NETWORKS.get(network["kind"]), make("energies", energy)
    assert isinstance(made, Trained)
    if count is None:
        raise NotCounted(f"a network of the kind {network['kind']}")
    if getattr(made.data, "codec", None) is not None:
        raise NotCounted("an energy of rows with categories, missing cells or repeated values")
    if made.data.path_shape is not None:
        raise NotCounted("an energy of paths")
    found = count(network, of.columns)
    if not made.network.fitted:
        return found
    return found.plus(_mixture(*_means(made.path(of.seed))))


def _means(path: Path) -> tuple[int, int]:
    """The shape of the centres of a mixture that was fitted."""
    try:
        components, d = opened(path).shapes[MEANS]
    except (BadInput, KeyError, ValueError):  # absent, or a file that is made anew
        raise NotCounted("a mixture that is not fitted yet") from None
    return components, d


def _dense(widths: Sequence[int]) -> Work:
    """A perceptron with layers of these widths, the inputs first."""
    matrices = sum(a * b for a, b in pairwise(widths))
    return Work(
        products=2 * matrices,
        activations=sum(widths[1:]),
        numbers=2 * widths[0],
        operations=8 * len(widths),
    )


def _mlp(network: Spec, d: int) -> Work:
    return _dense([d] + [network["hidden"]] * network["depth"])


def _residual(network: Spec, d: int) -> Work:
    width, depth = network["hidden"], network["depth"]
    matrices = d * width + 2 * depth * width**2
    return Work(products=2 * matrices, activations=depth * width, numbers=2 * d, operations=10 * (depth + 1))


def _fourier(network: Spec, d: int) -> Work:
    count, inner = network["count"], network["network"]
    features = Work(products=2 * d * count, activations=count, numbers=6 * count, operations=12)
    return NETWORKS[inner["kind"]](inner, d + 2 * count).plus(features)


def _convolutional(network: Spec, d: int) -> Work:
    found, (c, h, w) = Work(), network["image"]
    for wide in network["channels"]:
        for before in [c] + [wide] * (network["depth"] - 1):
            pixels = h * w
            found = found.plus(
                Work(convolved=2 * 9 * before * wide * pixels, activations=wide * pixels, operations=10)
            )
        c, pooled = wide, min(h, w) >= SMALLEST
        h, w = (h // 2, w // 2) if pooled else (h, w)
    return found.plus(_dense([c * h * w, network["hidden"]]))


NETWORKS: dict[str, Callable[[Spec, int], Work]] = {
    "mlp": _mlp,
    "residual": _residual,
    "fourier": _fourier,
    "convolutional": _convolutional,
    "mixture_base": _mlp,
    "kernel_base": _mlp,
}
"""By the kind of a network: its work over so many columns, without that of a mixture it corrects."""


def _mixture(components: int, d: int) -> Work:
    return Work(products=2 * components * d**2, numbers=components * (3 * d + 6), operations=15)


def _sum(energies: Sequence[Spec], of: Of) -> Work:
    joined = Work(numbers=2 * of.columns * len(energies), operations=3 * len(energies))
    return joined.plus(*(work(one, of) for one in energies))


def _each(numbers: int, operations: int, products: int = 0) -> Callable[[Spec, Of], Work]:
    """So many numbers of each column, and multiply-adds of each pair of columns."""
    return lambda energy, of: Work(
        products=products * of.columns**2, numbers=numbers * of.columns, operations=operations
    )


ENERGIES: dict[str, Callable[[Spec, Of], Work]] = {
    "trained": _trained,
    "gaussian": lambda energy, of: _each(4, 7, 0 if energy.get("covariance") is None else 2)(energy, of),
    "gaussian_mixture": lambda energy, of: _mixture(len(energy["means"]), of.columns),
    "quadratic": _each(3, 5, products=1),
    "banana": _each(8, 20),
    "funnel": _each(6, 15),
    "double_well": _each(6, 15),
    "ring": _each(4, 10),
    "student_t": _each(4, 12, products=2),
    "composed": lambda energy, of: _sum(energy["energies"], of),
    "conjunction": lambda energy, of: _sum(energy["energies"], of),
    "negation": lambda energy, of: _sum([energy["energy"], energy["away_from"]], of),
    "disjunction": lambda energy, of: _sum(energy["energies"], of),
    "tempered": lambda energy, of: _sum([energy["energy"]], of),
    "shifted": lambda energy, of: _sum([energy["energy"]], of),
    "tilted": lambda energy, of: _sum([energy["energy"]], of),
    "transported": lambda energy, of: _sum([energy["energy"]], of).plus(_each(2, 4, products=2)(energy, of)),
}
"""By the kind of an energy: its work."""
