"""What the checks share: random clouds, a few regions, and closeness."""

import torch
from torch import Tensor

from barriers.derivatives import Jet
from barriers.sets import build_sets

F64 = torch.float64


REGIONS = build_sets(
    {
        "ball": {"kind": "ball", "center": [0.5, -0.25], "radius": 0.75},
        "right": {"kind": "half_space", "normal": [3.0, 4.0], "offset": 2.5},
        "box": {"kind": "box", "lower": [-1.0, -1.0], "upper": [0.5, 0.25]},
        "either": {"any": ["ball", "right"]},
        "rule": {"kind": "rule", "where": "3*x0 + 4*x1 < 1"},
    },
    ("x0", "x1"),
)


def cloud(n: int, seed: int = 0, d: int = 2) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=F64)


def close(found: Tensor, expected: Tensor, tolerance: float = 1e-9) -> None:
    assert float((found - expected).detach().abs().max()) <= tolerance


def close_jets(found: Jet, expected: Jet) -> None:
    for a, b in zip(found, expected, strict=True):
        close(a, b, 1e-8)
