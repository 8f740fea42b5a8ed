"""The sections of a scenario file that do not depend on the tables: constraints, audit, monitors, and the
parameters of all samplers.
"""

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from lem_safe.bounds.search import SUREST

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
"""How every part of a file is checked: no unknown keys, no converted values."""


class Constraint(BaseModel):
    """A tolerance: at most `beta` of the samples inside `set`."""

    model_config = STRICT

    set: str = Field(description="The name of a region under `unsafe`.", examples=["pillar"])
    beta: Annotated[float, Ge(0), Lt(1)] = Field(
        description="The tolerated fraction of samples inside the region.", examples=[0.03]
    )


class Audit(BaseModel):
    """How the samples are judged."""

    model_config = STRICT

    confidence: Annotated[float, Gt(0), Le(SUREST)] = Field(
        default=0.95, description="Confidence of the bound on the fraction.", examples=[0.95]
    )
    after_step: Annotated[int, Ge(0)] = Field(
        default=0,
        description="The first step whose fraction counts for `passed`; 0 is the whole run.",
        examples=[0],
    )
    require: Literal["passed", "bound", "anytime"] = Field(
        default="passed",
        description="What a pass requires: the count and the trace (passed), the bound as well (bound), "
        "or an anytime-valid bound (anytime).",
        examples=["passed"],
    )
    correction: Literal["bonferroni", "holm"] = Field(
        default="bonferroni",
        description="How several constraints share the error probability: bounds that hold "
        "simultaneously (bonferroni), or Holm's procedure (holm), which decides more "
        "constraints.",
        examples=["bonferroni"],
    )
    replicas: Annotated[int, Ge(1)] = Field(
        default=1,
        description="The number of independent clouds to run, each of sampler.samples particles. If a "
        "filter or sampler couples particles, the bound counts clouds.",
        examples=[40],
    )
    between: Literal["segments", "points"] | None = Field(
        default=None,
        description="For samples that are paths (`path`): segments, the default, also judges the "
        "straight lines between recorded points; points judges the recorded points only.",
        examples=["segments"],
    )
    tuned_with: list[Annotated[int, Ge(0)]] = Field(
        default=[],
        description="Seeds of the runs that were used to choose this scenario's numbers; samples drawn "
        "with one of them certify nothing.",
        examples=[[0]],
    )


class Monitors(BaseModel):
    """What is monitored during sampling, and at what cost."""

    model_config = STRICT

    every: Annotated[int, Ge(1)] | None = Field(
        default=None,
        description="Steps between two evaluations. By default about 40 per run, at least 20 steps "
        "apart, and less often where all of them together would cost more than a tenth of "
        "the counted work of the steps. A number that is given is used, whatever it costs.",
        examples=[20],
    )
    samples: Annotated[int, Ge(0)] = Field(
        default=256,
        description="Particles used in one evaluation; fewer where `every` is not given and this number "
        "would be too expensive. An evaluation costs their gradients, their Laplacians (d/2 "
        "gradients each if exact), and the square of their number. 0: no monitors.",
        examples=[256],
    )


class Penalty(BaseModel):
    """−λU₋: an energy subtracted from the sampled one."""

    model_config = STRICT

    weight: float
    energy: dict[str, Any]


class Sampler(BaseModel):
    """The parameters of all samplers, and under `own` those of this kind."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, allow_inf_nan=False)

    kind: str
    samples: Annotated[int, Gt(0)] = Field(
        description="The number of particles, and of samples.", examples=[5000]
    )
    steps: Annotated[int, Gt(0)] = Field(description="The number of steps.", examples=[8000])
    step_size: Annotated[float, Gt(0)] = Field(
        description="The step size h, in sampler coordinates.", examples=[0.002]
    )
    init: dict[str, Any]

    @property
    def own(self) -> dict[str, Any]:
        """The keys that only this kind of sampler has."""
        return dict(self.model_extra or {})


NO_SAMPLER = Sampler.model_construct(kind="none", samples=0, steps=0, step_size=0.0, init={})
"""In the place of the sampler of a scenario that has none."""

COMMON: dict[str, FieldInfo] = {
    name: Sampler.model_fields[name] for name in ("samples", "steps", "step_size")
}
"""The parameters that a scenario gives to every sampler."""
