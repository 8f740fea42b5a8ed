"""Where the particles of a run start, in words."""

from collections.abc import Callable
from typing import Any

from lem_safe.registry import table_of
from lem_safe.scenario import Scenario


def _based(scenario: Scenario) -> bool:
    """Whether particles start at draws of the mixture that the energy is based on."""
    network = (scenario.energy.get("network") or {}).get("kind")
    mixed = scenario.sampler.kind == "mixed" and network in ("mixture_base", "kernel_base")
    return mixed or table_of(scenario.energy) is not None


def start_in_words(scenario: Scenario, shown: Callable[[Any], str]) -> str:
    """A phrase, such as: at rows of the training data. shown: a value of a specification in words."""
    init = scenario.sampler.init
    match init["kind"]:
        case "standard" if _based(scenario):
            return "at draws of the mixture that the energy is based on, outside the constrained regions"
        case "standard":
            return "as a standard normal cloud in the sampler's coordinates"
        case "gaussian":
            return (
                f"as a normal cloud around {shown(init['mean'])} with standard deviation "
                f"{shown(init.get('std', 1.0))}"
            )
        case "data":
            return "at rows of the training data" + " that are in no region" * bool(init.get("outside"))
        case _:
            return f"at the rows of {init.get('path')}"
