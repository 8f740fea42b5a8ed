"""A training run on disk, so that an interrupted one continues bit for bit: weights, averages, moments,
generator, best, history.

One safetensors file, written atomically; its metadata identify the run. A damaged file, or one of another
run, is ignored: training starts anew. Floats are written to JSON as shortest decimals that read back exactly.
"""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import safetensors

from barriers.arrays import Tensor
from barriers.regular_files import must_be_regular
from lem_safe.files import void, write_atomically

FORMAT = "lem-safe training 1"
SECONDS = 10.0


class Entry(NamedTuple):
    """The complete state of a run: tensors by name, and plain values."""

    tensors: dict[str, Tensor]
    values: dict[str, Any]


@dataclass
class Journal:
    """The file of one training run. fingerprint: of all its inputs. seconds: between two entries."""

    path: Path
    fingerprint: str
    seconds: float = field(default_factory=lambda: SECONDS)
    _written: float = field(default_factory=time.monotonic, init=False)

    @property
    def due(self) -> bool:
        """Whether the last entry is old enough for a new one."""
        return time.monotonic() - self._written >= self.seconds

    def write(self, entry: Entry) -> None:
        from safetensors.torch import save  # imports torch

        text = {"format": FORMAT, "fingerprint": self.fingerprint, "values": json.dumps(entry.values)}
        content = save(
            {name: t.detach().contiguous().clone() for name, t in entry.tensors.items()}, metadata=text
        )
        write_atomically(self.path, lambda file: void(file.write(content)))
        self._written = time.monotonic()

    def read(self) -> Entry | None:
        """The last entry; None where none belongs to this run."""
        try:
            must_be_regular(self.path)
            with safetensors.safe_open(self.path, framework="pt") as file:
                text = dict(file.metadata() or {})
                names = file.keys()
                tensors = {name: file.get_tensor(name) for name in names}
            if text.get("format") != FORMAT or text.get("fingerprint") != self.fingerprint:
                return None
            return Entry(tensors, json.loads(text["values"]))
        except (safetensors.SafetensorError, OSError, ValueError, KeyError):
            return None

    def close(self) -> None:
        """Removes the file: the run is complete."""
        self.path.unlink(missing_ok=True)
