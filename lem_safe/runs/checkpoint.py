"""A chain as arrays by name, and back: the sampler's state, the rows of its trace, its step size."""

from typing import Any

import numpy as np

from barriers.arrays import Tensor, torch
from lem_safe.samplers import State

Arrays = dict[str, np.ndarray]


def snapshot(state: State, step: int, trace: Arrays, step_size: float | None = None) -> Arrays:
    """The arrays of a checkpoint of a chain after `step` steps. TypeError for a state that
    cannot be saved.
    """
    flat = {"step": np.array(step), **{f"trace.{name}": rows[:step] for name, rows in trace.items()}}
    if step_size is not None:
        flat["step_size"] = np.array(step_size)
    return {**flat, **{f"state.{name}": value.numpy(force=True) for name, value in leaves("", state)}}


def leaves(prefix: str, value: Any) -> list[tuple[str, Tensor]]:
    """Every tensor of nested NamedTuples and dicts, by its dotted name; TypeError for anything else."""
    match value:
        case None:
            return []
        case Tensor():
            return [(prefix, value)]
        case dict():
            parts = value
        case tuple() if named := getattr(value, "_asdict", None):
            parts = named()
        case _:
            raise TypeError(
                f"the sampler's state holds a {type(value).__name__} at {prefix or 'its top'}, which no "
                "checkpoint can hold; keep tensors, dicts and NamedTuples of them, or None"
            )
    return [leaf for name, part in parts.items() for leaf in leaves(f"{prefix}.{name}".lstrip("."), part)]


def restored(template: Any, saved: Arrays, device: torch.device, prefix: str = "state") -> Any:
    """The state of a checkpoint, in the structure of a fresh one; a tensor that the fresh state lacks is
    found by name.
    """
    if isinstance(template, Tensor) or template is None:
        array = saved.get(prefix)
        return None if array is None else torch.from_numpy(array).to(device)
    if isinstance(template, dict):
        return {name: restored(part, saved, device, f"{prefix}.{name}") for name, part in template.items()}
    return type(template)(
        **{
            name: restored(part, saved, device, f"{prefix}.{name}")
            for name, part in template._asdict().items()
        }
    )
