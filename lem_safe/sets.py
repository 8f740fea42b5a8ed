"""The sets that a user makes in Python: those of `barriers.sets` that a constructor call describes.

>>> from lem_safe.sets import Ball, HalfSpace
>>> (Ball([2.0, 0.0], 0.8) | ~HalfSpace([1.0, 0.0], -3.0)).dimension
2
"""

from barriers.sets import (
    AllOf,
    AnyOf,
    Anywhere,
    Ball,
    Box,
    Capsule,
    Classifier,
    Columns,
    Constraint,
    Ellipsoid,
    Grow,
    HalfSpace,
    MostLikely,
    NearPoints,
    Not,
    Occupancy,
    Polygon,
    Polytope,
    Predicate,
    Rule,
    Shrink,
    Slab,
    SmoothUnion,
    Sublevel,
    Superellipse,
    UnsafeSet,
)

__all__ = [
    "AllOf",
    "AnyOf",
    "Anywhere",
    "Ball",
    "Box",
    "Capsule",
    "Classifier",
    "Columns",
    "Constraint",
    "Ellipsoid",
    "Grow",
    "HalfSpace",
    "MostLikely",
    "NearPoints",
    "Not",
    "Occupancy",
    "Polygon",
    "Polytope",
    "Predicate",
    "Rule",
    "Shrink",
    "Slab",
    "SmoothUnion",
    "Sublevel",
    "Superellipse",
    "UnsafeSet",
]
