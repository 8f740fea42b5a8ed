"""The parts of a run that are objects, which no file can name; and a device by its name."""

from dataclasses import dataclass

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.data import Dataset
from lem_safe.energies.base import Energy
from lem_safe.errors import BadInput, Fault
from lem_safe.runs.learned_parts import Learner
from lem_safe.scenario import Scenario


@dataclass(frozen=True)
class Given:
    """What is sampled where it was made in Python.

    energy: over data units. rows: where the particles start, particle i at row i, again from the first where
    there are more of them, in data units. Both None where the scenario says.
    """

    energy: Energy | None = None
    rows: Float[Tensor, "N d"] | None = None


def energy_of(
    scenario: Scenario, learner: Learner, given: Given | None
) -> tuple[Energy, str, Dataset | None]:
    """The energy of a run, its origin, and what it was learned from, where the scenario says so."""
    if given is not None and given.energy is not None:
        return given.energy, "python", None
    energy = learner.make(scenario.energy, "energy")
    return energy, learner.origin, learner.data()


def device_of(name: str) -> torch.device:
    """The device of this name; BadInput where there is none here."""
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise BadInput(
            Fault(f"device '{name}' is not available here (torch sees no CUDA device); use --device cpu")
        )
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise BadInput(Fault(f"device '{name}' is not known; use cpu or cuda")) from error
