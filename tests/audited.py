"""What tests of the audit have in common: a scenario by hand, clouds with a known count, files, and a
validator of JSON.
"""

from types import SimpleNamespace

import numpy as np

from lem_safe.auditor.inside import scrambled
from lem_safe.auditor.shown import SEED

BALL = {"kind": "ball", "center": [2.0, 0.0], "radius": 0.8}


STRIP = {"kind": "half_space", "normal": [1.0, 0.0], "offset": 1.5}


REGIONS = {
    "pillar": BALL,
    "strip": STRIP,
    "both": {"any": ["pillar", "strip"]},
    "lens": {"all": ["pillar", "strip"]},
}


def scenario(
    constraints,
    unsafe=None,
    columns=("x0", "x1"),
    confidence=0.95,
    after_step=0,
    between=None,
    require="passed",
    correction="bonferroni",
    tuned_with=(),
):
    return SimpleNamespace(
        name="ring",
        filter={"kind": "gate"},
        aimed=lambda: tuple(b for _, b in constraints),
        sampler=SimpleNamespace(samples=100),
        columns=columns,
        unsafe=unsafe or REGIONS,
        derived=None,
        constraints=[SimpleNamespace(set=s, beta=b) for s, b in constraints],
        audit=SimpleNamespace(
            confidence=confidence,
            after_step=after_step,
            require=require,
            correction=correction,
            tuned_with=list(tuned_with),
            between=between,
        ),
        fingerprint=lambda: "f00d",
    )


def cloud(inside: int, n: int, seed: int = 0) -> np.ndarray:
    """n points, exactly `inside` of them in the ball, float32."""
    x = np.random.default_rng(seed).normal([-4.0, 0.0], 0.3, (n, 2))
    x[:inside] = np.random.default_rng(seed + 1).uniform([1.8, -0.2], [2.2, 0.2], (inside, 2))
    return x.astype(np.float32)


def chosen_rows(total: int, most: int) -> np.ndarray:
    """The rows that a page shows of one file: those with the smallest hashes of their numbers, ascending."""
    priority = scrambled(scrambled(np.arange(total)) ^ np.uint64(SEED))
    return np.sort(np.argsort(priority)[:most])


def only(report):
    (constraint,) = report.constraints
    return constraint


def trace(counts, n):
    return {"step": np.arange(1.0, len(counts) + 1), "fraction": np.array(counts, dtype=float)[:, None] / n}


def write_csv(path, names, x):
    path.write_text(
        "\n".join([",".join(names), *(",".join(repr(float(v)) for v in row) for row in x)]) + "\n"
    )
    return path


NAMES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def faults(value, schema, path="$"):
    """What in `value` breaks `schema`; only the keywords that the schema uses."""
    if "anyOf" in schema:
        each = [faults(value, arm, path) for arm in schema["anyOf"]]
        return [] if any(not f for f in each) else each[0]
    if "const" in schema or "enum" in schema:
        return [] if value in schema.get("enum", [schema.get("const")]) else [f"{path}: {value!r}"]
    kind = schema["type"]
    if kind in ("number", "integer"):
        numeric = not isinstance(value, bool) and isinstance(
            value, int if kind == "integer" else (int, float)
        )
        return (
            []
            if numeric and schema.get("minimum", value) <= value <= schema.get("maximum", value)
            else [f"{path}: {value!r}"]
        )
    if not isinstance(value, NAMES[kind]):
        return [f"{path}: {value!r}"]
    found = []
    if kind == "object":
        found += [f"{path}: no {name}" for name in schema.get("required", ()) if name not in value]
        known = schema.get("properties", {})
        found += [f for name, v in value.items() if known for f in faults(v, known[name], f"{path}.{name}")]
    if kind == "array":
        arms = schema.get("prefixItems") or [schema["items"]] * len(value)
        found += [f"{path}: length {len(value)}"] if len(arms) != len(value) else []
        found += [
            f
            for i, (v, arm) in enumerate(zip(value, arms, strict=False))
            for f in faults(v, arm, f"{path}[{i}]")
        ]
    return found
