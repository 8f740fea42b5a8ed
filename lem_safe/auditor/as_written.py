"""The rows of a report as a person reads them: categories, dates and missing cells in place of the numbers
that stand for them.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lem_safe.auditor.census import RegionCensus
from lem_safe.auditor.reading import Reading
from lem_safe.auditor.worst import Sample


def as_written(region: RegionCensus, reading: Reading) -> RegionCensus:
    """The census of a region with its worst rows as written, None for a missing value, and without quantiles
    of what has no order.
    """
    inside = region.inside
    if inside is not None and reading.kinds:
        pairs = zip(reading.names, inside.quantiles, strict=True)
        inside = replace(
            inside, quantiles=tuple(None if name in reading.kinds else row for name, row in pairs)
        )
    return replace(region, worst=tuple(_sample(sample, reading) for sample in region.worst), inside=inside)


def _sample(sample: Sample, reading: Reading) -> Sample:
    numbers = [math.nan if value is None else value for value in sample.values]
    values = tuple(None if math.isnan(value) else value for value in numbers)
    return replace(sample, values=values, cells=reading.shown(numbers))


def sample_of(data: Mapping[str, Any]) -> Sample:
    """A row read back from JSON."""
    cells = data.get("cells")
    lists = {"values": tuple(data["values"]), "cells": None if cells is None else tuple(cells)}
    return Sample(**{**data, **lists})
