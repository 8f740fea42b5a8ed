"""What must be equal in a run and the one it continues: scenario, device, dtype, particles per block of
noise, and how clouds share generators; otherwise results would differ.

Where they are not, the difference is shown key by key, from the scenario.yaml of the earlier run.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lem_safe.cloud_keys import BANK, in_banks
from lem_safe.errors import BadInput, Fault
from lem_safe.keys import BLOCK
from lem_safe.scenario import Scenario

MOST, WIDTH = 5, 60
"""The number of differences shown, and the length of each value."""

ABSENT = "absent"
WAY_OUT = "resume with what it was begun with, or choose a new --out"
NOISE = "noise of clouds"
OTHER_NOISE = "was begun by another version of lem-safe, which draws other noise for its clouds"


def identity(scenario: Scenario, device: str, particles: int | None = None) -> dict[str, str]:
    """The content of begun.json. The device counts by its type, not by its number. particles: of each cloud,
    by default the scenario's.
    """
    n = scenario.sampler.samples if particles is None else particles
    shared = scenario.audit.replicas > 1 and in_banks(n)
    return {
        "fingerprint": scenario.fingerprint(),
        "device": device.split(":")[0],
        "dtype": f"torch.{scenario.dtype}",
        "block": str(BLOCK),
        **({NOISE: f"in banks of {BANK}"} if shared else {}),
    }


def must_match(scenario: Scenario, device: str, begun: Mapping[str, str], directory: Path) -> None:
    """Refuses to continue a run with other settings: one fault for each difference."""
    found: list[Fault] = []
    for name, value in identity(scenario, device).items():
        if begun.get(name) == value or (
            name == "dtype" and any("dtype was" in fault.message for fault in found)
        ):
            continue  # a scenario's dtype is compared with the scenario
        if name == NOISE:
            found.append(Fault(f"{OTHER_NOISE}; {WAY_OUT}", file=str(directory)))
            continue
        was = f"with {name} {begun.get(name, ABSENT)}, this run has {value}"
        if name == "fingerprint":
            was = f"with another scenario: {difference(scenario, directory)}"
        found.append(Fault(f"was begun {was}; {WAY_OUT}", file=str(directory)))
    if found:
        raise BadInput(found)


def difference(scenario: Scenario, directory: Path) -> str:
    """How a scenario differs from the one a run directory was begun with, as `key was A and is B`."""
    before, now = _plain(directory / "scenario.yaml"), _plain(scenario.to_yaml())
    if before is None or now is None:
        return "it has left no scenario.yaml that could be compared"
    old, new = flat(before), flat(now)
    changed = [key for key in {**new, **old} if old.get(key, ABSENT) != new.get(key, ABSENT)]
    if not changed:
        files = ", ".join(
            sorted({str(value) for value in flat(scenario.content()).values() if isinstance(value, Path)})
        )
        return f"not a key differs, so a file that it reads has changed since ({files or 'none is named'})"
    shown = [
        f"{key} was {_shown(old.get(key, ABSENT))} and is {_shown(new.get(key, ABSENT))}"
        for key in changed[:MOST]
    ]
    more = len(changed) - len(shown)
    return ", ".join(shown) + (f", and {more} more key{'s' * (more > 1)}" if more else "")


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """The leaves of nested mappings and lists by dotted key; a list of plain values is a leaf.

    >>> flat({"sampler": {"steps": 20}, "constraints": [{"beta": 0.1}], "mean": [0, 1]})
    {'sampler.steps': 20, 'constraints.0.beta': 0.1, 'mean': [0, 1]}
    """
    nested = isinstance(value, Mapping) or (
        isinstance(value, list) and any(isinstance(v, Mapping | list) for v in value)
    )
    if not nested:
        return {prefix: value}
    items = value.items() if isinstance(value, Mapping) else enumerate(value)
    return {
        key: leaf for name, part in items for key, leaf in flat(part, f"{prefix}.{name}".lstrip(".")).items()
    }


def _plain(source: Path | str) -> Any:
    """The content of a YAML file or text; None where it cannot be read."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        found = YAML(typ="safe", pure=True).load(source)
    except (YAMLError, OSError, ValueError):
        return None
    return found if isinstance(found, Mapping) else None


def _shown(value: Any) -> str:
    text = value if value is ABSENT else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."
