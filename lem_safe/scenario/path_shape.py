"""The columns of a scenario whose rows are paths."""

import math
from collections.abc import Sequence

from barriers.tables import defaults
from lem_safe.data.path_names import names_of_shape


def columns_of_shape(
    shape: Sequence[int] | None, names: Sequence[str] | None, given: Sequence[str] | None
) -> tuple[Sequence[str] | None, str | None]:
    """The columns' names: those given; else those of the shape, where the energy has none of its own. And
    what is wrong where the shape has another number of columns. names: of the energy's columns.
    """
    width = len(given or names or ())
    if shape is None or not width:
        return given, None
    if math.prod(shape) != width:
        who = "columns has" if given else "the energy has"
        return given, f"{list(shape)} is {math.prod(shape)} columns, and {who} {width}"
    return names_of_shape(shape) if given is None and names is not None and defaults(names) else given, None
