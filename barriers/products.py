"""Matrix products of many rows with the weights of a layer, by the faster of torch's two libraries.

On a CPU torch multiplies float32 matrices by MKL, which gives processors of another maker than Intel its
kernels for older ones. oneDNN, which is in torch as well, gives them the current ones: on an AMD processor
with AVX-512 its products take half the time, from about 2²¹ multiplications on (below that a call of it costs
more than it saves). It is used where no derivative is being taken, since its operators have none, and
nothing is compiled, exported or traced, since what is made then may run elsewhere.

Both sum up to LONGEST terms in the same order, and then give the same bits; longer sums MKL divides. So a
row has the same bits in a large cloud and in a small one: longer sums are oneDNN's for any number of rows.
"""

import platform
from functools import lru_cache
from pathlib import Path
from typing import Any

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from barriers.derivatives import recorded

LEAST = 2**21
"""From so many multiplications on, a product by oneDNN takes less time."""

LONGEST = 192
"""Sums of at most so many terms have the same bits in both libraries."""

MAKERS = ("AuthenticAMD", "HygonGenuine")
"""Makers of processors for which MKL has kernels of an older kind only."""


class Products:
    """xWᵀ + b and δW by torch's own operators, differentiable."""

    def affine(
        self, b: Float[Tensor, "w"], x: Float[Tensor, "n k"], W: Float[Tensor, "w k"]
    ) -> Float[Tensor, "n w"]:
        """xWᵀ + b."""
        return torch.addmm(b, x, W.T)

    def times(self, δ: Float[Tensor, "n w"], W: Float[Tensor, "w k"]) -> Float[Tensor, "n k"]:
        """δW."""
        return δ @ W

    def plus(
        self, u: Float[Tensor, "n k"], δ: Float[Tensor, "n w"], W: Float[Tensor, "w k"]
    ) -> Float[Tensor, "n k"]:
        """u + δW."""
        return torch.addmm(u, δ, W)


class OneDNN(Products):
    """The same by oneDNN where it takes less time, without derivatives."""

    def __init__(self, linear: Any):
        self._affine, self._plus = linear.default, linear.binary

    def affine(
        self, b: Float[Tensor, "w"], x: Float[Tensor, "n k"], W: Float[Tensor, "w k"]
    ) -> Float[Tensor, "n w"]:
        if _pays(x, W):
            b = b.contiguous()  # any other layout is misread
            return self._affine(x, W, b, "none", [], "")
        return super().affine(b, x, W)

    def times(self, δ: Float[Tensor, "n w"], W: Float[Tensor, "w k"]) -> Float[Tensor, "n k"]:
        if _pays(δ, W):
            return self._affine(δ, W.T, None, "none", [], "")
        return super().times(δ, W)

    def plus(
        self, u: Float[Tensor, "n k"], δ: Float[Tensor, "n w"], W: Float[Tensor, "w k"]
    ) -> Float[Tensor, "n k"]:
        if _pays(δ, W):
            return self._plus(δ, u, W.T, None, "add")
        return super().plus(u, δ, W)


def products(x: Float[Tensor, "n k"], *weights: Tensor) -> Products:
    """The products to use for rows like these and weights of their dtype, on their device."""
    if torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None:
        return TORCH
    if x.dtype != torch.float32 or x.device.type != "cpu" or recorded(x, *weights):
        return TORCH
    return _here()


TORCH = Products()


def _pays(x: Tensor, W: Tensor) -> bool:
    terms = x.shape[1]
    return terms > LONGEST or len(x) * W.numel() >= LEAST


@lru_cache(maxsize=1)
def _here() -> Products:
    linear = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    backends = torch.backends
    if linear is None or not (backends.mkl.is_available() and backends.mkldnn.is_available()):
        return TORCH
    return OneDNN(linear) if maker() in MAKERS else TORCH


def maker() -> str:
    """What the processor says its maker is, as `AuthenticAMD`; empty where it is not told."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor().rpartition(" ")[2]
    said = (line.partition(":")[2].strip() for line in lines if line.startswith("vendor_id"))
    return next(said, "")
