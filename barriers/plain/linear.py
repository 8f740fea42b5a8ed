"""torch.linalg, over numpy."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from barriers.plain import functional as f
from barriers.plain.needs import absent
from barriers.plain.tensor import Tensor, unrecorded

LinAlgError = np.linalg.LinAlgError
norm = f.norm


def vector_norm(x: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False) -> Tensor:
    return f.norm(x, ord, dim, keepdim)


def matrix_norm(x: Tensor, ord: Any = "fro") -> Tensor:
    return unrecorded(x, np.linalg.norm(x.array, ord, axis=(-2, -1)))


def cholesky(x: Tensor) -> Tensor:
    return unrecorded(x, np.linalg.cholesky(x.array))


class FactorAndInfo(NamedTuple):
    L: Tensor
    info: Tensor


def cholesky_ex(x: Tensor) -> FactorAndInfo:
    """The factors, and 0 for each matrix that has one; that of any other is NaN."""
    L, info = np.full(x.array.shape, np.nan, x.array.dtype), np.ones(x.array.shape[:-2], np.int32)
    for each in np.ndindex(info.shape):
        with suppress(LinAlgError):
            L[each], info[each] = np.linalg.cholesky(x.array[each]), 0
    return FactorAndInfo(unrecorded(x, L), Tensor(info))


def inv(x: Tensor) -> Tensor:
    return unrecorded(x, np.linalg.inv(x.array))


def pinv(x: Tensor) -> Tensor:
    return unrecorded(x, np.linalg.pinv(x.array))


def solve(a: Tensor, b: Tensor) -> Tensor:
    return unrecorded(b, np.linalg.solve(a.array, b.array))


def solve_triangular(a: Tensor, b: Tensor, *, upper: bool, **how: Any) -> Tensor:
    return solve(f.triu(a) if upper else f.tril(a), b)


def svd(x: Tensor, full_matrices: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    found = np.linalg.svd(x.array, full_matrices=full_matrices)
    return Tensor(found[0]), Tensor(found[1]), Tensor(found[2])


def svdvals(x: Tensor) -> Tensor:
    return unrecorded(x, np.linalg.svd(x.array, compute_uv=False))


def eigh(x: Tensor) -> tuple[Tensor, Tensor]:
    found = np.linalg.eigh(x.array)
    return Tensor(found[0]), Tensor(found[1])


def eigvalsh(x: Tensor) -> Tensor:
    return unrecorded(x, np.linalg.eigvalsh(x.array))


def matrix_rank(x: Tensor, **how: Any) -> Tensor:
    return Tensor(np.linalg.matrix_rank(x.array, **how))


class SignAndLog(NamedTuple):
    sign: Tensor
    logabsdet: Tensor


def slogdet(x: Tensor) -> SignAndLog:
    found = np.linalg.slogdet(x.array)
    return SignAndLog(Tensor(found[0]), Tensor(found[1]))


def qr(x: Tensor) -> tuple[Tensor, Tensor]:
    found = np.linalg.qr(x.array)
    return Tensor(found[0]), Tensor(found[1])


def __getattr__(name: str) -> Any:
    return absent(name)
