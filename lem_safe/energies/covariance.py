"""Covariances as given by users (a standard deviation, one per column, or a matrix) converted to Cholesky
factors, Σ = LLᵀ.
"""

from collections.abc import Sequence

from jaxtyping import Float

from barriers.arrays import Tensor, torch

Matrix = list[list[float]]


def factor_of_std(owner: str, std: float | Sequence[float] | Tensor, dimension: int) -> Float[Tensor, "d d"]:
    """L = diag(std)."""
    return scales_of_std(owner, std, dimension).diag()


def scales_of_std(owner: str, std: float | Sequence[float] | Tensor, dimension: int) -> Float[Tensor, "d"]:
    """The diagonal of L, one standard deviation per column; ValueError unless all are > 0 and finite."""
    values = torch.as_tensor(std, dtype=torch.float64)
    if values.ndim > 1 or values.ndim == 1 and values.shape[0] != dimension:
        raise ValueError(f"{owner}: std must be a number or {dimension} numbers, one per column; got {std!r}")
    if not (torch.isfinite(values) & (values > 0)).all():
        raise ValueError(f"{owner}: std must be > 0 and finite; got {std!r}")
    return values.expand(dimension).contiguous()


def factor_of_covariance(owner: str, covariance: Matrix | Tensor, dimension: int) -> Float[Tensor, "d d"]:
    """The Cholesky factor of a covariance matrix; ValueError names the property it lacks."""
    try:
        Σ = torch.as_tensor(covariance, dtype=torch.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{owner}: a covariance must be {dimension} rows of {dimension} numbers; got {covariance!r}"
        ) from None
    if Σ.shape != (dimension, dimension):
        raise ValueError(f"{owner}: a covariance must be {dimension} x {dimension}; got {tuple(Σ.shape)}")
    if not torch.isfinite(Σ).all() or not torch.allclose(Σ, Σ.T, rtol=1e-9, atol=0):
        raise ValueError(f"{owner}: a covariance must be finite and symmetric; got {covariance!r}")
    λ = float(torch.linalg.eigvalsh(Σ.detach())[0])
    if λ <= 0:
        raise ValueError(
            f"{owner}: a covariance must be positive definite; its smallest eigenvalue is {λ:.3g}"
        )
    return torch.linalg.cholesky(Σ)


def exactly_one(owner: str, **given: object) -> str:
    """The name of the one argument that is not None; ValueError for more or fewer."""
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        raise ValueError(
            f"{owner}: give exactly one of {', '.join(given)}; got {' and '.join(names) or 'neither'}"
        )
    return names[0]
