"""A small network as data: matrices and one activation, l = W_L a(… a(W_1 x + b_1) …) + b_L, and its
safetensors file.

A file holds the tensors `layers.i.weight` and `layers.i.bias` and, as metadata, a format, the activation, the
classes' names and, where known, the columns' names. It contains no code, and nothing pickled is written or
read.
"""

import json
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, needs_torch, nn, torch
from barriers.regular_files import must_be_regular

FORMAT = "lem-safe classifier 1"
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "silu": nn.functional.silu,
    "softplus": nn.functional.softplus,
    "relu": torch.relu,
}
KINKED = ("relu",)
"""Activations that are not twice differentiable."""
MODULES: dict[type[nn.Module], str] = {
    nn.Tanh: "tanh",
    nn.SiLU: "silu",
    nn.Softplus: "softplus",
    nn.ReLU: "relu",
}


class Layers(nn.Module):
    """The network of affine maps (W [out, in], b [out]); raises ValueError where one does not
    fit the next.
    """

    def __init__(self, maps: Sequence[tuple[Tensor, Tensor]], activation: str):
        super().__init__()
        if not maps:
            raise ValueError("Classifier: layers must hold at least one layer")
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"Classifier: activation must be one of {', '.join(ACTIVATIONS)}; got {activation!r}"
            )
        width = maps[0][0].shape[-1]
        for i, (W, b) in enumerate(maps):
            if W.ndim != 2 or b.ndim != 1 or W.shape != (len(b), width) or not len(b) or not width:
                raise ValueError(
                    f"Classifier: layer {i} must be a matrix of {width} columns with one bias a row; "
                    f"got {tuple(W.shape)} and {tuple(b.shape)}"
                )
            if not all(t.is_floating_point() and bool(torch.isfinite(t).all()) for t in (W, b)):
                raise ValueError(f"Classifier: layer {i} must hold finite numbers")
            width = len(b)
        self.weights = nn.ParameterList(
            nn.Parameter(W.detach().clone(), requires_grad=False) for W, _ in maps
        )
        self.biases = nn.ParameterList(nn.Parameter(b.detach().clone(), requires_grad=False) for _, b in maps)
        self.activation, self.smooth = activation, activation not in KINKED
        self.inputs, self.outputs = maps[0][0].shape[1], width

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        act, last = ACTIVATIONS[self.activation], len(self.weights) - 1
        for i, (W, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.addmm(b, x, W.T)
            x = act(x) if i < last else x
        return x


class Saved(NamedTuple):
    """A classifier read back: its network, the classes' names in the order of its outputs, the columns' names
    or None.
    """

    network: Layers
    classes: tuple[str, ...]
    columns: tuple[str, ...] | None


def save_classifier(
    network: nn.Sequential,
    path: str | PathLike[str],
    classes: Sequence[str],
    columns: Sequence[str] | None = None,
) -> None:
    """Writes a trained network, `nn.Linear` layers with one activation (Tanh, SiLU, Softplus or ReLU) between
    them, over data units.

    classes: a name for each output, a logit. columns: the names of its inputs; a scenario then uses its
    columns of these names. The same network gives the same file. Raises ValueError for any other network.
    """
    from safetensors.torch import save

    layers = _layers_of(network)
    if len(set(classes)) < len(classes) or len(classes) != layers.outputs:
        raise ValueError(
            f"save_classifier: classes must be {layers.outputs} different names, one an output; got "
            f"{list(classes)}"
        )
    if columns is not None and (len(set(columns)) < len(columns) or len(columns) != layers.inputs):
        raise ValueError(
            f"save_classifier: columns must be {layers.inputs} different names, one an input; got "
            f"{list(columns)}"
        )
    maps = enumerate(zip(layers.weights, layers.biases, strict=True))
    tensors = {
        f"layers.{i}.{n}": t.data.cpu().contiguous()
        for i, (W, b) in maps
        for n, t in (("weight", W), ("bias", b))
    }
    text = {"format": FORMAT, "activation": layers.activation, "classes": json.dumps(list(classes))}
    if columns is not None:
        text["columns"] = json.dumps(list(columns))
    Path(path).write_bytes(_sorted(save(tensors, metadata=text)))


def _sorted(file: bytes) -> bytes:
    """A safetensors file with the keys of its header in alphabetical order: those of its metadata come in
    another one each time.
    """
    length = int.from_bytes(file[:8], "little")
    header = json.dumps(json.loads(file[8 : 8 + length]), sort_keys=True).encode()
    header += b" " * (-len(header) % 8)  # tensors begin at a multiple of eight
    return len(header).to_bytes(8, "little") + header + file[8 + length :]


def load_classifier(path: str | PathLike[str]) -> Saved:
    """Reads what `save_classifier` wrote; ValueError where the file is absent, foreign or incomplete."""
    import safetensors

    try:
        must_be_regular(path)
        needs_torch("a classifier")
        with safetensors.safe_open(path, framework="pt") as file:
            text = dict(file.metadata() or {})
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except (safetensors.SafetensorError, OSError) as error:
        raise ValueError(f"Classifier: path must be a complete safetensors file; {path}: {error}") from None
    if text.get("format") != FORMAT:
        raise ValueError(
            f"Classifier: path must be a file that barriers.sets.save_classifier wrote; {path} has no such "
            "format"
        )
    try:
        maps = [
            (tensors[f"layers.{i}.weight"], tensors[f"layers.{i}.bias"]) for i in range(len(tensors) // 2)
        ]
        network, classes = Layers(maps, text["activation"]), _names(text["classes"])
        columns = _names(text["columns"]) if "columns" in text else None
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"Classifier: path: {path} does not hold what its metadata promise: {error}; save it again"
        ) from None
    if len(classes) != network.outputs or (columns is not None and len(columns) != network.inputs):
        raise ValueError(
            f"Classifier: path: {path} names other numbers of classes or columns than its network has; "
            "save it again"
        )
    return Saved(network, classes, columns)


def _names(text: str) -> tuple[str, ...]:
    """Names as JSON has them; ValueError for anything but a list of different ones."""
    found = json.loads(text)
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ValueError("names must be a list of text")
    if len(set(found)) < len(found):
        raise ValueError("names must be different")
    return tuple(found)


def _layers_of(network: nn.Sequential) -> Layers:
    """The maps of a Sequential of alternating Linear and activation layers."""
    parts = list(network)
    linear, between = parts[::2], parts[1::2]
    kinds = {MODULES.get(type(part)) for part in between}
    plain = all(type(part) is nn.Linear and part.bias is not None for part in linear) and len(parts) % 2 == 1
    softplus = all(part.beta == 1 for part in between if isinstance(part, nn.Softplus))
    if not plain or None in kinds or len(kinds) > 1 or not softplus:
        raise ValueError(
            "save_classifier: the network must be nn.Linear layers (with bias) and one kind of activation "
            "between them, "
            f"{', '.join(m.__name__ for m in MODULES)}; got "
            f"{', '.join(type(part).__name__ for part in parts)}"
        )
    maps = [(part.weight, part.bias) for part in linear if isinstance(part, nn.Linear)]
    return Layers(maps, str(next(iter(kinds))) if kinds else "tanh")
