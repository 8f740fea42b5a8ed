"""What is asked of a cloud in memory: regions by name with their tolerances, made once the number of columns
is known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, SupportsFloat

from barriers.arrays import Tensor, torch
from barriers.budget import budget
from barriers.coordinates import identity
from barriers.sets import UnsafeSet, pull
from barriers.specification import SpecificationError
from lem_safe.errors import BadInput, Fault
from lem_safe.programming.regions import check_region
from lem_safe.registry import regions as made_regions
from lem_safe.registry import tables
from lem_safe.scenario import STAND_IN, Scenario, constraints_given, in_python, of_values, regions_given


@dataclass(frozen=True)
class Asked:
    """The regions as given, and what is tolerated in the constrained ones."""

    given: Mapping[str, Any]
    names: tuple[str, ...]
    betas: tuple[float, ...]
    who: str
    columns: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls,
        given: Mapping[str, Any],
        beta: SupportsFloat | Mapping[str, SupportsFloat],
        who: str,
        columns: Sequence[str] | None = None,
    ) -> "Asked":
        """Checks the names and the tolerances; raises BadInput."""
        plain, _ = regions_given(given, who)
        constraints = constraints_given(plain, beta, who)
        blank = {"unsafe": {name: dict(STAND_IN) for name in plain}, "constraints": constraints}
        checked = of_values(blank, tables(), width=1, who=who).constraints
        names, betas = tuple(c.set for c in checked), tuple(c.beta for c in checked)
        return cls(given, names, betas, who, tuple(columns) if columns else None)

    def scenario(self, d: int) -> Scenario:
        """The scenario to audit d columns with; raises BadInput for regions that do not fit."""
        plain, objects = regions_given(self.given, self.who)
        names = list(self.columns) if self.columns else [f"x{i}" for i in range(d)]
        if len(names) != d:
            raise BadInput(
                Fault(f"names {len(names)} columns, the particles have {d}", self.who, key="columns")
            )
        constraints = [{"set": n, "beta": β} for n, β in zip(self.names, self.betas, strict=True)]
        values = {"unsafe": plain, "constraints": constraints, "columns": names}
        return in_python(of_values(values, tables(), width=d, who=self.who), objects)

    def sets(self, x: Tensor, filter: Mapping[str, Any]) -> tuple[UnsafeSet, ...]:
        """The constrained regions over the particles x [n, d], on their device, with the distances that
        filters use; examined at a few of x. Raises BadInput.
        """
        scenario = self.scenario(x.shape[1])
        assert scenario.columns is not None  # just given
        try:
            made = made_regions(scenario.unsafe, scenario.columns)
        except SpecificationError as error:
            key = ".".join(["unsafe", *map(str, error.path)])
            raise BadInput(
                Fault(str(error).replace("the energy has", "the particles have"), self.who, key=key)
            ) from error
        for name in self.names:
            check_region(name, made[name], x[:4].detach().cpu().double(), filter, self.who)
        dtype = x.dtype if x.dtype in (torch.float32, torch.float64) else torch.float32
        coordinates = identity(x.shape[1], dtype).to(x.device)
        return tuple(pull(made[name], coordinates).to(x.device) for name in self.names)

    def over(self, counts: Sequence[int], n: int) -> str | None:
        """The regions that hold more than their budget, in words; None where none does."""
        found = [
            f"{name} holds {count:,} of {n:,} particles, tolerated {budget(β, n):,}"
            for name, β, count in zip(self.names, self.betas, counts, strict=True)
            if count > budget(β, n)
        ]
        return "; ".join(found) or None
