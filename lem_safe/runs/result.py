"""The result of a run for a user: its directory, scenario and report, and the arrays and plots read from its
files.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lem_safe.auditor import AuditReport
from lem_safe.auditor.drawn import Drawn
from lem_safe.errors import BadInput, Fault
from lem_safe.escaping import each_on_one_line, on_one_line
from lem_safe.files import read_npz
from lem_safe.formatting import percent
from lem_safe.inputs import read_arrays, read_mapping
from lem_safe.run_directory import FINISHED
from lem_safe.runs.table_files import frame, table_file
from lem_safe.scenario import Scenario

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Run:
    """A finished run: its directory, its scenario, its audit.

    scenario: None where parts of it are objects, which no file can say. keeper: what keeps a directory that
    goes with this value.
    """

    directory: Path
    scenario: Scenario | None
    report: AuditReport
    keeper: Any = field(default=None, repr=False, compare=False)

    @property
    def exit_status(self) -> int:
        """0: passed, 1: a tolerance was not met."""
        return 0 if self.report.passed else 1

    @property
    def samples(self) -> Drawn:
        """[n, d] in data units; an array that keeps its dependence marks for an audit."""
        return Drawn.from_arrays(read_npz(self.directory / "samples.npz"))

    @property
    def paths(self) -> np.ndarray:
        """The samples of a run on paths, in their shape: [n, waypoints, coordinates], or [n, waypoints,
        agents, coordinates]. BadInput where rows are no paths.
        """
        from ruamel.yaml import YAML

        shape = YAML(typ="safe", pure=True).load(self.directory / "scenario.yaml").get("shape")
        if not shape:
            message = "rows of this run are no paths; say shape: [waypoints, coordinates]"
            raise BadInput(Fault(message, str(self.directory)))
        return np.asarray(self.samples).reshape(-1, *shape)

    @property
    def unfiltered(self) -> np.ndarray | None:
        """Samples without the filter, from the same start with the same noise, [n, d]; None where the run has
        no filter.
        """
        path = self.directory / "reference.npz"
        return read_npz(path)["x"] if path.is_file() else None

    def to_pandas(self) -> Any:
        """The samples as a pandas frame: of a run on a table, with the types of its columns. BadInput without
        pandas.
        """
        written = table_file(self.directory)
        if written is not None:
            return frame(written)
        try:
            import pandas as pd
        except ImportError:
            raise BadInput(Fault("needs pandas: pip install pandas", "to_pandas")) from None
        arrays = read_npz(self.directory / "samples.npz")
        return pd.DataFrame(arrays["x"], columns=[str(name) for name in arrays["columns"]])

    @property
    def trace(self) -> dict[str, np.ndarray]:
        """The arrays of trace.npz."""
        return read_npz(self.directory / "trace.npz")

    @property
    def audit(self) -> AuditReport:
        """The same as `report`."""
        return self.report

    @property
    def multipliers(self) -> dict[str, float]:
        """The price of each tolerance in nats, comparable to μ*: its mean over the later half of the steps;
        NaN where the filter has none.
        """
        rows = self.trace["multiplier"]
        late = rows[len(rows) // 2 :]
        names = (c.set for c in self.report.constraints)
        return {name: _mean(late[:, k]) for k, name in enumerate(names)}

    def to_json(self) -> str:
        """The content of audit.json."""
        return self.report.to_json()

    def plot_samples(self, ax: "Axes | None" = None) -> "Axes":
        """The samples, those inside an unsafe region crossed; on `ax` or on new axes, which are returned."""
        from lem_safe.report.plots import plot_samples

        return plot_samples(self.directory, ax)

    def plot_fractions(self, ax: "Axes | None" = None, constraint: str | None = None) -> "Axes":
        """The fraction inside one constrained region, by default the first, at every step; on `ax` or on new
        axes, which are returned.
        """
        from lem_safe.report.plots import plot_fractions

        return plot_fractions(self.directory, ax, constraint)

    def __repr__(self) -> str:
        return on_one_line(f"<Run {self.directory}: {self.report!r}>")

    def __str__(self) -> str:
        page = self.directory / "report.html"
        where = str(page) if page.is_file() else f"{self.directory} (lem-safe report writes its page)"
        return "\n".join(
            [
                self.report.to_text(),
                *self._unfiltered(),
                *self._fidelity(),
                *([] if self.keeper else [on_one_line(where)]),
            ]
        )

    def _unfiltered(self) -> list[str]:
        """What each region holds at the end without the filter, where there is one."""
        path = self.directory / "reference.npz"
        if not path.is_file():
            return []
        last = read_arrays(path, "run it again in another --out")["fraction"][-1]
        inside = ", ".join(
            f"{percent(float(f))} in {c.set}" for c, f in zip(self.report.constraints, last, strict=True)
        )
        return ["", on_one_line(f"Without the filter, with the same start and noise: {inside}.")]

    def _fidelity(self) -> list[str]:
        """How far the unfiltered samples are from the data, where the energy was learned: one line, and one
        for each warning.
        """
        found = read_mapping(self.directory / FINISHED, "run it again in another --out").get("fidelity")
        return [] if found is None else ["", *each_on_one_line([found["line"], *found["warnings"]])]

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


def _mean(values: np.ndarray) -> float:
    """The mean of those that are finite; ∞ where only such prices are known, NaN where none is."""
    known = values[~np.isnan(values)]
    finite = known[np.isfinite(known)]
    return (
        float(finite.mean()) if len(finite) else float(known.max(initial=-np.inf)) if len(known) else np.nan
    )
