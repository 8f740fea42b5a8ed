"""The whole cloud, of which a filter may be given a part: what it averages, counts and compares is of all of
it.

A cloud's particles may be spread over processes. Each of them has a filter over its own part and calls it at
the same steps as the others; the filter asks `Whole` for whatever depends on particles that are elsewhere,
and gets the same answer everywhere, so all of them take the same branches. `HERE` is the usual case: the
whole cloud is in this process, and nothing is asked of anybody.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float, Int, Shaped

from barriers.arrays import Tensor, torch
from barriers.filters import base
from barriers.qp.rows import products as rows_products

AT_ONCE = 1 << 18
"""The largest number of products of gradients that are computed particle by particle."""


class Joined(NamedTuple):
    """Rows of every part, and which of them are this part's."""

    rows: tuple[Tensor, ...]
    own: slice


class Whole(ABC):
    """The whole of a cloud. spread: whether parts of it are elsewhere; then it is one cloud, not several."""

    spread: bool

    @abstractmethod
    def size(self, x: Shaped[Tensor, "*r n d"]) -> int:
        """How many particles the whole cloud has, of which x is this part."""

    @abstractmethod
    def sums(self, *parts: Float[Tensor, "..."]) -> tuple[Tensor, ...]:
        """The sum over all parts of each of these float64 tensors, added in a fixed order."""

    @abstractmethod
    def total(self, *counts: Int[Tensor, "..."]) -> tuple[Tensor, ...]:
        """The sum over all parts of each of these counts, int64, exactly."""

    @abstractmethod
    def before(self, counts: Int[Tensor, "*k"]) -> Int[Tensor, "*k"]:
        """The sum of these counts over the parts that come before this one, exactly."""

    @abstractmethod
    def largest(self, value: Shaped[Tensor, "*k"]) -> Shaped[Tensor, "*k"]:
        """The largest of the parts' values."""

    @abstractmethod
    def joined(self, *rows: Shaped[Tensor, "n ..."]) -> Joined:
        """The rows of every part, one part after the other."""

    def means(self, *values: Shaped[Tensor, "*r n _"]) -> tuple[Tensor, ...]:
        """The means of these functions over the whole cloud, in float64, found together."""
        n = self.size(values[0])
        return tuple(part / n for part in self.sums(*(v.double().sum(-2) for v in values)))

    def mean(self, values: Shaped[Tensor, "*r n k"]) -> Float[Tensor, "*r k"]:
        """The mean of functions over the whole cloud, in float64."""
        return self.means(values)[0]

    def count(self, *chosen: Shaped[Tensor, "*r n _"]) -> tuple[Tensor, ...]:
        """How many particles of the whole cloud are chosen, in each column."""
        return self.total(*(each.sum(-2) for each in chosen))

    def any(self, flags: Shaped[Tensor, "..."]) -> bool:
        """Whether any of these is true of any part."""
        return bool(self.total(flags.any().long())[0])


class Here(Whole):
    """The whole cloud is in this process, or several clouds side by side."""

    spread = False

    def size(self, x: Shaped[Tensor, "*r n d"]) -> int:
        return x.shape[-2]

    def sums(self, *parts: Float[Tensor, "..."]) -> tuple[Tensor, ...]:
        return parts

    def total(self, *counts: Int[Tensor, "..."]) -> tuple[Tensor, ...]:
        return counts

    def before(self, counts: Int[Tensor, "*k"]) -> Int[Tensor, "*k"]:
        return torch.zeros_like(counts)

    def largest(self, value: Shaped[Tensor, "*k"]) -> Shaped[Tensor, "*k"]:
        return value

    def joined(self, *rows: Shaped[Tensor, "n ..."]) -> Joined:
        return Joined(rows, slice(None))

    def means(self, *values: Shaped[Tensor, "*r n _"]) -> tuple[Tensor, ...]:
        return tuple(base.local_mean(v) for v in values)

    def mean(self, values: Shaped[Tensor, "*r n k"]) -> Float[Tensor, "*r k"]:
        return base.local_mean(values)

    def any(self, flags: Shaped[Tensor, "..."]) -> bool:
        return bool(flags.any())


HERE = Here()


def packed(tensors: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    """Tensors of any shape as one row of numbers."""
    return torch.cat([t.reshape(-1).to(dtype) for t in tensors])


def unpacked(row: Tensor, like: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The inverse of `packed`, in the shapes of these tensors."""
    sizes = [t.numel() for t in like]
    return tuple(p.reshape(t.shape) for p, t in zip(row.split(sizes), like, strict=True))


def overlaps(
    whole: Whole, a: Float[Tensor, "*r n k d"], b: Float[Tensor, "*r n l d"]
) -> Float[Tensor, "*r k l"]:
    """E[a_k · b_l] over each cloud."""
    if _few(a, b):
        return as_matrix(whole.mean(products(a, b)), b)
    return whole.sums(_added(a, b))[0] / whole.size(a[..., 0])


def together(
    whole: Whole, f: Float[Tensor, "*r n k"], a: Float[Tensor, "*r n k d"], b: Float[Tensor, "*r n l d"]
) -> tuple[Float[Tensor, "*r k"], Float[Tensor, "*r k l"] | None]:
    """E f and, where other parts have to be asked, `overlaps` with the same question; None where these can be
    computed when they are needed.
    """
    if not whole.spread:
        return whole.mean(f), None
    n = whole.size(f)
    added = as_matrix(products(a, b).double().sum(-2), b) if _few(a, b) else _added(a, b)
    mean, found = whole.sums(f.double().sum(-2), added)
    return mean / n, found / n


def _few(a: Float[Tensor, "*r n k d"], b: Float[Tensor, "*r n l d"]) -> bool:
    """Whether the products are few enough to be computed particle by particle."""
    return a.shape[:-1].numel() * b.shape[-2] <= AT_ONCE


def _added(a: Float[Tensor, "*r n k d"], b: Float[Tensor, "*r n l d"]) -> Float[Tensor, "*r k l"]:
    """The sums of `products`, as one product of matrices, not one for each particle."""
    rows = (x.reshape(-1, *x.shape[-3:]).transpose(1, 2) for x in (a, b))
    return rows_products(*rows).reshape(*a.shape[:-3], a.shape[-2], b.shape[-2])


def products(a: Float[Tensor, "*r n k d"], b: Float[Tensor, "*r n l d"]) -> Float[Tensor, "*r n kl"]:
    """a_k · b_l of every particle, in one row."""
    return (a @ b.mT).flatten(-2)


def as_matrix(means: Float[Tensor, "*r kl"], b: Float[Tensor, "*r n l d"]) -> Float[Tensor, "*r k l"]:
    """The means of `products`, as a matrix."""
    return means.unflatten(-1, (-1, b.shape[-2]))
