"""Steps of scenarios: timed with torch, and estimated without it, as `lem-safe explain` does; each in a
process of its own, on one thread, by processor time.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from itertools import islice
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from barriers.plain.needs import WithoutTorch
from benchmarks.estimate_cases import drawn
from lem_safe.authoring.cost import timed
from lem_safe.authoring.estimate import estimated, parts
from lem_safe.authoring.speeds import Speeds
from lem_safe.authoring.work import NotCounted
from lem_safe.errors import BadInput
from lem_safe.files import CACHE_VARIABLE
from lem_safe.registry import loads

ENOUGH = 0.1
"""Seconds of timed steps of each chain."""
REFUSED = 1.3
"""How many more scenarios are drawn than are asked for: filters refuse some regions."""
PROCESSORS: dict[str, dict[str, str]] = {
    "all": {},
    "AVX2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR AVX512F AVX512CD AVX512_SKX AVX512_CLX "
        "AVX512_CNL",
    },
}
"""What this processor is allowed to do, as variables of torch and numpy: all it can, or what one without
AVX-512 can.
"""
TORCH = "torch"
"""What the process without torch says of what it cannot do."""
SCRIPT = """
import sys
from barriers.plain.needs import Choice
Choice.plain = sys.argv[1] == "numpy"
from benchmarks import estimated_steps
estimated_steps.answer(*sys.argv[2:])
"""


@contextmanager
def own_cache() -> Iterator[None]:
    """A cache of trained energies for these measurements alone."""
    before = os.environ.get(CACHE_VARIABLE)
    with tempfile.TemporaryDirectory() as place:
        os.environ[CACHE_VARIABLE] = place
        try:
            yield
        finally:
            os.environ.pop(CACHE_VARIABLE)
            os.environ.update({} if before is None else {CACHE_VARIABLE: before})


def in_yaml(content: Mapping[str, Any]) -> str:
    """A scenario as a file."""
    out = StringIO()
    YAML().dump(content, out)
    return out.getvalue()


class Timed(NamedTuple):
    """A scenario as a file; seconds of a step of one cloud, of all its chains; and numpy's speeds then."""

    text: str
    seconds: float
    speeds: Speeds

    @property
    def filter(self) -> str:
        """The kind of its filter."""
        return str(loads(self.text).filter["kind"])


def drawn_and_timed(seed: int, count: int, processor: str = "all") -> dict[str, Timed]:
    """At most so many drawn scenarios, by name."""
    each = {content["name"]: in_yaml(content) for content in islice(drawn(seed), int(REFUSED * count))}
    return dict(islice(all_timed(each, processor).items(), count))


def all_timed(texts: Mapping[str, str], processor: str = "all") -> dict[str, Timed]:
    """The scenarios of which steps can be taken, timed."""
    found = asked("seconds", {name: [text] for name, text in texts.items()}, processor, TORCH)
    return {
        name: Timed(texts[name], one["seconds"], Speeds(*one["speeds"]))
        for name, one in found.items()
        if one is not None
    }


def asked(
    what: str, cases: Mapping[str, Sequence[Any]], processor: str = "all", by: str = "numpy"
) -> dict[str, Any]:
    """What one of ANSWERS gives for each case, in a process without torch, or with it, as those get one that
    cannot do without.
    """
    with tempfile.TemporaryDirectory() as place:
        files = [Path(place) / name for name in ("asked.json", "told.json")]
        files[0].write_text(json.dumps(cases))
        here = {**os.environ, **PROCESSORS[processor], "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-W", "ignore", "-c", SCRIPT, by, what, *files]
        subprocess.run(command, check=True, env=here)
        found: dict[str, Any] = json.loads(files[1].read_text())
    left = {name: cases[name] for name, one in found.items() if one == TORCH}
    return found | asked(what, left, processor, TORCH) if left else found


def answer(what: str, cases: str, told: str) -> None:
    """What the process of `asked` does."""
    found: dict[str, Any] = {}
    for name, case in json.loads(Path(cases).read_text()).items():
        try:
            found[name] = ANSWERS[what](*case)
        except WithoutTorch:
            found[name] = TORCH
    Path(told).write_text(json.dumps(found))


def _timed(text: str) -> dict[str, Any] | None:
    """The seconds of a step, and numpy's speeds at the same time, as other programs may run on the same
    core; None where no step can be taken.
    """
    try:
        scenario = loads(text)
    except BadInput:
        return None
    before = Speeds.here(process_time)
    taken = timed(scenario, process_time, ENOUGH)
    after = Speeds.here(process_time)
    speeds = [(one + other) / 2 for one, other in zip(before, after, strict=True)]
    return None if taken is None else {"seconds": taken.seconds, "speeds": speeds}


def _parts(text: str, speeds: Sequence[float]) -> dict[str, float]:
    return parts(loads(text), Speeds(*speeds), process_time)


def _range(text: str) -> list[float] | str:
    """From and to, in seconds of a step; or what is not estimated."""
    try:
        return list(estimated(loads(text), process_time))
    except NotCounted as what:
        return str(what)


ANSWERS: dict[str, Callable[..., Any]] = {"seconds": _timed, "parts": _parts, "range": _range}
