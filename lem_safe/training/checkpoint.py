"""Trained energies as files: safetensors weights, with metadata that rebuild the energy and state its origin.

Metadata: format, network (its settings), columns, and further entries of the caller, each but the first as
JSON. Nothing pickled is written or read, and files are written atomically.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import safetensors

from barriers.arrays import Tensor, needs_torch, torch
from barriers.coordinates import Coordinates
from barriers.subspace import Subspace
from lem_safe.data.typed import Codec, RowCoordinates
from lem_safe.energies.mixture_based import MixtureBase
from lem_safe.energies.mlp import NETWORKS, Network
from lem_safe.energies.transported import Transported
from lem_safe.errors import BadInput, Fault
from lem_safe.files import void, write_atomically
from lem_safe.inputs import must_be_readable
from lem_safe.training.plausible import must_fit, must_have_room
from lem_safe.training.plausible import names as names_of

FORMAT = "lem-safe energy 1"
MALFORMED = (
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    RuntimeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
)
"""What metadata that lem-safe did not write may raise."""


class Saved(NamedTuple):
    """An energy read back: the frozen energy, its columns, and the metadata parsed from JSON."""

    energy: Transported
    columns: tuple[str, ...]
    metadata: dict[str, Any]


def save_energy(energy: Transported, path: Path, metadata: Mapping[str, Any]) -> None:
    """Writes a trained energy; `metadata` must hold `network` (from `describe`) and `columns`, and may hold
    any JSON.
    """
    from safetensors.torch import save  # imports torch

    tensors = {
        f"inner.{name}": tensor.detach().cpu().contiguous()
        for name, tensor in energy.inner.state_dict().items()
    }
    tensors["offset"] = energy.coordinates.offset.cpu()
    if not energy.coordinates.identity:  # d × d zeros and ones would be larger than an image network
        tensors["matrix"] = energy.coordinates.matrix.cpu().contiguous()
    text = {"format": FORMAT} | {name: json.dumps(value, sort_keys=True) for name, value in metadata.items()}
    content = save(tensors, metadata=text)
    write_atomically(path, lambda file: void(file.write(content)))


def load_energy(path: Path) -> Saved:
    """Reads what `save_energy` wrote; BadInput where the file is absent, foreign, or incomplete."""
    must_be_readable(path, "train one with lem-safe train")
    needs_torch("weights")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            text = dict(file.metadata() or {})
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except (safetensors.SafetensorError, OSError) as error:
        raise BadInput(Fault(f"is not a complete safetensors file: {error}", str(path))) from None
    if text.pop("format", None) != FORMAT:
        raise BadInput(
            Fault(
                f"has no metadata 'format: {FORMAT}', so lem-safe did not write it; use lem-safe train",
                str(path),
            )
        )
    try:
        metadata = {name: json.loads(value) for name, value in text.items()}
        columns = names_of(metadata["columns"])
        table = metadata.get("table")
        codec = None if table is None else Codec.from_json(table)
        network = network_of(metadata["network"])
        principal = metadata.get("components")
        energy = (
            _made(network, columns, tensors, codec)
            if principal is None
            else _of_components(network, columns, tensors, principal)
        )
    except MALFORMED as error:
        why = (" ".join(str(error).split()) or type(error).__name__)[:300]
        raise BadInput(
            Fault(f"does not hold what its metadata promise: {why}; train it again", str(path))
        ) from None
    return Saved(energy.requires_grad_(False).eval(), columns, metadata)


def _made(
    network: Network, columns: Sequence[str], tensors: Mapping[str, Tensor], codec: Codec | None
) -> Transported:
    """The energy of these tensors; one of MALFORMED where they are not the network's, or not finite."""
    inside, outside = _checked(tensors)
    if codec is not None:
        if codec.columns != tuple(columns) or not isinstance(network, MixtureBase):
            raise ValueError("its columns are not those of its table")
        must_have_room(
            network, codec.numbers + sum(codec.sizes), {n: tuple(t.shape) for n, t in tensors.items()}
        )
        rows = network.build_rows(codec.numbers, codec.sizes, torch.Generator().manual_seed(0))
        rows.load_state_dict(inside)
        return Transported(rows, RowCoordinates(codec))
    must_fit(network, len(columns), {name: tuple(t.shape) for name, t in (inside | outside).items()})
    inner = network.build(len(columns), torch.Generator().manual_seed(0))
    inner.load_state_dict(inside)
    return Transported(inner, Coordinates(tensors["offset"], tensors.get("matrix")))


def _of_components(
    network: Network, columns: Sequence[str], tensors: Mapping[str, Tensor], components: Any
) -> Transported:
    """The energy of principal components; one of MALFORMED like `_made`."""
    shapes = {name: tuple(t.shape) for name, t in tensors.items()}
    d, f = shapes["matrix"]
    if (d, f) != (len(columns), components) or shapes["offset"] != (d,):
        raise ValueError(f"its matrix must be {len(columns)} x {components}; it is {d} x {f}")
    inside, _ = _checked(tensors)
    must_fit(network, f, {"offset": (f,)} | {name: tuple(t.shape) for name, t in inside.items()})
    inner = network.build(f, torch.Generator().manual_seed(0))
    inner.load_state_dict(inside)
    return Transported(inner, Subspace(tensors["offset"], tensors["matrix"]))


def _checked(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The tensors of the network, under their current names, and of its coordinates; ValueError where a
    number is not finite.
    """
    inside = _current({n.removeprefix("inner."): t for n, t in tensors.items() if n.startswith("inner.")})
    outside = {name: tensor for name, tensor in tensors.items() if not name.startswith("inner.")}
    broken = [name for name, t in tensors.items() if not (t.is_floating_point() and bool(t.isfinite().all()))]
    if broken:
        raise ValueError(f"'{broken[0]}' must hold finite numbers")
    return inside, outside


def describe(settings: Any, kind: str | None = None) -> dict[str, Any]:
    """The settings of a network, a loss or a training run as plain values, `kind` first; a network within a
    network likewise.
    """
    plain = {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings)}
    within = {
        name: describe(value, value.kind) if isinstance(value, Network) else value
        for name, value in plain.items()
    }
    return ({"kind": kind} if kind else {}) | within


def network_of(description: Mapping[str, Any]) -> Network:
    """The settings from which `describe` made the description; one of MALFORMED for anything else."""
    if not isinstance(description, Mapping):
        raise TypeError(f"network must be a mapping of settings; got {type(description).__name__}")
    fields = {name: value for name, value in description.items() if name != "kind"}
    if isinstance(fields.get("network"), Mapping):
        fields["network"] = network_of(fields["network"])
    return NETWORKS[description["kind"]](**fields)


def _current(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under their current names: before networks had trunks, layers were stored next
    to `center`.
    """
    old = ("matrices.", "biases.", "readout")
    return {f"trunk.{name}" if name.startswith(old) else name: tensor for name, tensor in tensors.items()}
