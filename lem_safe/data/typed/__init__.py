"""Tables of columns of every kind as points that a sampler moves, and back as rows that can be written.

A latent point holds one number for each ordered column and one whole number, a code, for each column with
categories, missing cells or values that many rows have; `Codec` maps rows to such points and back (E.23).
"""

from lem_safe.data.typed.codec import Codec
from lem_safe.data.typed.column_uses import about, coordinates_of, kinds_of
from lem_safe.data.typed.coordinates import RowCoordinates
from lem_safe.data.typed.equalities import Equality
from lem_safe.data.typed.fields import Field
from lem_safe.data.typed.settings import ColumnSettings, settings_of
from lem_safe.data.typed.stretches import Stretch, stretch_of
from lem_safe.data.typed.table import TypedTable, holds_words, typed_table

__all__ = [
    "Codec",
    "ColumnSettings",
    "Equality",
    "Field",
    "RowCoordinates",
    "Stretch",
    "TypedTable",
    "about",
    "coordinates_of",
    "holds_words",
    "kinds_of",
    "settings_of",
    "stretch_of",
    "typed_table",
]
