"""A scenario as used by the rest of the program: checked, resolved, frozen; the parts that tables describe
are plain mappings.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BaseModel, Field, PrivateAttr

from lem_safe.errors import BadInput, Fault
from lem_safe.escaping import on_one_line
from lem_safe.scenario.aim import Judged, aims
from lem_safe.scenario.fingerprint import fingerprint
from lem_safe.scenario.sections import NO_SAMPLER, STRICT, Audit, Constraint, Monitors, Penalty, Sampler
from lem_safe.templates import rendered

RUN_ONLY = ("energy", "sampler")
"""What a run needs and an audit does not."""

AUDITED = ("version", "name", "columns", "derived", "unsafe", "constraints", "audit")
"""What an audit reads."""

MODELINE = "# yaml-language-server: $schema=./scenario.schema.json\n"


class Variant(NamedTuple):
    """One combination of a sweep: its values, by dotted key, and the scenario with them and
    without a sweep.
    """

    settings: dict[str, Any]
    scenario: "Scenario"


class Scenario(BaseModel):
    """One experiment: an energy, unsafe regions, tolerances, a sampler, a filter. `source` is the file it
    came from.
    """

    model_config = STRICT
    _source: Path | None = PrivateAttr(None)
    _variants: tuple[Variant, ...] = PrivateAttr(())
    _in_double: str | None = PrivateAttr(None)

    version: Literal[1] = Field(description="The version of this format.", examples=[1])
    name: Annotated[str, MinLen(1), MaxLen(100)] = Field(
        pattern=r"^\w[\w .+-]*$",
        description="The experiment's name; a run goes to runs/NAME.",
        examples=["ring_keep_out"],
    )
    seed: Annotated[int, Ge(0), Le(2**63 - 1)] = Field(
        0, description="The seed of all randomness: same seed, same samples.", examples=[0]
    )
    dtype: Literal["float32", "float64"] = Field(
        "float32",
        description="The precision of sampling and of saved samples; by default float32, or float64 if "
        "float32 cannot represent the values well enough.",
        examples=["float32"],
    )
    columns: Annotated[list[Annotated[str, MinLen(1)]], MinLen(1)] | None = Field(
        None,
        description="The names of the coordinates; by default those of the data, otherwise x0, x1, ...",
        examples=[["speed", "load"]],
    )
    shape: Annotated[list[Annotated[int, Ge(1)]], MinLen(2), MaxLen(3)] | None = Field(
        None,
        description="Rows are paths: [waypoints, coordinates], or [waypoints, agents, coordinates]. Columns "
        "are then named x1, y1, x2, y2, ... by default, and reports draw paths.",
        examples=[[32, 2]],
    )
    energy: dict[str, Any] = Field(
        {},
        description="The energy U to sample: the distribution is proportional to exp(-U), U in nats. "
        "lem-safe audit needs none.",
    )
    penalties: list[Penalty] = Field(
        [], description="Energies to keep away from: U_safe = U - sum(weight * U_minus)."
    )
    derived: dict[str, Annotated[str, MinLen(1)]] | None = Field(
        None,
        description="Expressions over columns by the names that rules use for them; they are worked out "
        "from the columns wherever a rule names them. A column of the table that the energy is learned from "
        "which has such a name is computed, and not modelled.",
        examples=[{"living": "above + basement"}],
    )
    unsafe: dict[str, Any] = Field(
        description="Named regions that samples should keep out of; a name may be used inside a later region."
    )
    constraints: Annotated[list[Constraint], MinLen(1)] = Field(
        description="The fraction of the samples that may lie in each region.",
        examples=[[{"set": "pillar", "beta": 0.03}]],
    )
    sampler: Sampler = Field(
        NO_SAMPLER,
        description="The sampler: its kind, the number of particles, the number and size of the steps. "
        "lem-safe audit needs none.",
    )
    filter: dict[str, Any] = Field(
        {"kind": "none"}, description="What keeps the tolerance during sampling; see `lem-safe list filters`."
    )
    audit: Audit = Field(
        Audit(),
        description="The confidence, the steps that count, and what a pass requires.",
        examples=[{"confidence": 0.95}],
    )
    monitors: Monitors = Field(
        Monitors(),
        description="What is monitored during sampling: how often, and on how many particles.",
        examples=[{"every": 20, "samples": 256}],
    )
    stop: dict[str, Any] = Field(
        {"kind": "steps"},
        description="When the run ends, at the latest after sampler.steps; see `lem-safe list stops`.",
    )

    output: Literal["csv", "parquet"] = Field(
        "csv",
        description="The format in which a run on a table with columns of every type writes its rows, "
        "samples.csv or samples.parquet.",
        examples=["csv"],
    )
    given: dict[str, Any] | None = Field(
        None,
        description="Values that all samples are to have, by column: the energy is conditioned on them. Of "
        "paths also start and goal, the first and the last waypoint.",
        examples=[{"sex": "F"}, {"start": [0.0, 0.0]}],
    )

    sweep: Annotated[dict[str, Annotated[list[Any], MinLen(1)]], MinLen(1)] | None = Field(
        None,
        description="Lists of values, by dotted key: every combination is a separate run, and all runs "
        "together are one job with one table.",
        examples=[{"filter.rate": [1, 5, 25]}],
    )

    def __repr__(self) -> str:
        asked = ", ".join(f"{c.set} at most {100 * c.beta:.6g} %" for c in self.constraints)
        if self.lacking:
            return f"<Scenario {self.name}: to audit with, {asked}>"
        many, s = f", a sweep of {len(self.variants)} runs" if self.variants else "", self.sampler
        return on_one_line(
            f"<Scenario {self.name}: {s.samples:,} samples, {s.steps:,} steps of {s.kind}, filter "
            f"{self.filter['kind']}, {asked}{many}>"
        )

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        yaml = self.to_yaml().removeprefix(MODELINE)
        return rendered("scenario.html.j2", "lem_safe.scenario", said=repr(self), yaml=yaml)

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Every combination of the sweep, with the last key varying fastest; empty without a sweep."""
        return self._variants

    @property
    def lacking(self) -> tuple[str, ...]:
        """What a run needs and the file does not give, of `energy` and `sampler`; empty for one that can be
        run. A file without them is one to audit with: its `energy` is empty, and its `sampler` has no
        samples.
        """
        given = {"energy": bool(self.energy), "sampler": self.sampler.samples > 0}
        return tuple(name for name in RUN_ONLY if not given[name])

    @property
    def source(self) -> Path | None:
        """The file this scenario was loaded from."""
        return self._source

    def from_file(self, path: Path | None) -> "Scenario":
        """The same scenario, remembering the file it came from, if any."""
        copy = self.model_copy()
        copy._source = path
        return copy

    @property
    def why_double(self) -> str | None:
        """Why float64 was chosen for a file that gives no dtype; None where the file gives one, or float32
        suffices.
        """
        return self._in_double

    def in_double(self, why: str | None) -> "Scenario":
        """The same scenario, with the reason why float64 was chosen for it."""
        copy = self.model_copy()
        copy._in_double = why
        return copy

    def with_variants(self, variants: Sequence[Variant]) -> "Scenario":
        """The same scenario, with the combinations of its sweep."""
        copy = self.model_copy()
        copy._variants = tuple(variants)
        return copy

    def overridden(
        self, *, seed: int | None = None, samples: int | None = None, steps: int | None = None
    ) -> "Scenario":
        """The same scenario with another seed, number of samples or of steps; raises BadInput for an invalid
        one.
        """
        given = {"seed": seed, "samples": samples, "steps": steps}
        faults = [
            Fault(f"must be a whole number, at least {int(name != 'seed')}; got {value!r}", key=name)
            for name, value in given.items()
            if value is not None
            and (isinstance(value, bool) or not isinstance(value, int) or value < (name != "seed"))
        ]
        if faults:
            raise BadInput(faults)
        moved = {name: value for name, value in given.items() if value is not None and name != "seed"}
        return self.model_copy(
            update={"sampler": self.sampler.model_copy(update=moved)}
            | ({} if seed is None else {"seed": seed})
        )

    def judged(self) -> Judged:
        """What the audit of a run of this scenario will count."""
        sampler, audit = self.sampler, self.audit
        return Judged(
            sampler.samples,
            audit.confidence,
            audit.require,
            audit.replicas,
            steps=max(1, sampler.steps - audit.after_step),
        )

    def aimed(self) -> tuple[float, ...]:
        """The aim of the filter, one number per constraint; raises SpecificationError naming the
        invalid key.
        """
        if "sampler" in self.lacking:
            return tuple(c.beta for c in self.constraints)
        return aims(self.filter, [c.beta for c in self.constraints], self.judged())

    def content(self) -> dict[str, Any]:
        """All resolved values, as dicts, lists, numbers, strings and Paths, in the order of a file; keys
        without a value are left out. Of one to audit with, what an audit reads and what else its file gives.
        """
        whole, lacking = self.model_dump(exclude_none=True), self.lacking
        if not lacking:
            return whole
        default = Scenario.model_construct().model_dump(exclude_none=True)
        return {k: v for k, v in whole.items() if k in AUDITED or (k not in lacking and v != default.get(k))}

    def fingerprint(self) -> str:
        """64 hexadecimal digits that identify everything relevant: numbers, defaults, the content of data
        files.
        """
        return fingerprint(self.content())

    def to_yaml(self) -> str:
        """The scenario as a file: defaults written out, paths absolute. Loading it again gives the same
        fingerprint.
        """
        from ruamel.yaml import YAML

        out = io.StringIO()
        writer = YAML(typ="rt", pure=True)
        writer.default_flow_style = None
        writer.width = 130
        writer.dump(_writable(self.content()), out)
        return MODELINE + out.getvalue()


def _writable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _writable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_writable(item) for item in value]
    return str(value) if isinstance(value, Path) else value
