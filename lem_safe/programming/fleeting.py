"""A directory that goes with the value that holds it."""

import shutil
import tempfile
import weakref
from pathlib import Path


class Fleeting:
    """A new temporary directory, removed when nothing refers to this value any more, or at the end."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="lem-safe-"))
        self._removal = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
