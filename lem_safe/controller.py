"""The layer between energies and samplers: composes U₊ − λU₋ and hooks a filter into the loop (C.1).

A penalty lowers ρ(𝒰) and bounds nothing (C.5); only a filter with β bounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from barriers.filters.base import DriftFilter, StepFilter
from barriers.filters.chains import AnyFilter
from lem_safe.energies.base import Energy
from lem_safe.energies.composed import WeightedSum


@dataclass(frozen=True)
class Hooks:
    """The two places a filter can act: before the noise, and after it."""

    drift_filter: DriftFilter | None = None
    step_filter: StepFilter | None = None


def compose(energy: Energy, penalties: Sequence[tuple[float, Energy]]) -> Energy:
    """U_safe = U − Σ weight · U₋, with exact gradients."""
    if not penalties:
        return energy
    return WeightedSum([energy, *(u for _, u in penalties)], [1.0, *(-weight for weight, _ in penalties)])


def hook(chosen: AnyFilter | None) -> Hooks:
    """Each filter where it says it belongs."""
    if chosen is None:
        return Hooks()
    if chosen.hook == "both":
        return Hooks(chosen.drift, chosen.step)
    return Hooks(drift_filter=chosen) if chosen.hook == "drift" else Hooks(step_filter=chosen)
