"""What is known of the cells that a rule is about: of which kind each column is, and at which stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from barriers.tables.cell_kinds import CellKind

Stage = Literal["measured", "open", "known"]


@dataclass(frozen=True)
class Cells:
    """kinds: of columns by name; others hold numbers.

    stage: `measured`, the columns are a sampler's, all of them numbers that are never equal and never
    missing; `open`, a file that is not there yet will say what they are, so that rules are only checked;
    `known`, they are a file's.
    derived: expressions by the names that rules use for them.
    """

    kinds: Mapping[str, CellKind] = field(default_factory=dict)
    stage: Stage = "known"
    derived: Mapping[str, str] = field(default_factory=dict)


MEASURED = Cells(stage="measured")
"""The columns of a sampler."""
