"""Broken scenario files drawn by hypothesis: the good one with its text cut and shuffled, or with
values of other types and sizes.
"""

import json
import random
from typing import Any

from hypothesis import strategies as st
from ruamel.yaml import YAML

from benchmarks.mutations_by_hand import GOOD

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from([1e300, -1e300, 10**400, -(10**400), 5e-324, 2**63, 1e15]),
    st.sampled_from(["near", "both", "ball", "gate", "-1", "1e400", "𝒰", "\u202e", "\x00", "\ufeff"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
) | st.integers(10, 3000).map(lambda depth: _nested(depth))
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
    "!!python/object/apply:os.system ",
    "|",
    ">",
    "'",
    '"',
    "#",
    "\n",
    "\r\n",
    "\x00",
    "é",
    "𝒰",
    "\ud800",
    "---\n",
    "%",
    "@",
    "<<: ",
    "? ",
    "\u2028",
    "9" * 5000,
]


def mutated_text(rng: random.Random, times: int) -> str:
    """The good scenario with pieces cut out, put in, shuffled, overwritten."""
    text = GOOD
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
    return text


def mutated_values(draw: st.DataObject) -> str:
    """The good scenario with values of other types and sizes, as one line of flow YAML."""
    content = YAML(typ="safe", pure=True).load(GOOD)
    for _ in range(draw.draw(st.integers(1, 3))):
        spot = content
        while isinstance(spot, dict | list) and spot:
            key = draw.draw(st.sampled_from(list(spot) if isinstance(spot, dict) else list(range(len(spot)))))
            if draw.draw(st.booleans()) or not isinstance(spot[key], dict | list):
                spot[key] = draw.draw(VALUES)
                break
            spot = spot[key]
    return _dump(content)


def _dump(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_dump(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        depth, inner = 0, value
        while isinstance(inner, list) and len(inner) == 1:
            depth, inner = depth + 1, inner[0]
        return (
            "[" * depth + (_dump(inner) if depth else ", ".join(map(_dump, value)).join("[]")) + "]" * depth
        )
    if isinstance(value, float):
        return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}.get(repr(value), repr(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:d}" if abs(value) < 10**300 else f"{'-' if value < 0 else ''}1{'0' * 400}"
    return json.dumps(value)


def _nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value
