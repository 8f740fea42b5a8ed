"""A training run on disk, so that an interrupted one continues bit for bit: weights, averages, moments,
generator, best, history.

One safetensors file, written whole or not at all; its metadata name what is trained. A file that is damaged,
or of another run, is
no file: training starts anew. Floats go through JSON as shortest decimals that read back exactly.
"""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
from safetensors.torch import save
from torch import Tensor

from barriers.regular_files import must_be_regular
from lem_safe.files import void, write_atomically

FORMAT = "lem-safe training 1"
SECONDS = 10.0


class Entry(NamedTuple):
    """Everything a run needs to go on: tensors by name, and plain values."""

    tensors: dict[str, Tensor]
    values: dict[str, Any]


@dataclass
class Journal:
    """The file of one training run. fingerprint: of all it depends on. seconds: between two entries."""

    path: Path
    fingerprint: str
    seconds: float = field(default_factory=lambda: SECONDS)
    _written: float = field(default_factory=time.monotonic, init=False)

    @property
    def due(self) -> bool:
        """Whether the last entry is old enough for another."""
        return time.monotonic() - self._written >= self.seconds

    def write(self, entry: Entry) -> None:
        text = {"format": FORMAT, "fingerprint": self.fingerprint, "values": json.dumps(entry.values)}
        content = save(
            {name: t.detach().contiguous().clone() for name, t in entry.tensors.items()}, metadata=text
        )
        write_atomically(self.path, lambda file: void(file.write(content)))
        self._written = time.monotonic()

    def read(self) -> Entry | None:
        """The last entry; None where there is none that belongs to this run."""
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
        """The run is over, nothing is left to resume."""
        self.path.unlink(missing_ok=True)
