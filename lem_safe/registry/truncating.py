"""What a scenario asks of an energy whose rows its regions truncate (E.31)."""

from collections.abc import Iterator, Mapping
from typing import Any

from lem_safe.checkpoints import Checkpoint
from lem_safe.data.typed import Codec
from lem_safe.errors import BadInput
from lem_safe.precision.needs import QUICK
from lem_safe.registry.making import make
from lem_safe.scenario.messages import did_you_mean
from lem_safe.training.trained import Trained
from lem_safe.training.truncation import Untold

PATH = ("energy", "truncated", "by")


def unlike_truncated(
    codec: Codec, energy: Mapping[str, Any], content: Mapping[str, Any]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What does not go with regions that truncate the rows of an energy: samples that may be inside of them,
    and rows that are.
    """
    try:
        made = make("energies", energy)
    except (BadInput, ValueError, KeyError):  # reported elsewhere
        return
    if isinstance(made, Checkpoint):
        yield from _of_file(made, content)
    if not isinstance(made, Trained) or made.truncated is None:
        return
    loose = [(i, why) for i, name in enumerate(made.truncated.by) if (why := _loose(name, content))]
    for i, why in loose:
        yield (*PATH, i), why
    if loose or not set(made.truncated.by) <= set(made.truncated.unsafe or {}):
        return
    try:
        made.truncated.told(codec.columns)
        rows = made.data.load(0).values
        why = made.truncated.refused(codec, rows) if rows.numel() <= QUICK else None
    except Untold as error:
        yield PATH, str(error)
        return
    except (BadInput, ValueError):  # rows and regions that cannot be made are reported where they stand
        return
    if why is not None:
        yield PATH, why


def _of_file(made: Checkpoint, content: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    try:
        by = made.truncated
    except BadInput as bad:
        yield ("energy", "path"), bad.faults[0].message
        return
    for name in by:
        if (why := _loose(name, content)) is not None:
            yield ("energy", "path"), f"was fitted to rows that '{name}' truncated: {why}"


def _loose(name: str, content: Mapping[str, Any]) -> str | None:
    """Why samples could be inside a region; None where none can."""
    unsafe, own = list(content.get("unsafe") or {}), content.get("constraints") or []
    if any(c["set"] == name and c["beta"] == 0 for c in own):
        return None  # what is wrong with such a region is said where it stands
    if name not in unsafe:
        return f"no region is named '{name}' under unsafe{did_you_mean(name, unsafe)}"
    return (
        f"'{name}' has to be constrained with beta: 0, as the energy means nothing inside of it: add "
        f"{{set: {name}, beta: 0}} to constraints, or leave it out here"
    )
