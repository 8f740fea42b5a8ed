"""`energy: {kind: checkpoint, path: ...}`: a trained energy, from a file. Its fingerprint covers the file's
content.
"""

import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from typing_extensions import Doc

from barriers.coordinates import Coordinates
from lem_safe.checkpoints.formats import FORMATS, Format
from lem_safe.checkpoints.from_file import FromFile
from lem_safe.checkpoints.opened import Opened, opened
from lem_safe.data.typed import Codec
from lem_safe.energies.base import Energy
from lem_safe.errors import BadInput, Fault


@dataclass(frozen=True)
class Checkpoint(FromFile):
    """An energy read from a file: one that lem-safe train wrote, or a published network. The pixels of images
    are in [-1, 1].
    """

    example: ClassVar[dict[str, object]] = {"kind": "checkpoint", "path": "energy.safetensors"}

    path: Annotated[
        Path, Doc("The file: energy.safetensors of a run or of lem-safe train, or published weights.")
    ]
    format: Annotated[
        Literal["lem_safe", "energy_matching_cifar10"] | None,
        Doc("The format of the file; detected from its content by default."),
    ] = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns' names, from the file's header; BadInput for a file that cannot be used."""
        return self._format.columns(self._file)

    def load(self) -> Energy:
        """The energy over data units, frozen."""
        return self._format.load(self._file)

    @property
    def coordinates(self) -> Coordinates | None:
        """The whitened coordinates that the energy was learned in; None for one over data units."""
        return self._format.coordinates(self._file)

    @property
    def codec(self) -> Codec | None:
        """What the rows of the file's energy stand for, where it was learned from a table with other columns
        than plain numbers.
        """
        text = self._file.text.get("table")
        if text is None:
            return None
        try:
            return Codec.from_json(json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BadInput(
                Fault("does not say what its columns hold; train it again", str(self.path))
            ) from None

    @property
    def truncated(self) -> tuple[str, ...]:
        """The regions that truncated the rows it was fitted to, by name."""
        text = self._file.text.get("truncated")
        try:
            return () if text is None else tuple(str(name) for name in json.loads(text)["by"])
        except (ValueError, KeyError, TypeError):
            raise BadInput(
                Fault("does not say what truncated its rows; train it again", str(self.path))
            ) from None

    @property
    def path_shape(self) -> tuple[int, ...] | None:
        """Of rows that are paths: [waypoints, coordinates], or [waypoints, agents, coordinates]."""
        text = self._file.text.get("shape")
        try:
            shape = None if text is None else tuple(int(n) for n in json.loads(text))
        except (ValueError, TypeError):
            shape = ()
        if shape is not None and (len(shape) not in (2, 3) or math.prod(shape) != len(self.columns)):
            raise BadInput(Fault("does not say what shape its paths have; train it again", str(self.path)))
        return shape

    @cached_property
    def _file(self) -> Opened:
        return opened(Path(self.path))

    @cached_property
    def _format(self) -> Format:
        if self.format is not None:
            return FORMATS[self.format]
        for format_ in FORMATS.values():
            if format_.recognises(self._file):
                return format_
        names = ", ".join(list(self._file.shapes)[:4]) or "no tensors"
        raise BadInput(
            Fault(
                f"is none of {', '.join(FORMATS)}: it holds {names}; say which with format:, or train one",
                str(self.path),
            )
        )
