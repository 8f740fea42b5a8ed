"""`energy: {kind: exported, path: model.pt2}`: a module of the user's own, as torch.export.save wrote it.

torch.export.load is not used: it evaluates expressions of shapes as Python, and unpickles sample inputs,
constants and pickled weights without restriction. Here the graph is read as JSON and the weights as raw
bytes; the operators are a fixed list (docs/decisions/0030).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar, NoReturn

from typing_extensions import Doc

from barriers.arrays import torch
from barriers.coordinates import Coordinates
from lem_safe.checkpoints.exported.archive import Archive, content_of
from lem_safe.checkpoints.exported.graph import graph_of
from lem_safe.checkpoints.exported.program import Program
from lem_safe.checkpoints.exported.tensors import tensors_of
from lem_safe.checkpoints.from_file import FromFile
from lem_safe.energies.base import Energy, standard_points
from lem_safe.energies.own.function import Function
from lem_safe.energies.own.own_energy import OwnEnergy
from lem_safe.errors import BadInput, Fault

FOLDERS = (
    ("data/weights", "model_weights_config.json"),
    ("data/constants", "model_constants_config.json"),
)
REMEDY = (
    "export it with a term that confines it, such as 0.005 * x.square().sum(-1), or write confined: false "
    "where it is a part of a composition that does"
)


@dataclass(frozen=True)
class Exported(FromFile):
    """A module of your own that torch.export.save wrote: U(x) of rows [n, d], in nats, [n] or [n, 1]. Nothing
    in the file is executed.
    """

    example: ClassVar[dict[str, object]] = {"kind": "exported", "path": "model.pt2"}

    path: Annotated[Path, Doc("The .pt2 file, exported for any number of rows.")]
    sha256: Annotated[
        str | None, Doc("The SHA-256 that the file must have, 64 hexadecimal digits; not checked by default.")
    ] = None
    confined: Annotated[
        bool,
        Doc("Whether U itself must grow far out; false for a part of a composition that does as a whole."),
    ] = True
    center: Annotated[
        list[float] | None,
        Doc("A point near the mass, in data units, where the file is examined; the origin by default."),
    ] = None

    def __post_init__(self) -> None:
        if self.sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", self.sha256):
            raise ValueError(f"Exported: sha256 must be 64 hexadecimal digits; got {self.sha256!r}")

    @property
    def columns(self) -> tuple[str, ...]:
        """x0, x1, ...; the file has no names."""
        d = self._program.graph.dimension
        if self.center is not None and len(self.center) != d:
            self._refuse(f"takes {d} columns; center has {len(self.center)} numbers")
        return tuple(f"x{i}" for i in range(d))

    @property
    def coordinates(self) -> Coordinates | None:
        return None

    def load(self) -> Energy:
        """The energy over data units, examined at draws of a standard normal distribution around `center`."""
        program, d = self._program, self.dimension
        function = Function(program.forward, "energy", Path(self.path).name)
        energy = OwnEnergy(function, dimension=d, confined=self.confined or None, remedy=REMEDY)
        energy.add_module("program", program)
        try:
            energy.settle(_around(self.center, d))
        except BadInput as bad:
            self._refuse(bad.faults[0].message.removeprefix(f"{function.title}: "))
        except Exception as error:  # what an operator refuses depends on the operator
            self._refuse(f"cannot be called on rows: {_first_line(error)}")
        return energy

    @cached_property
    def _program(self) -> Program:
        content = content_of(Path(self.path), self.sha256)
        try:
            archive = Archive(content)
            graph = graph_of(archive)
            tensors = {}
            for folder, config in FOLDERS:
                tensors.update(tensors_of(archive, folder, config))
            return Program(graph, tensors)
        except ValueError as error:
            self._refuse(str(error))
        except Exception as error:  # what a damaged file raises depends on which of its bytes are
            self._refuse(f"is damaged: {type(error).__name__}: {_first_line(error)}")

    def _refuse(self, message: str) -> NoReturn:
        raise BadInput(Fault(message, str(self.path))) from None


def _around(center: Sequence[float] | None, d: int) -> torch.Tensor:
    points = standard_points(d)
    return points if center is None else points + torch.tensor(center, dtype=points.dtype)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
