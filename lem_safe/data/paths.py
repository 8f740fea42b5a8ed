"""`data: {kind: paths, ...}`: recorded paths to learn from, as rows of waypoints."""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Le, MinLen
from jaxtyping import Float64
from typing_extensions import Doc

from barriers.arrays import torch
from lem_safe.data.episodes import Along, Recorded, from_array, from_table, is_text_or_named, stacked
from lem_safe.data.path_names import names_of_shape
from lem_safe.data.source import Dataset, DataSource, digest
from lem_safe.data.typed.table import Stamp, stamp_of
from lem_safe.errors import BadInput, Fault

EPISODE = "episode"
SHARE = 0.999
"""Without a number of components: as many as have this share of the variance."""


class PathFile(DataSource):
    """Recorded paths: a table with a row for each point (text or .parquet), or an array [n, points,
    coordinates] (.npy, .npz). Each is resampled to the same number of waypoints, and an energy is learned in
    the principal components of the paths.
    """

    example: ClassVar[dict[str, object]] = {"kind": "paths", "path": "paths.npy", "waypoints": 8}

    def __init__(
        self,
        path: Annotated[Path, Doc("The file; a relative path is relative to the scenario's file.")],
        columns: Annotated[
            list[str] | None,
            MinLen(1),
            Doc("Of a table: the columns with the coordinates, agent by agent where there are several."),
        ] = None,
        episode: Annotated[
            str, Doc("Of a table: the column that names the path, by numbers or text.")
        ] = EPISODE,
        order: Annotated[
            str | None, Doc("Of a table: the column with times or steps; by default in the file's order.")
        ] = None,
        waypoints: Annotated[int, Ge(2), Le(10_000), Doc("The number of points of each path.")] = 32,
        along: Annotated[
            Along, Doc("time: waypoints at equal times; length: at equal distances along the path.")
        ] = "time",
        agents: Annotated[int, Ge(1), Doc("The number of agents that move together.")] = 1,
        components: Annotated[
            int | None,
            Ge(1),
            Doc("How many principal components are modelled; by default those of 99.9 % of the variance."),
        ] = None,
    ):
        self.path, self.chosen, self.episode, self.order = Path(path), columns, episode, order
        self.waypoints, self.along, self.agents, self.wanted = waypoints, along, agents, components
        if columns is not None and len(columns) % agents:
            raise ValueError(f"PathFile: {len(columns)} columns are not the same number for {agents} agents")

    @property
    def path_shape(self) -> tuple[int, ...]:
        size = self._rows.shape[1] // self.waypoints
        return (
            (self.waypoints, size) if self.agents == 1 else (self.waypoints, self.agents, size // self.agents)
        )

    @property
    def columns(self) -> tuple[str, ...]:
        return names_of_shape(self.path_shape)

    def load(self, seed: int) -> Dataset:
        rows = torch.from_numpy(self._rows)
        return Dataset(rows, self.columns, components=self._components(self._rows))

    def fingerprint(self) -> str:
        return digest("paths", *self.columns, str(self._components(self._rows)), self._rows.tobytes())

    @cached_property
    def _rows(self) -> Float64[np.ndarray, "n d"]:
        if is_text_or_named(self.path):
            if self.chosen is None:
                raise BadInput(
                    Fault("says which columns hold the coordinates: columns: [x, y]", key="columns")
                )
            found = self._of_table(tuple(self.chosen))
        else:
            for key, said in (("columns", self.chosen), ("order", self.order), ("episode", self.episode)):
                if said is not None and said != EPISODE:
                    raise BadInput(Fault("is for tables, and this file is an array of paths", key=key))
            found = list(from_array(self.path))
        if found[0].points.shape[1] % self.agents:
            many = f"{found[0].points.shape[1]} numbers a point are not the same number for each of"
            raise BadInput(Fault(f"{many} {self.agents} agents", str(self.path), key="agents"))
        if len(found) < 3:
            raise BadInput(Fault(f"has {len(found)} paths; 3 or more are needed", str(self.path)))
        return stacked(found, self.waypoints, self.along)

    def _of_table(self, columns: tuple[str, ...]) -> Sequence[Recorded]:
        """The episodes of a table; of the same file, which a command asks for several times, read once."""
        stamp = stamp_of(self.path)
        read = _episodes.__wrapped__ if stamp is None else _episodes
        return read(self.path, columns, self.episode, self.order, stamp)

    def _components(self, rows: Float64[np.ndarray, "n d"]) -> int:
        spread = np.linalg.svd(rows - rows.mean(0), compute_uv=False)
        usable = int((spread > max(1e-9 * spread[0], 1e-12 * np.abs(rows).max())).sum())
        most = min(usable, len(rows) - 2)
        if most < 1:
            raise BadInput(Fault("every path is the same", str(self.path)))
        if self.wanted is not None:
            if self.wanted > most:
                message = f"is {self.wanted}, and {len(rows)} paths have {most} that can be modelled"
                raise BadInput(Fault(message, key="components"))
            return self.wanted
        share = np.cumsum(spread**2) / np.sum(spread**2)
        return min(int(np.searchsorted(share, SHARE)) + 1, most)


@lru_cache(maxsize=2)
def _episodes(
    path: Path, columns: tuple[str, ...], episode: str, order: str | None, stamp: Stamp | None
) -> tuple[Recorded, ...]:
    """The episodes of a table as it was at this time and size, to be read only."""
    return tuple(from_table(path, columns, episode, order))
