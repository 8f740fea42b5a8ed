"""Checks beyond the grammar: dimensions that agree, names and files that exist, clouds that fit in memory.

They apply to the well-formed parts of a scenario: one `validate` reports a typo in the sampler and a wrong
centre together.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from barriers.regular_files import MISSING, refusal
from barriers.tables import defaults
from lem_safe.data.parts import in_parts, parts_of
from lem_safe.errors import BadInput, Fault
from lem_safe.scenario.aim import KEY, Judged, aims, never_certified, without_aim
from lem_safe.scenario.key_path import KeyPath
from lem_safe.scenario.memory import too_large
from lem_safe.scenario.messages import did_you_mean
from lem_safe.scenario.parts import Parts, files_in, may_be_parts, there, trained_on_data
from lem_safe.scenario.path_shape import columns_of_shape
from lem_safe.scenario.placing import of_constructor
from lem_safe.scenario.region_columns import NO_SAMPLES, Header, derived_faults, out_of_place, over_columns
from lem_safe.scenario.regions import names_declared
from lem_safe.scenario.source import Source
from lem_safe.scenario.tables import Tables


class Meaning:
    """One pass over the parts; `faults` is what it found, `columns` the coordinates' names where they could
    be told, `built` the regions over them; `samples`: those to come.
    """

    def __init__(self, parts: Parts, source: Source, tables: Tables, samples: Header = NO_SAMPLES):
        self.parts, self.source, self.tables = parts, source, tables
        self.faults: list[Fault] = []
        self.energy_columns: tuple[str, ...] | None = None
        self._files()
        own = self._columns()
        made, self.columns = over_columns(parts, own, self.energy_columns, samples, source, tables)
        derived = derived_faults(parts, self.columns or samples.counted(), source)
        self.built, self.faults = made.built, [*self.faults, *made.faults, *derived]
        self._penalties()
        self._table()
        self._constraints()
        self._filter()
        self._sampler()
        self._init()
        self._memory()
        self._audit()
        self._stop()

    def _fault(
        self, path: Sequence[str | int], message: str, *, at_key: bool = False, offset: int | None = None
    ) -> None:
        self.faults.append(self.source.fault(path, message, at_key=at_key, offset=offset))

    def _error(self, error: ValueError, path: KeyPath) -> None:
        self.faults.append(of_constructor(error, path, self.source))

    def _files(self) -> None:
        for path, part in self.parts.values.items():
            for where, file in files_in(part, path):
                if may_be_parts(part, path, where) and in_parts(file):
                    self._parts(where, file)
                elif (why := refusal(file)) is not None:
                    told = (
                        f"no such file: {file}; a relative path starts at the scenario's own folder"
                        if why == MISSING
                        else f"must be a regular file; {file} {why}"
                    )
                    self._fault(where, told)

    def _parts(self, where: KeyPath, path: Path) -> None:
        try:
            parts_of(path)
        except BadInput as bad:
            for fault in bad.faults:
                self._fault(where, f"{fault.file}: {fault.message}")

    def _columns(self) -> tuple[str, ...] | None:
        given, energy = self.parts.get("columns"), self.parts.get("energy")
        if given is not None and len(set(given)) < len(given):
            twice = next(i for i, name in enumerate(given) if name in given[:i])
            self._fault(("columns", twice), f"names must differ; '{given[twice]}' is given twice")
        names = self._energy_columns(energy, ("energy",)) if energy is not None else None
        self.energy_columns = names
        given, unlike = columns_of_shape(self.parts.get("shape"), names, given)
        if unlike is not None:
            self._fault(("shape",), unlike)
        if given is not None and names is not None and len(given) != len(names):
            self._fault(
                ("columns",),
                f"must have {len(names)} names, one for each of the energy's columns; got {len(given)}",
            )
            return names
        if given is not None and names is not None and not defaults(names):
            self._in_place(("columns",), names, given, "names the energy's columns")
        return tuple(given) if given is not None else names

    def _in_place(self, path: KeyPath, names: Sequence[str], given: Sequence[str], what: str) -> None:
        """Refuses two lists of names for the same columns where one column seems to be in two places."""
        if (why := out_of_place(names, given)) is not None:
            self._fault(path, f"{what} {why}")

    def _energy_columns(self, energy: Mapping[str, Any], path: KeyPath) -> tuple[str, ...] | None:
        if not there(energy, path):
            return None
        try:
            return self.tables.columns(energy)
        except BadInput as bad:
            self.faults += [
                f if f.file else self.source.fault((*path, *((f.key,) if f.key else ())), f.message)
                for f in bad.faults
            ]
        except ValueError as error:
            self._error(error, path)
        return None

    def _penalties(self) -> None:
        for i, penalty in self.parts.under("penalties"):
            names = self._energy_columns(penalty["energy"], ("penalties", i, "energy"))
            if names is not None and self.columns is not None and len(names) != len(self.columns):
                message = f"has {len(names)} dimensions where the energy has {len(self.columns)}"
                self._fault(("penalties", i, "energy"), message, at_key=True)
            elif (
                names is not None
                and self.columns is not None
                and not defaults(names)
                and not defaults(self.columns)
            ):
                self._in_place(
                    ("penalties", i, "energy"),
                    names,
                    self.columns,
                    "has columns of its own that are the scenario's",
                )

    def _table(self) -> None:
        """What does not go with the table that the energy is learned from."""
        if self.parts.runs and self.columns is not None:
            for path, message in self.tables.unfit(self.parts.by_name(), self.columns):
                self._fault(path, message)

    def _constraints(self) -> None:
        declared = names_declared(self.source)
        written = self.source.value.get("constraints")
        seen: dict[str, int] = {}
        for i, constraint in enumerate(written if isinstance(written, list) else []):
            name = (
                constraint.get("set") if isinstance(constraint, dict) else None
            )  # a name can be checked even if beta is wrong
            if not isinstance(name, str):
                continue
            if declared is not None and name not in declared:
                self._fault(
                    ("constraints", i, "set"),
                    f"no region is named '{name}' under unsafe{did_you_mean(name, declared)}",
                )
            elif name in seen:
                self._fault(
                    ("constraints", i, "set"),
                    f"'{name}' is constrained already, by constraints[{seen[name]}]; remove one",
                )
            seen.setdefault(name, i)

    def _filter(self) -> None:
        chosen, sampler = self.parts.get("filter"), self.parts.get("sampler")
        named = [(c["set"], c["beta"]) for _, c in self.parts.under("constraints") if c["set"] in self.built]
        if chosen is None or not named:
            return
        h = sampler["step_size"] if sampler is not None else 1e-2
        aimed = self._aims(chosen)
        each = self._one_by_one(chosen, len(self.source.value["constraints"]))
        for name, beta in named:
            try:
                self.tables.admits(without_aim(each), [self.built[name]], [aimed.get(name, beta)], h)
            except ValueError as error:
                inner = getattr(error, "path", None) or ("kind",)
                why = (
                    self._too_few(beta, len(named))
                    if chosen.get(KEY) == "auto" and aimed.get(name) == 0
                    else None
                )
                self._fault(
                    ("filter", *inner),
                    f"'{chosen['kind']}' cannot keep '{name}': {error}{f'; {why}' if why else ''}",
                )

    def _one_by_one(self, chosen: Mapping[str, Any], constraints: int) -> dict[str, Any]:
        """The filter as it is for one constraint alone; a fault where its multipliers are not one each."""
        each, given = dict(chosen), chosen.get("multipliers")
        if isinstance(given, list):
            if len(given) != constraints:
                self._fault(
                    ("filter", "multipliers"),
                    f"must be auto, or one number for each of {constraints} constraints; got {len(given)}",
                )
            each["multipliers"] = given[:1] or "auto"
        if "filters" in each:
            each["filters"] = [self._one_by_one(member, constraints) for member in each["filters"]]
        return each

    def _judged(self) -> Judged | None:
        """What the audit will count, where the relevant keys are well-formed."""
        sampler, audit = self.parts.get("sampler"), self.parts.get("audit")
        if sampler is None or audit is None:
            return None
        return Judged(
            sampler["samples"],
            audit["confidence"],
            audit["require"],
            audit["replicas"],
            steps=max(1, sampler["steps"] - audit["after_step"]),
        )

    def _too_few(self, beta: float, constraints: int) -> str | None:
        judged = self._judged()
        return None if judged is None else judged.too_few(beta, constraints)

    def _aims(self, chosen: Mapping[str, Any]) -> dict[str, float]:
        """The aim of the filter for each region, where all relevant keys are well-formed."""
        judged, constraints = self._judged(), [c for _, c in self.parts.under("constraints")]
        if judged is None or len(constraints) < len(self.source.value["constraints"]):
            return {}
        try:
            aimed = aims(chosen, [c["beta"] for c in constraints], judged)
        except ValueError as error:
            self._error(error, ("filter",))
            return {}
        if chosen.get(KEY) == "auto" and judged.require != "passed":
            names, betas = [c["set"] for c in constraints], [c["beta"] for c in constraints]
            coupled = self.tables.couples(chosen, self.parts.get("sampler") or {})
            why = never_certified(names, betas, judged, couples=coupled)
            if why is not None:
                self._fault(
                    ("filter", KEY),
                    f"auto leaves room for a certificate that cannot be: {why}, or leave aim out",
                )
        return {c["set"]: aim for c, aim in zip(constraints, aimed, strict=True)}

    def _sampler(self) -> None:
        sampler = self.parts.get("sampler")
        if sampler is None or self.columns is None:
            return
        try:
            self.tables.samples(sampler, self.tables.moved(self.parts.by_name(), self.columns))
        except ValueError as error:
            self._error(error, ("sampler",))

    def _init(self) -> None:
        sampler, energy = self.parts.get("sampler"), self.parts.get("energy")
        init = (sampler or {}).get("init") or {}
        path: KeyPath = ("sampler", "init")
        if self.columns is not None:
            for key in ("mean", "std"):
                value = init.get(key)
                if isinstance(value, list) and len(value) != len(self.columns):
                    self._fault(
                        (*path, key),
                        f"must have {len(self.columns)} numbers, one per column; got {len(value)}",
                    )
        if init.get("kind") == "data" and energy is not None and not trained_on_data(energy):
            message = (
                f"'data' starts at the rows an energy was trained on, and kind '{energy['kind']}' "
                "has none; use gaussian or file"
            )
            self._fault((*path, "kind"), message)

    def _memory(self) -> None:
        sampler = self.parts.get("sampler")
        if sampler is None or self.columns is None:
            return
        constraints, clouds = (
            sum(1 for _ in self.parts.under("constraints")),
            (self.parts.get("audit") or {}).get("replicas", 1),
        )
        for path, message in too_large(
            sampler, len(self.columns), constraints, self.parts.get("dtype"), clouds
        ):
            self._fault(path, message)

    def _audit(self) -> None:
        sampler, audit = self.parts.get("sampler"), self.parts.get("audit")
        if sampler is not None and audit is not None and audit["after_step"] > sampler["steps"]:
            self._fault(
                ("audit", "after_step"),
                f"must be at most sampler.steps = {sampler['steps']}, or no step counts; got "
                f"{audit['after_step']}",
            )

    def _stop(self) -> None:
        stop, sampler = self.parts.get("stop"), self.parts.get("sampler")
        if stop is None or sampler is None:
            return
        try:
            self.tables.ends(stop, sampler)
        except ValueError as error:
            self._fault(("stop", "kind"), str(error))
