"""The formats of files of weights: lem-safe's own, and published networks. Strict: every tensor must be
present in its shape, and no other.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from barriers.arrays import torch
from barriers.coordinates import Coordinates
from lem_safe.checkpoints.opened import Opened
from lem_safe.energies.base import Energy
from lem_safe.energies.images.energy_matching import EnergyMatching, Layout, Potential
from lem_safe.errors import BadInput, Fault
from lem_safe.training.checkpoint import FORMAT, load_energy


class Format(ABC):
    """One file format."""

    @abstractmethod
    def recognises(self, file: Opened) -> bool:
        """Whether the file appears to have this format, complete or not."""

    @abstractmethod
    def columns(self, file: Opened) -> tuple[str, ...]:
        """The coordinates' names; BadInput where the file does not have this format."""

    @abstractmethod
    def load(self, file: Opened) -> Energy:
        """The frozen energy over data units; BadInput as above."""

    @abstractmethod
    def coordinates(self, file: Opened) -> Coordinates | None:
        """The whitened coordinates that the energy was learned in; None for one over data units."""


class LemSafe(Format):
    """What `lem-safe train` writes: safetensors with metadata."""

    def recognises(self, file: Opened) -> bool:
        return file.text.get("format") == FORMAT

    def columns(self, file: Opened) -> tuple[str, ...]:
        return load_energy(file.path).columns

    def load(self, file: Opened) -> Energy:
        return load_energy(file.path).energy

    def coordinates(self, file: Opened) -> Coordinates | None:
        return load_energy(file.path).energy.coordinates


class EnergyMatchingCifar10(Format):
    """The CIFAR-10 network published with Energy Matching: the `ema_model` of its checkpoint, or those
    tensors alone.
    """

    layout = Layout()

    def recognises(self, file: Opened) -> bool:
        return any(
            name.endswith("transformer_encoder.layers.0.self_attn.in_proj_weight") for name in file.shapes
        )

    def columns(self, file: Opened) -> tuple[str, ...]:
        must_match(file, "ema_model", expected(self.layout))
        return tuple(f"x{i}" for i in range(self.layout.columns))

    def load(self, file: Opened) -> Energy:
        must_match(file, "ema_model", expected(self.layout))
        tensors = {name: tensor.float() for name, tensor in file.read("ema_model").items()}
        broken = [name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all())]
        if broken:
            raise BadInput(Fault(f"must hold finite numbers; {grouped(broken)} do not", str(file.path)))
        with torch.device("meta"):
            potential = Potential(self.layout)
        potential.load_state_dict(tensors, strict=True, assign=True)
        return EnergyMatching(potential, self.layout)

    def coordinates(self, file: Opened) -> Coordinates | None:
        return None


def must_match(file: Opened, dictionary: str, expected: Mapping[str, tuple[int, ...]]) -> None:
    """Raises BadInput with every name that is missing, unexpected or of another shape, if there is any."""
    found = file.under(dictionary)
    if dictionary not in {name.split(".")[0] for name in file.shapes} and not set(found) & set(expected):
        held = ", ".join(sorted({name.split(".")[0] for name in file.shapes})) or "no tensors"
        raise BadInput(
            Fault(
                f"must hold '{dictionary}', or its {len(expected)} tensors themselves; found {held}",
                str(file.path),
            )
        )
    missing = [name for name in expected if name not in found]
    more = [name for name in found if name not in expected]
    bent = [
        f"{n} is {found[n]}, not {shape}" for n, shape in expected.items() if n in found and found[n] != shape
    ]
    wrong = [
        f"{len(names)} {what}: {listed}"
        for what, names, listed in (
            ("missing", missing, grouped(missing)),
            ("unexpected", more, grouped(more)),
            ("of another shape", bent, "; ".join(bent)),
        )
        if names
    ]
    if wrong:
        rule = f"must hold exactly the {len(expected)} tensors of this network; "
        raise BadInput([Fault(rule + text, str(file.path)) for text in wrong])


@cache
def expected(layout: Layout) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a network's tensors, without allocating them."""
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in Potential(layout).state_dict().items()}


def grouped(names: Iterable[str]) -> str:
    """Every name, with common parts written once, as in a shell's brace expansion:
    blocks.{0,1}.{weight,bias}.
    """
    tree: dict[str, Any] = {}
    for name in names:
        node = tree
        for part in name.split("."):
            node = node.setdefault(part, {})
        node[""] = {}  # a name ends here; a longer one may continue
    return ", ".join(branch.removeprefix(".") for branch in _branches(tree))


def _branches(tree: Mapping[str, Any]) -> list[str]:
    """The continuations of a name's beginning; parts with equal continuations are merged."""
    alike: dict[str, list[str]] = {}
    for part, after in tree.items():
        if part:
            alike.setdefault(_braced(_branches(after)), []).append(part)
    ends = [f".{part}" for part in alike.pop("", [])]
    return [""] * ("" in tree) + ends + [f".{_braced(parts)}{after}" for after, parts in alike.items()]


def _braced(parts: list[str]) -> str:
    if len(parts) > 1 and all(part.startswith(".") for part in parts):
        return "." + _braced([part[1:] for part in parts])
    return parts[0] if len(parts) == 1 else "{" + ",".join(parts) + "}"


FORMATS: dict[str, Format] = {"lem_safe": LemSafe(), "energy_matching_cifar10": EnergyMatchingCifar10()}
"""Every format a scenario can name; without a name, the first that recognises the file."""
