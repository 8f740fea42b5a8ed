"""Everything a scenario can name, in one place: one entry per kind, built from its specification."""

from lem_safe.registry.catalogue import NESTED, TABLES
from lem_safe.registry.computing import computing, equal_in
from lem_safe.registry.fitness import beyond_single, columns, concerning, must_hold
from lem_safe.registry.given_values import given_value
from lem_safe.registry.installed import offer_installed
from lem_safe.registry.loading import (
    admits,
    chosen_couples,
    couples,
    ends,
    enforced,
    json_schema,
    load,
    loads,
    naming,
    never_passes,
    samples,
    tables,
)
from lem_safe.registry.making import MAKERS, energy_field, make, regions
from lem_safe.registry.pinned import values_given
from lem_safe.registry.rows import in_data_units, own_regions, table_of

__all__ = [
    "MAKERS",
    "NESTED",
    "TABLES",
    "admits",
    "beyond_single",
    "chosen_couples",
    "columns",
    "computing",
    "concerning",
    "couples",
    "ends",
    "enforced",
    "energy_field",
    "given_value",
    "equal_in",
    "in_data_units",
    "json_schema",
    "load",
    "loads",
    "make",
    "must_hold",
    "naming",
    "never_passes",
    "own_regions",
    "regions",
    "samples",
    "table_of",
    "tables",
    "values_given",
]

offer_installed()
