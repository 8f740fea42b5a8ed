"""Rows after the repair of PiShield, which is no dependency: `pip install pishield`."""

import contextlib
import io
import tempfile
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float


def repaired(x: Float[np.ndarray, "n d"], rules: str) -> Float[np.ndarray, "n d"]:
    """Rows after its layer for linear rules, which are written as in its files: a line `ordering y_0 ...`,
    then inequalities.
    """
    from pishield.shield_layer import build_shield_layer

    with tempfile.TemporaryDirectory() as directory, contextlib.redirect_stdout(io.StringIO()):
        path = Path(directory) / "rules.txt"
        path.write_text(rules)
        layer = build_shield_layer(x.shape[1], str(path), requirements_type="linear")
        found: torch.Tensor = layer(torch.tensor(x, dtype=torch.float32))
    return found.double().numpy()
