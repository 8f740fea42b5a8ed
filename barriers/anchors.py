"""Anchors: points z₀ of the sampler that stand for rows x₀ of a file, so that a particle that has not moved
has the row's own values (A.11).

A row goes through whitened coordinates as z₀ = round(L⁻¹(x₀ − m)), and m + Lz₀ is x₀ only up to rounding: an
exact 0 comes back as −1e-8. With anchors the map is x₀ at every z₀, bit for bit, and the affine map
elsewhere. It is still one function of z, so what is counted, gated and saved is the same (A.1). Two rows that
rounding maps to one z₀ are distinguished by moving one of them by a unit in the last place.

A start that is random in some columns and constant in others has no rows; its *pins* are the constants, used
wherever the map is within its own rounding of them.

Letters: N rows of the file, c columns, d coordinates of a sampler.
"""

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor, torch

INTEGERS = {torch.float32: torch.int32, torch.float64: torch.int64}
"""The integer type as which the bits of a number are read."""
ROUNDS = 64
"""The largest number of rounds of distinguishing rows; after each only those that met a third row remain."""

GOLDEN = -7046029254386353131
"""2⁶⁴/φ, odd: multiplication by it makes the high bits depend on every bit of a number."""
SPARSE = 32
"""Slots per row: enough that few moved particles share a row's slot by chance."""
ROUNDING = 1e-10
"""The rounding of the map to whitened coordinates and back in float64, for the most skewed coordinates
allowed.
"""


@dataclass(frozen=True)
class Anchors:
    """N rows, found by their points.

    points: z₀ of every row of the file, in file order, in the dtype of the run. values: x₀ as saved,
    likewise.
    seen: for each slot, whether some point's first coordinate has it. hashes: of the points, sorted; order:
    the row of each hash.
    """

    points: Float[Tensor, "N d"]
    values: Float[Tensor, "N c"]
    seen: Bool[Tensor, "s"]
    hashes: Int[Tensor, "N"]
    order: Int[Tensor, "N"]

    @classmethod
    def of(cls, points: Float[Tensor, "N d"], values: Float[Tensor, "N c"]) -> "Anchors":
        """The anchors of rows `values` whose points are `points` up to rounding."""
        z = told_apart(points, values)
        hashes, order = hashed(z).sort(stable=True)
        seen = torch.zeros(1 << (SPARSE * len(z)).bit_length(), dtype=torch.bool, device=z.device)
        seen[_slot(z[:, 0], len(seen))] = True
        return cls(z, values, seen, hashes, order)

    def to(self, device: torch.device) -> "Anchors":
        """The same on another device."""
        return Anchors(
            *(t.to(device) for t in (self.points, self.values, self.seen, self.hashes, self.order))
        )

    def instead(self, z: Float[Tensor, "*n d"], x: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
        """x with the row's own values wherever z is a row's point; otherwise x itself, at little cost."""
        flat = z.reshape(-1, z.shape[-1])
        met = self.seen[_slot(flat[:, 0].to(self.points.dtype), len(self.seen))].nonzero()[:, 0]
        if len(met) == 0:
            return x
        some = flat[met]
        at = self.order[
            torch.searchsorted(self.hashes, hashed(some.to(self.points.dtype))).clamp(max=len(self.order) - 1)
        ]
        same = (self.points[at].to(z.dtype) == some).all(1)
        found = x.reshape(-1, x.shape[-1]).clone()
        found[met[same]] = self.values[at[same]].to(x.dtype)
        return found.reshape(x.shape)


@dataclass(frozen=True)
class Pins:
    """Constants of columns without spread at the start, used wherever the map is within its own rounding of
    them.

    index: the columns. rounding: relative to the terms Σ|L_jk z_k| whose sum a value is.
    """

    index: Int[Tensor, "k"]
    values: Float[Tensor, "k"]
    rounding: float

    def instead(self, x: Float[Tensor, "*n d"], terms: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """x with the columns' constants where it is within rounding of them."""
        near = self.rounding * terms[..., self.index] + 8 * torch.finfo(x.dtype).eps * self.values.abs()
        found, at = x.clone(), x[..., self.index]
        found[..., self.index] = torch.where((at - self.values).abs() <= near, self.values, at)
        return found


def told_apart(points: Float[Tensor, "N d"], values: Float[Tensor, "N c"]) -> Float[Tensor, "N d"]:
    """The points with the first coordinate moved by units in the last place where two rows of different
    values would share one.

    Rows with the same values keep sharing theirs.
    """
    z = points.clone()
    for _ in range(ROUNDS):
        group, first = _groups(hashed(z))
        lead = first[group]
        other = (values != values[lead]).any(1) | (z != z[lead]).any(1)
        if not bool(other.any()):
            return z
        rows = other.nonzero()[:, 0]
        kinds, kind = torch.unique(
            torch.cat([group[rows, None].double(), values[rows].double()], 1), dim=0, return_inverse=True
        )
        owner = kinds[:, 0].long()
        place = torch.arange(len(owner), device=z.device)
        begins = torch.full((len(first),), len(owner), device=z.device).scatter_reduce(
            0, owner, place, "amin"
        )
        rank = (place - begins[owner] + 1)[kind]
        z[rows, 0] = z[rows, 0] + rank.to(z.dtype) * _last_place(z[rows, 0])
    raise ValueError(
        "Anchors: rows cannot be told apart in this precision; use dtype: float64, or larger units"
    )


def hashed(z: Float[Tensor, "n d"]) -> Int[Tensor, "n"]:
    """64-bit hashes of rows, equal where rows are equal, with 0 and −0 equal."""
    bits = (z + 0.0).contiguous().view(INTEGERS[z.dtype]).long()
    mixed = bits * GOLDEN
    mixed = (mixed ^ (mixed >> 31)) * _odd_multipliers(z.shape[1]).to(z.device)
    return (mixed ^ (mixed >> 29)).sum(1)


def _slot(first: Float[Tensor, "n"], slots: int) -> Int[Tensor, "n"]:
    """A number below `slots`, a power of two, for every first coordinate."""
    bits = (first + 0.0).view(INTEGERS[first.dtype]).long() * GOLDEN
    return (bits >> 32) & (slots - 1)


def _odd_multipliers(d: int) -> Int[Tensor, "d"]:
    """One fixed multiplier per column."""
    return torch.randint(-(2**62), 2**62, (d,), generator=torch.Generator().manual_seed(20)) * 2 + 1


def _groups(hashes: Int[Tensor, "N"]) -> tuple[Int[Tensor, "N"], Int[Tensor, "g"]]:
    """The group of every row by its hash, and the first row of every group."""
    _, group = torch.unique(hashes, return_inverse=True)
    many = int(group.max()) + 1
    rows = torch.arange(len(hashes), device=hashes.device)
    return group, torch.full((many,), len(hashes), device=hashes.device).scatter_reduce(
        0, group, rows, "amin"
    )


def _last_place(z: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    """One unit in the last place of each number."""
    size = z.abs().clamp(min=torch.finfo(z.dtype).tiny / torch.finfo(z.dtype).eps)
    return torch.nextafter(size, torch.full_like(size, torch.inf)) - size
