"""Broken scenarios of every shape end in BadInput with a place, or load: never in another exception, never slowly."""

import random
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from scenario_texts import GOOD

from lem_safe.catalogue import loads
from lem_safe.faults import BadInput

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
    st.sampled_from(["near", "ball", "gate", "-1", "1e400"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8
)
PIECES = [
    "{",
    "}",
    "[",
    "]",
    ": ",
    "- ",
    "\t",
    "&a ",
    "*a",
    "!!int ",
    "|",
    ">",
    "'",
    '"',
    "#",
    "\n",
    "\x00",
    "é",
    "𝒰",
    "---\n",
    "%",
    "@",
    "<<: ",
    "? ",
]


def check(text: str) -> None:
    began = time.perf_counter()
    try:
        loads(text)
    except BadInput as bad:
        assert bad.faults
        for fault in bad.faults:
            assert fault.line is not None and fault.line >= 1 and fault.file
            assert "\n" not in fault.message and "pydantic" not in fault.message and "\0" not in str(fault)
    assert time.perf_counter() - began < 2.0


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_mutated_text(seed: int, times: int):
    rng, text = random.Random(seed), GOOD
    for _ in range(times):
        at = rng.randrange(len(text))
        match rng.randrange(4):
            case 0:
                text = text[:at] + text[at + rng.randrange(1, 12) :]
            case 1:
                text = text[:at] + rng.choice(PIECES) + text[at:]
            case 2:
                lines = text.splitlines(keepends=True)
                rng.shuffle(lines)
                text = "".join(lines)
            case _:
                text = text[:at] + text[rng.randrange(len(text)) :]
        text = text or "x"
    check(text)


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_mutated_values(data: st.DataObject):
    content = YAML(typ="safe", pure=True).load(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        spot = content
        while isinstance(spot, dict | list) and spot:
            keys = list(spot) if isinstance(spot, dict) else list(range(len(spot)))
            key = data.draw(st.sampled_from(keys))
            if data.draw(st.booleans()) or not isinstance(spot[key], dict | list):
                spot[key] = data.draw(VALUES)
                break
            spot = spot[key]
    check(_dump(content))


def _dump(value: object) -> str:
    """A value in flow style, every string in double quotes: all of it stays on one line."""
    import json

    return json.dumps(value).replace("NaN", ".nan").replace("-Infinity", "-.inf").replace("Infinity", ".inf")
