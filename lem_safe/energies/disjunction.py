"""One of several: U = −log Σ_i w_i e^{−(U_i + log Z_i)}, the mixture of the distributions themselves (C.1,
C.3).

With p = softmax(log w − U − log Z):  ∇U = Σp_i∇U_i,  ΔU = Σp_i(ΔU_i − ‖∇U_i‖²) + ‖Σp_i∇U_i‖² (C.2), along any
                                      directions.
Only aligned energies may be joined: an energy known up to a constant needs its log Z, or one term dominates
the others. Where no log Z is given, and a term's is not known in closed form, the disjunction has no values
until `align` sets it.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from annotated_types import MinLen
from jaxtyping import Float
from typing_extensions import Doc

from barriers.arrays import Tensor, torch
from barriers.coordinates import Coordinates
from barriers.members import Members
from lem_safe.energies.base import Energy, points_of_all, squared_norm
from lem_safe.energies.composed import common_dimension
from lem_safe.energies.curvature import greatest
from lem_safe.energies.gaussian_sum import GaussianSum, whole
from lem_safe.energies.growth import Growth
from lem_safe.energies.log_sobolev import Constant, greater
from lem_safe.energies.normaliser import known_log_z
from lem_safe.energies.numbers import vector
from lem_safe.energies.places import Places
from lem_safe.energies.pulled import in_coordinates


class Disjunction(Energy):
    """A mixture of distributions: each sample follows one of the energies, chosen with its weight."""

    example: ClassVar[dict[str, object]] = {
        "kind": "disjunction",
        "energies": [
            {"kind": "gaussian", "mean": [1.0, 0.0], "std": 0.8},
            {"kind": "banana", "scale": 0.8, "std": 0.6, "curvature": 0.5},
        ],
        "weights": [1.0, 2.0],
    }
    offsets: Tensor
    shares: Tensor

    def __init__(
        self,
        energies: Annotated[list[Energy], MinLen(1), Doc("The energies; each sample follows one of them.")],
        weights: Annotated[
            list[float] | None,
            Doc("Positive weights, one per energy, which are normalised to sum 1; equal by default."),
        ] = None,
        log_normalizers: Annotated[
            list[float] | None,
            Doc(
                "log Z of each energy; by default the exact value where it is known, "
                "otherwise an estimate made before the run."
            ),
        ] = None,
    ):
        super().__init__()
        self.dimension = common_dimension("Disjunction", energies)
        k = len(energies)
        w = vector("Disjunction", "weights", weights or [1.0] * k)
        if not (w > 0).all():
            raise ValueError(f"Disjunction: weights must be > 0; got {weights!r}")
        if len(w) != k or (log_normalizers is not None and len(log_normalizers) != k):
            got = "none" if log_normalizers is None else len(log_normalizers)
            raise ValueError(
                f"Disjunction: needs {k} weights and {k} log_normalizers, one an energy; got {len(w)} and "
                f"{got}"
            )
        self.energies = Members(energies)
        self.register_buffer("shares", (w / w.sum()).log())
        self.register_buffer("offsets", torch.full((k,), torch.nan, dtype=torch.float64))
        self.aligned = False
        known = [known_log_z(term) for term in energies] if log_normalizers is None else list(log_normalizers)
        if all(log_z is not None for log_z in known):
            self.align([float(log_z) for log_z in known if log_z is not None])

    def align(self, log_normalizers: Sequence[float]) -> None:
        """Sets log Z of every term (C.3); afterwards the disjunction has values."""
        log_z = vector("Disjunction", "log_normalizers", log_normalizers)
        self.offsets.copy_(log_z.to(self.offsets) - self.shares)
        self.aligned = True

    def joining(self, terms: Sequence[Energy]) -> "Disjunction":
        """The same disjunction of other forms of the same energies, for example over other coordinates;
        offsets are kept.
        """
        other = Disjunction(list(terms), self.shares.exp().tolist(), (self.offsets + self.shares).tolist())
        return other.to(self.offsets)

    def members(self) -> list[Energy]:
        return list(self.energies)

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        return -torch.logsumexp(-self._aligned(torch.stack([term(x) for term in self.members()])), 0)

    def value_and_gradient(self, x: Float[Tensor, "n d"]) -> tuple[Float[Tensor, "n"], Float[Tensor, "n d"]]:
        value, p, gradients = self._posterior(x)
        return value, (p[..., None] * gradients).sum(0)

    def laplacian(
        self, x: Float[Tensor, "n d"], directions: Float[Tensor, "d r"] | None = None
    ) -> Float[Tensor, "n"]:
        _, p, g = self._posterior(x)
        bends = torch.stack([term.laplacian(x, directions) for term in self.members()]) - squared_norm(
            g, directions
        )
        return (p * bends).sum(0) + squared_norm((p[..., None] * g).sum(0), directions)

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """U [n], p [k, n] and ∇U_i [k, n, d]."""
        values, gradients = zip(*(term.value_and_gradient(x) for term in self.members()), strict=True)
        aligned = self._aligned(torch.stack(values))
        return -torch.logsumexp(-aligned, 0), torch.softmax(-aligned, 0), torch.stack(gradients)

    def _aligned(self, values: Tensor) -> Tensor:
        if not self.aligned:
            unknown = ", ".join(type(term).__name__ for term in self.members() if known_log_z(term) is None)
            raise ValueError(
                f"Disjunction: log Z of {unknown} is not known, and one term would swallow the others; "
                "give log_normalizers, or align(disjunction, key) of lem_safe.normalization.log_z"
            )
        return values + self.offsets.to(values.dtype)[:, None]

    def alternatives(self) -> list[tuple[float, Energy]]:
        return [found for term in self.members() for found in term.alternatives()]

    def places(self) -> list[Places]:
        return [found for term in self.members() for found in term.places()]

    def growth(self, x: Float[Tensor, "n d"]) -> Growth:
        """Far out a disjunction is its lowest term; offsets are negligible there, so it need
        not be aligned.
        """
        each = [term.growth(x) for term in self.members()]
        lowest = torch.stack([part.net for part in each]).argmin(0, keepdim=True)
        return Growth(*(torch.stack(part).gather(0, lowest)[0] for part in zip(*each, strict=True)))

    def typical_points(self) -> Float[Tensor, "k d"]:
        return points_of_all(self.members())

    def surely_integrable(self, t: float = 1.0) -> bool:
        return all(term.surely_integrable(t) for term in self.members())

    def exact_draws(self, generator: torch.Generator, n: int, t: float = 1.0) -> Float[Tensor, "n d"] | None:
        """Draws of each term in proportion to its mass, where all masses are known."""
        members, known = self.members(), self._known()
        if len(members) == 1:
            return members[0].exact_draws(generator, n, t)
        if known is None or whole(t) != 1:
            return super().exact_draws(generator, n, t)
        shares = (known - self.offsets.double().cpu()).softmax(0)
        chosen = torch.multinomial(shares, n, replacement=True, generator=generator)
        each = [term.exact_draws(generator, n) for term in members]
        drawn = [x for x in each if x is not None]
        return torch.stack(drawn)[chosen, torch.arange(n)] if len(drawn) == len(each) else None

    def gaussian_sum(self, t: float = 1.0) -> GaussianSum | None:
        members = self.members()
        if not self.aligned:
            return None
        offsets = self.offsets.double().cpu()
        if len(members) == 1:
            alone = members[0].gaussian_sum(t)
            return alone and alone.raised(t * float(offsets[0]))
        found = [term.gaussian_sum() for term in members]
        terms = [term for term in found if term is not None]
        if len(terms) < len(found):
            return None
        c = [term.c + offset for term, offset in zip(terms, offsets, strict=True)]
        A, b = (torch.cat(part) for part in zip(*((term.A, term.b) for term in terms), strict=True))
        return GaussianSum(A, b, torch.cat(c)).power(t)

    def log_integral(self, t: float = 1.0) -> float | None:
        """The integral from its terms' offsets; a term whose log Z was measured or given counts as normalised
        by that.
        """
        members = self.members()
        if not self.aligned:
            return None
        if len(members) == 1 and (alone := members[0].log_integral(t)) is not None:
            return alone - t * float(self.offsets[0])
        if whole(t) != 1:
            return super().log_integral(t)
        known = self._known()
        return 0.0 if known is None else float((known - self.offsets.double().cpu()).logsumexp(0))

    def curvature_floor(self) -> float | None:
        alone = self.members()[0].curvature_floor() if len(self.members()) == 1 else None
        return greatest(alone, super().curvature_floor())

    def log_sobolev(self, t: float = 1.0) -> Constant | None:
        alone = self.members()[0].log_sobolev(t) if len(self.members()) == 1 else None
        return greater(alone, super().log_sobolev(t))

    def unwrapped(self, coordinates: Coordinates) -> Energy | None:
        return self.joining([in_coordinates(term, coordinates) for term in self.members()])

    def _known(self) -> Tensor | None:
        """log Z of every term, float64; None where one is unknown, or nothing is aligned."""
        found = [term.log_integral() for term in self.members()]
        if not self.aligned or None in found:
            return None
        return torch.tensor(found, dtype=torch.float64)
