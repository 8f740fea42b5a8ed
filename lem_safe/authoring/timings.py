"""How long the steps of a scenario took on this machine when they were last timed: what `explain` says again
without timing them, and without torch.

A timing is kept by what takes the time: the energy, the regions, the filter, the sampler and the number of
particles; not by a name, a seed, a number of steps or a tolerance. It is of one machine, and of the versions
of torch and lem-safe.
"""

import contextlib
import json
import math
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lem_safe.files import default_timings, read_text, write_json
from lem_safe.scenario import Scenario, fingerprint

FORMAT = 1
BESIDE = ("version", "name", "seed", "output", "monitors", "stop", "sweep", "audit")
"""What a scenario holds that takes no time of a step."""


@dataclass(frozen=True)
class Timing:
    """Seconds of one step of one cloud, of all its chains, and how many steps of them were timed, when."""

    seconds: float
    steps: int
    on: str | None = None


@dataclass(frozen=True)
class Timings:
    """A directory with one file for each timing; None: nothing is kept."""

    directory: Path | None

    @classmethod
    def here(cls) -> "Timings":
        """Those beside the trained energies; none where there is no place for these."""
        try:
            return cls(default_timings())
        except RuntimeError:  # nobody's home
            return cls(None)

    def last(self, scenario: Scenario) -> Timing | None:
        """The last timing of such a scenario on this machine; None where there is none that can be read."""
        try:
            kept = json.loads(read_text(self._file(scenario)))
            if kept["format"] != FORMAT or kept["machine"] != machine():
                return None
            on = date.fromisoformat(kept["on"]).isoformat()
            found = Timing(float(kept["seconds"]), int(kept["steps"]), on)
        except (OSError, ValueError, TypeError, KeyError, OverflowError):
            return None
        return found if 0 <= found.seconds < math.inf and found.steps > 0 else None

    def keep(self, scenario: Scenario, timing: Timing) -> None:
        """Keeps a timing; where the directory cannot be written to, the next one is taken again."""
        content = {
            "format": FORMAT,
            "machine": machine(),
            "seconds": timing.seconds,
            "steps": timing.steps,
            "on": date.today().isoformat(),
        }
        with contextlib.suppress(OSError):
            file = self._file(scenario)
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(file, content)

    def drop(self, scenario: Scenario) -> None:
        """Deletes the timing of such a scenario."""
        with contextlib.suppress(OSError):
            self._file(scenario).unlink(missing_ok=True)

    def forget(self) -> None:
        """Deletes every timing, and nothing else."""
        if self.directory is None:
            return
        with contextlib.suppress(OSError):
            for file in self.directory.glob("*.json"):
                with contextlib.suppress(OSError):
                    file.unlink()
            self.directory.rmdir()

    def _file(self, scenario: Scenario) -> Path:
        if self.directory is None:
            raise FileNotFoundError("no directory for timings")
        return self.directory / f"{key(scenario)[:32]}.json"


def key(scenario: Scenario) -> str:
    """What takes the time of a step, in 64 hexadecimal digits."""
    content = {name: part for name, part in scenario.content().items() if name not in BESIDE}
    content["sampler"] = {name: v for name, v in content["sampler"].items() if name not in ("steps", "init")}
    content["constraints"] = [c["set"] for c in content["constraints"]]
    return fingerprint(_named({**content, "clouds": scenario.audit.replicas}))


def machine() -> dict[str, Any]:
    """What the time of a step depends on beside the scenario."""
    return {
        "name": platform.node(),
        "kind": platform.machine(),
        "cores": os.cpu_count(),
        "torch": _version("torch"),
        "lem-safe": _version("lem-safe"),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _named(value: Any) -> Any:
    """Files by name, size and time of change: how long a step takes is not in their content."""
    match value:
        case Path():
            try:
                seen = value.stat()
            except OSError:
                return str(value)
            return [str(value), seen.st_size, seen.st_mtime_ns]
        case Mapping():
            return {name: _named(part) for name, part in value.items()}
        case list() | tuple():
            return [_named(part) for part in value]
        case _:
            return value
