"""The parameters that samplers share: each is annotated once, for the schema and for the builder."""

from typing import Annotated

from annotated_types import Gt
from typing_extensions import Doc

from barriers.filters.base import DriftFilter, StepFilter
from barriers.filters.whole import Whole
from barriers.specification import Context
from lem_safe.energies.base import Energy
from lem_safe.samplers.adaptation import Adaptation

EnergyOf = Annotated[Energy, Context("energy")]
"""The energy to sample."""

StepSize = Annotated[float, Gt(0), Doc("Step size h, in sampler coordinates.")]

Adapt = Annotated[
    Adaptation | None,
    Doc(
        "A warm-up that chooses the step size and is then discarded; without it the step size is "
        "used as given."
    ),
]

DriftHook = Annotated[DriftFilter | None, Context("drift_filter")]
StepHook = Annotated[StepFilter | None, Context("step_filter")]
"""The filters before the noise and after everything else; see `hooks`."""

WholeCloud = Annotated[Whole, Context("whole")]
"""The whole cloud, of which a sampler may be given a part."""
