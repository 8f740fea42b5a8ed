"""The region of a class of a trained classifier, from its file: where the class is the most probable one, or
its probability or output is at least a given value.

neither `probability` nor `score`   max_{others} l ≤ l_label          the most probable class (argmax)
`probability` p                     softmax(l)_label ≥ p
`score` t                           l_label ≥ t                       the network's own output, whatever it
                                    means

l are the network's outputs over the data's units. All are level functions, used through their first-order
distance (see `pull`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from annotated_types import Gt, Lt
from jaxtyping import Bool, Float
from typing_extensions import Doc

from barriers.arrays import Tensor, nn, torch
from barriers.derivatives import Jet, Scalar
from barriers.sets.algebra import complement
from barriers.sets.base import UnsafeSet
from barriers.sets.columns import Columns
from barriers.sets.field import Field
from barriers.sets.layers import Layers, Saved, load_classifier
from barriers.sets.learned import Classifier, MostLikely
from barriers.sets.soft import soften
from barriers.sets.sublevel import Sublevel
from barriers.specification import Context

Label = Annotated[str | int, Doc("The class that is unsafe: its name, or its position from 0.")]
NetworkFile = Annotated[
    Path | None, Doc("The network, a safetensors file that barriers.sets.save_classifier wrote.")
]
WrittenLayers = Annotated[
    list[list[list[float]]] | None,
    Doc(
        "Or the network written out: a list of layers, each with one row per unit, the "
        "weights and then the bias."
    ),
]
Activation = Annotated[
    Literal["tanh", "silu", "softplus", "relu"] | None,
    Doc("The activation between `layers`, tanh by default; a file has its own."),
]
Probability = Annotated[
    float | None,
    Gt(0),
    Lt(1),
    Doc(
        "Unsafe where the probability of the class is at least this; by default, where "
        "it is the most probable class."
    ),
]
Score = Annotated[
    float | None,
    Doc("Unsafe where the network's output for the class is at least this; use it instead of a probability."),
]


class ClassRegion(UnsafeSet):
    """Everything that a trained network assigns to one class, or for which the class's probability or output
    is high enough.
    """

    exact = False
    example: ClassVar[dict[str, object]] = {
        "kind": "classifier",
        "label": 1,
        "layers": [
            [[2.0, 0.5, -0.3], [-1.0, 1.5, 0.2], [0.4, -1.2, 0.1]],
            [[1.2, -0.7, 0.4, 0.1], [-0.8, 0.9, 0.6, -0.2]],
        ],
    }

    def __init__(
        self,
        label: Label,
        columns: Annotated[Sequence[str], Context("columns")],
        path: NetworkFile = None,
        layers: WrittenLayers = None,
        activation: Activation = None,
        probability: Probability = None,
        score: Score = None,
    ):
        super().__init__()
        _must_agree(path, layers, activation, probability, score)
        saved = load_classifier(path) if path is not None else _written(layers or [], activation or "tanh")
        index = _index(label, saved)
        drawn = _region(saved.network, index, probability, score)
        self.inner = _placed(drawn, saved, columns)
        self.smooth, self.dimension = self.inner.smooth, self.inner.dimension

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n"]:
        return self.inner(x)

    def contains(self, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
        return self.inner.contains(x)

    def jet(self, x: Float[Tensor, "n d"]) -> Jet:
        return self.inner.jet(x)


class Refusal(nn.Module):
    """−l_label: low where the class scores high."""

    def __init__(self, network: Layers, label: int):
        super().__init__()
        self.network, self.label = network, label

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return -self.network(x)[:, self.label]


def _must_agree(
    path: Path | str | None,
    layers: list[list[list[float]]] | None,
    activation: str | None,
    probability: float | None,
    score: float | None,
) -> None:
    """Raises ValueError for keys that contradict each other, and where there is no network."""
    if (path is None) == (layers is None):
        raise ValueError("Classifier: needs either path, a file, or layers, written out; give one of them")
    if path is not None and activation is not None:
        raise ValueError(
            "Classifier: activation belongs to layers that are written out; the file says its own"
        )
    if probability is not None and score is not None:
        raise ValueError(
            "Classifier: probability and score exclude each other; give one, or neither for the "
            "likeliest class"
        )


def _written(layers: list[list[list[float]]], activation: str) -> Saved:
    """The network of a scenario's own numbers, its classes named by position."""
    maps = []
    for i, rows in enumerate(layers):
        if not rows or any(len(row) != len(rows[0]) or len(row) < 2 for row in rows):
            raise ValueError(
                f"Classifier: layers: layer {i} must be rows of equally many numbers, weights then bias"
            )
        matrix = torch.tensor(rows, dtype=torch.float64)
        maps.append((matrix[:, :-1], matrix[:, -1]))
    network = Layers(maps, activation)
    return Saved(network, tuple(str(k) for k in range(network.outputs)), None)


def _index(label: str | int, saved: Saved) -> int:
    names = ", ".join(saved.classes)
    if isinstance(label, str):
        if label not in saved.classes:
            raise ValueError(f"Classifier: label must be one of its classes ({names}); got {label!r}")
        return saved.classes.index(label)
    if not 0 <= label < len(saved.classes):
        raise ValueError(
            f"Classifier: label must be from 0 to {len(saved.classes) - 1} ({names}); got {label}"
        )
    return label


def _region(network: Layers, label: int, probability: float | None, score: float | None) -> UnsafeSet:
    if score is not None:
        return Sublevel(Field(Refusal(network, label), network.inputs, network.smooth), -score)
    if network.outputs < 2:
        raise ValueError(
            "Classifier: a network of one output has no other class to be likelier than; give a score"
        )
    if probability is not None:
        return Classifier(network, label, probability, network.inputs, network.smooth)
    return MostLikely(network, label, network.inputs, smooth=network.smooth and network.outputs == 2)


def _placed(region: UnsafeSet, saved: Saved, columns: Sequence[str]) -> UnsafeSet:
    """The region over the columns it was trained on, by name where the file names them."""
    if saved.columns is None or saved.columns == tuple(columns):
        return region
    missing = [name for name in saved.columns if name not in columns]
    if missing:
        raise ValueError(
            f"Classifier: path: was trained on the columns {', '.join(saved.columns)}; {missing[0]!r} is "
            f"not among {', '.join(columns)}"
        )
    return Columns(list(saved.columns), region, columns)


@complement.register
def _complement_of_class_region(unsafe: ClassRegion) -> UnsafeSet:
    return complement(unsafe.inner)


@soften.register
def _soft_class_region(unsafe: ClassRegion, width: Scalar) -> UnsafeSet:
    return soften(unsafe.inner, width)
