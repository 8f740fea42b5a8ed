"""A run directory as values: what the report shows, and which files were missing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from barriers.arrays import torch
from barriers.derivatives import value_and_gradient
from barriers.sets import NotSmooth, SpecificationError, UnsafeSet
from lem_safe.auditor import AuditReport
from lem_safe.errors import BadInput, Fault
from lem_safe.inputs import must_fit, read_arrays, read_mapping
from lem_safe.registry import regions

AGAIN = "run it, or audit it, again in another --out"
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Contents:
    """The files of one run, or of an audit of samples from elsewhere. Missing files give empty values: `run`
    is empty where nothing was run here.
    """

    directory: Path
    scenario: dict[str, Any]
    audit: dict[str, Any]
    run: dict[str, Any]
    x: Float[np.ndarray, "n d"]
    columns: tuple[str, ...]
    trace: Arrays
    reference: Arrays
    diagnostics: Arrays
    certificate: dict[str, Any] = field(default_factory=dict)
    """certificate.json, where the directory is that of a certification."""
    made: Mapping[str, UnsafeSet] | None = None
    """The named regions where these are objects, which the scenario's file only describes."""

    @property
    def filter(self) -> str:
        """The kind of filter, `none` for an unfiltered run."""
        return str(self.scenario.get("filter", {}).get("kind", "none"))

    @property
    def thinned(self) -> bool:
        """Whether `x` is only a part of the rows that were audited."""
        return not self.run and len(self.x) < int(self.audit["rows"])

    @property
    def clouds(self) -> int:
        """The number of independent clouds in the run's samples; 1 without replicas."""
        return int(self.trace["cloud_fraction"].shape[0]) if "cloud_fraction" in self.trace else 1

    @property
    def coded(self) -> tuple[str, ...]:
        """The columns that hold no numbers."""
        return tuple(self.audit.get("kinds") or ())

    def numbers(self, x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        """The columns that hold numbers, each missing one as the middle of its column."""
        kept = [i for i, name in enumerate(self.columns) if name not in self.coded]
        found = np.asarray(x, dtype=np.float64)[:, kept]
        if not np.isnan(found).any():
            return found
        known = ~np.isnan(found).all(0)
        middle = np.zeros(found.shape[1])
        middle[known] = np.nanmedian(found[:, known], axis=0)
        return np.where(np.isnan(found), middle, found)

    @cached_property
    def regions(self) -> dict[str, UnsafeSet]:
        """Every named region, rebuilt from the scenario."""
        if self.made is not None:
            return dict(self.made)
        try:
            kinds = self.audit.get("kinds") or {}  # the audit has judged by these, be it of a run or a file
            return regions(self.scenario["unsafe"], self.columns, self.scenario.get("derived"), kinds)
        except SpecificationError as error:
            raise BadInput(Fault(str(error), str(self.directory / "scenario.yaml"))) from error

    def inside(self, name: str, x: Float[np.ndarray, "n d"]) -> Bool[np.ndarray, "n"]:
        """Which rows are inside one region."""
        return self.regions[name].contains(torch.as_tensor(np.asarray(x, dtype=np.float64))).numpy()

    def inside_any(self, x: Float[np.ndarray, "n d"]) -> Bool[np.ndarray, "n"]:
        """Which rows are inside some constrained region."""
        return np.any([self.inside(c["set"], x) for c in self.audit["constraints"]], axis=0)

    def clearance(self, name: str, x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "k"] | None:
        """The signed distances to one region, to first order (s/‖∇s‖) where no better is known; only finite
        ones.

        None where only membership is known.
        """
        points = torch.as_tensor(np.asarray(x, dtype=np.float64))
        region = self.regions[name]
        try:
            s, gradient = value_and_gradient(region, points)
        except NotSmooth:
            return None
        if not (region.exact or region.clearance):
            s = s / gradient.square().sum(-1).sqrt()
        return s[s.isfinite()].numpy()

    def level(self, name: str, x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
        """A function with the region's sign, for contours: its level where finite, else ±1 by membership."""
        points = torch.as_tensor(np.asarray(x, dtype=np.float64))
        region = self.regions[name]
        hard = torch.where(region.contains(points), -1.0, 1.0).double()
        with torch.no_grad():
            soft = region(points)
        return torch.where(soft.isfinite() & (soft.sign() * hard >= 0), soft, hard).numpy()

    def level_any(self, x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
        """The same of all constrained regions together: the least of their levels."""
        first, *others = dict.fromkeys(c["set"] for c in self.audit["constraints"])
        least = self.level(first, x)
        for name in others:
            least = np.minimum(least, self.level(name, x))
        return least


def read(directory: Path, made: Mapping[str, UnsafeSet] | None = None) -> Contents:
    """The contents of a finished run directory; BadInput names the file that is missing or broken. made: the
    named regions where these are objects.
    """
    foreign = (directory / "shown.npz").is_file() and not (directory / "run.json").is_file()
    rows = "shown.npz" if foreign else "samples.npz"
    needed = ["scenario.yaml", rows, "audit.json"] + ["run.json"] * (not foreign)
    missing = [
        Fault("no such file; a report is made from a finished run", str(directory / name))
        for name in needed
        if not (directory / name).is_file()
    ]
    if missing:
        raise BadInput(missing)
    samples = _arrays(directory / rows)
    x = samples["x"]
    columns = samples.get("columns")
    return Contents(
        directory=directory,
        scenario=_scenario(directory / "scenario.yaml"),
        audit=_audit(directory / "audit.json"),
        run={} if foreign else read_mapping(directory / "run.json", AGAIN),
        x=x,
        columns=tuple(str(c) for c in columns)
        if columns is not None
        else tuple(f"x{i}" for i in range(x.shape[1])),
        trace=_arrays(directory / "trace.npz"),
        reference=_arrays(directory / "reference.npz"),
        diagnostics=_arrays(directory / "diagnostics.npz"),
        certificate=_certificate(directory / "certificate.json"),
        made=made,
    )


def _certificate(path: Path) -> dict[str, Any]:
    return read_mapping(path, AGAIN) if path.exists() else {}


def _arrays(path: Path) -> Arrays:
    return read_arrays(path, AGAIN) if path.exists() else {}


def _scenario(path: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    must_fit(path, AGAIN)
    try:
        found = YAML(typ="safe", pure=True).load(path)
    except (YAMLError, ValueError, RecursionError) as error:
        found = error
    if not isinstance(found, dict) or not isinstance(found.get("unsafe"), dict):
        raise BadInput(Fault(f"is damaged; {AGAIN}", str(path)))
    return found


def _audit(path: Path) -> dict[str, Any]:
    """The content of audit.json, which is an audit that can be read back."""
    found = read_mapping(path, AGAIN)
    AuditReport.from_json(json.dumps(found))
    return found
