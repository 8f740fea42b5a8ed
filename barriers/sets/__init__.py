"""Unsafe sets: geometry that counts, and geometry that can be differentiated."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Bool, Float

from barriers.arrays import Tensor
from barriers.kinds import Entry, Kinds
from barriers.sets.algebra import AllOf, AnyOf, Not, complement
from barriers.sets.anywhere import Anywhere
from barriers.sets.ball import Ball
from barriers.sets.base import NotSmooth, UnsafeSet
from barriers.sets.box import Box
from barriers.sets.capsule import Capsule
from barriers.sets.cells import MEASURED, Cells
from barriers.sets.class_region import ClassRegion
from barriers.sets.columns import Columns
from barriers.sets.constraint import Constraint
from barriers.sets.curvature import Curvature
from barriers.sets.ellipsoid import Ellipsoid
from barriers.sets.field import Field
from barriers.sets.half_space import HalfSpace
from barriers.sets.layers import load_classifier, save_classifier
from barriers.sets.learned import Classifier, MostLikely, Predicate
from barriers.sets.motion import Acceleration, Speed
from barriers.sets.near_points import NearPoints
from barriers.sets.occupancy import Occupancy
from barriers.sets.offset import Grow, Shrink
from barriers.sets.polygon import Polygon
from barriers.sets.polytope import Polytope
from barriers.sets.pull import pull
from barriers.sets.rule import Rule, columns_used
from barriers.sets.rule_error import RuleError
from barriers.sets.segments import exactly
from barriers.sets.separation import Separation
from barriers.sets.slab import Slab
from barriers.sets.smooth_union import SmoothUnion
from barriers.sets.soft import soften
from barriers.sets.sublevel import Sublevel
from barriers.sets.superellipse import Superellipse
from barriers.specification import Nested, SpecificationError, UnknownRegion, construct

SETS: Kinds[Entry] = Kinds(
    "region",
    Entry,
    {
        "ball": Ball,
        "half_space": HalfSpace,
        "slab": Slab,
        "box": Box,
        "ellipsoid": Ellipsoid,
        "capsule": Capsule,
        "superellipse": Superellipse,
        "polytope": Polytope,
        "polygon": Polygon,
        "occupancy": Occupancy,
        "near_points": NearPoints,
        "sublevel": Sublevel,
        "classifier": ClassRegion,
        "rule": Rule,
        "columns": Columns,
        "anywhere": Anywhere,
        "speed": Speed,
        "acceleration": Acceleration,
        "curvature": Curvature,
        "separation": Separation,
        "grow": Grow,
        "shrink": Shrink,
        "smooth_union": SmoothUnion,
    },
    base=UnsafeSet,
    reserved=("any", "all", "not", "name"),
)
"""Every set a scenario can name by `kind`; `any`, `all` and `not` are written as keys of their own."""


def build_set(
    spec: Any,
    *,
    named: Mapping[str, UnsafeSet],
    context: Mapping[str, Any],
    path: tuple[str | int, ...] = (),
    makers: Nested | None = None,
) -> UnsafeSet:
    """The set of one specification: the name of an earlier one, {any: ...}, {all: ...}, {not: ...} or {kind:
    ...}; a set that is made already is itself.

    makers: builders of what is not geometry, such as the energy of a `sublevel` (a `Field`); without one,
    such a set is refused.
    """

    def nested(inner: Any, where: tuple[str | int, ...]) -> UnsafeSet:
        return build_set(inner, named=named, context=context, path=where, makers=makers)

    parts: Nested = {Field: _no_energy, **(makers or {}), UnsafeSet: nested}
    if isinstance(spec, UnsafeSet):
        return spec
    if isinstance(spec, str):
        if spec not in named:
            raise UnknownRegion(spec, named, path)
        return named[spec]
    if not isinstance(spec, Mapping):
        raise SpecificationError(f"must be the name of a region or a mapping; got {spec!r}", path)
    if "not" in spec:
        return complement(nested(spec["not"], (*path, "not")))
    for key, several in (("any", AnyOf), ("all", AllOf)):
        if key in spec:
            return construct(several, spec, nested=parts, context=context, path=path)
    kind = str(spec.get("kind"))
    if kind not in SETS:
        raise SpecificationError(
            f"kind '{kind}' is not known (kinds: {', '.join(SETS.names())}; or any, all, not)", path
        )
    return construct(SETS[kind].constructor, spec, nested=parts, context=context, path=path)


def _no_energy(spec: Any, path: tuple[str | int, ...]) -> Field:
    raise SpecificationError(
        "this region needs an energy; pass `build_sets` a maker for it, {Field: ...}", path
    )


def undefined(unsafe: UnsafeSet, x: Float[Tensor, "*n d"]) -> Bool[Tensor, "*n"]:
    """The rows where a rule has no value: inside `unsafe` and inside its complement alike."""
    return unsafe.contains(x) & complement(unsafe).contains(x)


def build_sets(
    specs: Mapping[str, Any], columns: Sequence[str], makers: Nested | None = None, cells: Cells = MEASURED
) -> dict[str, UnsafeSet]:
    """Every named region over `columns`, in file order; a region may use the names of earlier ones.
    Dimensions are checked.

    makers: see `build_set`. cells: what is known of the columns' cells; by default they are numbers of a
    sampler.
    """
    built: dict[str, UnsafeSet] = {}
    context = {"columns": tuple(columns), "cells": cells}
    for name, spec in specs.items():
        region = build_set(spec, named=built, context=context, path=(name,), makers=makers)
        if region.dimension not in (None, len(columns)):
            raise SpecificationError(
                f"has {region.dimension} dimensions where the energy has {len(columns)}", (name,)
            )
        built[name] = region
    return built


__all__ = [
    "MEASURED",
    "SETS",
    "Acceleration",
    "AllOf",
    "AnyOf",
    "Anywhere",
    "Ball",
    "Box",
    "Capsule",
    "Cells",
    "ClassRegion",
    "Classifier",
    "Columns",
    "Constraint",
    "Curvature",
    "Ellipsoid",
    "Field",
    "Grow",
    "HalfSpace",
    "MostLikely",
    "NearPoints",
    "Not",
    "NotSmooth",
    "Occupancy",
    "Polygon",
    "Polytope",
    "Predicate",
    "Rule",
    "RuleError",
    "Separation",
    "Shrink",
    "Slab",
    "SmoothUnion",
    "SpecificationError",
    "Speed",
    "Sublevel",
    "Superellipse",
    "UnsafeSet",
    "build_set",
    "build_sets",
    "columns_used",
    "complement",
    "exactly",
    "load_classifier",
    "pull",
    "save_classifier",
    "soften",
    "undefined",
]
