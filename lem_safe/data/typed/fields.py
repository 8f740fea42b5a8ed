"""One column as it is modelled: what its values are, and the map between them and a latent number or code.

An ordered column (numbers, integers, dates) is ranks on a normal scale: z = Φ⁻¹(F(v)), with ranks drawn at
random among equal values, and back v = F⁻¹(Φ(z)), where repeated values have the ranks that they had, others
are interpolated, and the result is rounded to what the column holds (E.23). Values that a share of at least
ATOM of the rows, and ATOM_ROWS of them, have, categories and missing cells are codes of their own.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal

from jaxtyping import Float, Float64

from barriers.arrays import Tensor, torch

EPOCH = datetime(1970, 1, 1)
ATOM = 0.05
"""The share of the rows from which on one value of an ordered column is a code."""
ATOM_ROWS = 100
"""And the rows: codes follow the other columns through the mixture's components alone, and fewer rows have
too few of these.
"""
EXACT = 9
"""Decimals to which differences of columns with fewer are rounded, which makes equal ones equal."""
FARTHEST = 6.0
"""The largest latent number that a value is mapped to."""

FieldKind = Literal["number", "integer", "category", "date"]


@dataclass(frozen=True)
class Knots:
    """The quantile function of the values that are no codes: v at the ranks p, in between linear.

    below, above: how fast values go on beyond the first and the last one, per unit of z; 0 where they end.
    """

    p: tuple[float, ...]
    v: tuple[float, ...]
    below: float = 0.0
    above: float = 0.0


@dataclass(frozen=True)
class Field:
    """One column. Values are numbers; those of a category are the places of its labels, of a date its
    microseconds since 1970; NaN is a missing one.

    atoms: the values that are codes. knots: the others; None where there are none. low, high: the range.
    step: the grid of the values; digits: the same where it is a power of ten; neither where any number may
    be. places: decimals that are written. style: how dates are written. gaps: whether cells may be missing,
    and `mark` how such a cell is written. formula: of a column that is computed from others and has neither
    latent number nor code. base: of a column whose atoms and knots are differences from this expression, or
    with `ratio` shares of it. names: the expressions by name that either uses.
    """

    name: str
    kind: FieldKind
    labels: tuple[str, ...] = ()
    atoms: tuple[float, ...] = ()
    knots: Knots | None = None
    low: float = -torch.inf
    high: float = torch.inf
    step: float | None = None
    digits: int | None = None
    places: int | None = None
    least: int = 0
    style: str = ""
    gaps: bool = False
    mark: str = ""
    linear: bool = False
    formula: str = ""
    base: str = ""
    ratio: bool = False
    names: tuple[tuple[str, str], ...] = ()

    @cached_property
    def _curve(self) -> tuple[Tensor, Tensor]:
        assert self.knots is not None
        p, v = (torch.tensor(x, dtype=torch.float64) for x in (self.knots.p, self.knots.v))
        return p, v

    @property
    def moves(self) -> bool:
        """Whether there is a latent number: values that are no codes."""
        return self.knots is not None

    @property
    def codes(self) -> int:
        """How many codes there are: one for each atom, one for all other values, one for a missing cell."""
        return len(self.atoms) + self.moves + self.gaps

    @property
    def coded(self) -> bool:
        """Whether there is a code to choose."""
        return self.codes > 1

    def values(self, z: Float[Tensor, "n"] | None, code: Float[Tensor, "n"] | None) -> Float64[Tensor, "n"]:
        """The values at latent points, before rounding; differentiable in z."""
        like = z if z is not None else code
        assert like is not None
        found = like.new_zeros(len(like), dtype=torch.float64) if z is None else self._moved(z.double())
        if not self.coded:
            return found if self.moves else found + self.atoms[0]
        assert code is not None
        k = code.detach().round().long()
        table = torch.tensor(
            [*self.atoms, *[torch.nan] * (self.codes - len(self.atoms))], dtype=torch.float64
        )
        atom = table.to(found.device)[k.clamp(0, self.codes - 1)]
        return torch.where(k == len(self.atoms), found, atom) if self.moves else atom

    def rounded(self, v: Float64[Tensor, "n"]) -> Float64[Tensor, "n"]:
        """Values as they can be written: on the grid and within the range; of a computed one that lies
        outside it, NaN.
        """
        if self.digits is not None:
            v = (v * 10.0**self.digits).round() / 10.0**self.digits
        elif self.step is not None:
            v = (v / self.step).round() * self.step
        if self.formula:
            v = torch.where(v.isfinite() & (v >= self.low) & (v <= self.high), v, torch.nan)
        return v.clamp(self.low, self.high) + 0.0  # no −0

    def _moved(self, z: Tensor) -> Tensor:
        assert self.knots is not None
        p, v = (x.to(z.device) for x in self._curve)
        if self.linear:
            return v[0] + (v[1] - v[0]) * z
        if len(v) == 1:
            return v[0] + 0 * z
        rank = torch.special.ndtr(z)
        i = torch.searchsorted(p, rank.detach(), right=True).clamp(1, len(p) - 1)
        width = p[i] - p[i - 1]
        t = ((rank - p[i - 1]) / torch.where(width > 0, width, 1.0)).clamp(0, 1)
        within = v[i - 1] + t * (v[i] - v[i - 1])
        ends = torch.special.ndtri(p[[0, -1]].clamp(1e-300, 1 - 2**-53))
        beyond = self.knots.below * (z - ends[0]).clamp(max=0) + self.knots.above * (z - ends[1]).clamp(min=0)
        return within + beyond

    def latent(
        self, v: Float64[Tensor, "n"], uniforms: Float64[Tensor, "n"]
    ) -> tuple[Float64[Tensor, "n"], Float64[Tensor, "n"]]:
        """A latent number and a code of each value; where the number does not matter, a normal one, made of
        the uniforms in [0, 1), as is the rank among equal values.
        """
        noise = torch.special.ndtri(uniforms.clamp(1e-9, 1 - 1e-9))
        code = torch.full_like(v, len(self.atoms))
        for k, atom in enumerate(self.atoms):
            code = torch.where(v == atom, float(k), code)
        code = torch.where(v.isnan(), float(self.codes - 1), code)
        if self.knots is None:
            return noise, code
        z = torch.where(code == len(self.atoms), self._ranked(v.nan_to_num(0.0), uniforms), noise)
        return z, code

    def _ranked(self, v: Tensor, uniforms: Tensor) -> Tensor:
        p, values = self._curve
        if self.linear:
            return (v - values[0]) / (values[1] - values[0])
        first, last = (torch.searchsorted(values, v.contiguous(), right=right) for right in (False, True))
        low, high = p[first.clamp(max=len(p) - 1)], p[(last - 1).clamp(min=0)]
        held = low + uniforms * (high - low)  # within the ranks of a repeated value
        i = first.clamp(1, max(len(p) - 1, 1)).clamp(max=len(p) - 1)
        before = (i - 1).clamp(min=0)
        gap = values[i] - values[before]
        t = ((v - values[before]) / torch.where(gap > 0, gap, 1.0)).clamp(0, 1)
        rank = torch.where(last > first, held, p[before] + t * (p[i] - p[before]))
        return torch.special.ndtri(rank.clamp(1e-9, 1 - 1e-9)).clamp(-FARTHEST, FARTHEST)

    def from_base(self, u: Float64[Tensor, "n"], base: Float64[Tensor, "n"]) -> Float64[Tensor, "n"]:
        """The values of differences from a base, or of shares of it."""
        return u * base if self.ratio else base + u

    def to_base(self, v: Float64[Tensor, "n"], base: Float64[Tensor, "n"]) -> Float64[Tensor, "n"]:
        """Values as differences from a base, or shares of it."""
        if self.ratio:
            return v / base
        return v - base if self.digits is None else (v - base).round(decimals=max(self.digits, EXACT))

    def text(self, value: float) -> str:
        """A value as a cell of a file."""
        if value != value:
            return self.mark
        if self.kind == "category":
            return self.labels[int(value)]
        if self.kind == "date":
            return self._date(value)
        if self.places is None:
            return repr(float(value))
        text = f"{value:.{self.places}f}"
        bare = text.rstrip("0") if self.places > self.least else text
        kept = len(text) - self.places + self.least
        return (bare if len(bare) >= kept else text[:kept]).removesuffix(".")

    def _date(self, ticks: float) -> str:
        """A date as its column writes it: `date`, or with a time after T or a space, to seconds or to
        microseconds.
        """
        at = EPOCH + timedelta(microseconds=int(ticks))
        if self.style == "date":
            return at.date().isoformat()
        return at.isoformat(self.style or "T", "microseconds" if self.step == 1.0 else "seconds")

    def to_dict(self) -> dict[str, Any]:
        """The field as JSON, with infinite bounds as None."""
        given = asdict(self)
        bounds = {key: None if abs(given[key]) == torch.inf else given[key] for key in ("low", "high")}
        return given | bounds

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> "Field":
        """The field that `to_dict` described; KeyError, TypeError or ValueError for anything else."""
        knots = given["knots"]
        low, high = (
            s if given[k] is None else float(given[k]) for k, s in (("low", -torch.inf), ("high", torch.inf))
        )
        lists = {"labels": tuple(map(str, given["labels"])), "atoms": tuple(map(float, given["atoms"]))}
        made = (
            None
            if knots is None
            else Knots(tuple(knots["p"]), tuple(knots["v"]), knots["below"], knots["above"])
        )
        names = tuple((str(name), str(text)) for name, text in given.get("names", ()))
        return cls(**{**given, **lists, "knots": made, "low": low, "high": high, "names": names})
