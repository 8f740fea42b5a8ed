"""The examples of CONTRIBUTING.md: their code, and the scenarios that name them. As a plugin of pytest, it
adds them to their tables before any test is collected: `pytest -p contributed tests/laws -k diamond`.
"""

import re
from pathlib import Path
from typing import Any

PAGE = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
IMPORTS = re.search(r"```python\n(.*?)```", PAGE, re.S)[1]  # type: ignore[index]  # the page has one
EXAMPLES: dict[str, str] = dict(re.findall(r"^### ([^\n]+)\n.*?```python\n(.*?)```", PAGE, re.S | re.M))
KINDS = {
    "sets": "diamond",
    "surrogates": "cubic",
    "filters": "cap",
    "energies": "bowl",
    "samplers": "every",
    "losses": "robust",
}
"""What each table is given, in the order of the page."""
SCENARIO = """\
version: 1
name: contributed
energy: {kind: bowl, dimension: 2}
unsafe: {gem: {kind: diamond, radius: 0.5}}
constraints: [{set: gem, beta: 0.9}]
sampler: {kind: every, k: 2, samples: 60, steps: 6, step_size: 0.01}
filter: {kind: cap, longest: 0.2}
"""
LEARNED = """\
version: 1
name: contributed_loss
energy: {kind: trained, data: {kind: two_moons}, loss: {kind: robust, sigma: 0.3}}
unsafe: {gem: {kind: diamond, radius: 0.5}}
constraints: [{set: gem, beta: 0.9}]
sampler: {kind: langevin, samples: 60, steps: 6, step_size: 0.01}
filter: {kind: gate}
"""


def run_example(name: str) -> dict[str, Any]:
    """Runs the code of one section, which adds its row; what it defines."""
    names: dict[str, Any] = {"__name__": "contributing"}
    exec(IMPORTS + EXAMPLES[name], names)  # the page's own code
    return names


def pytest_configure() -> None:
    """Only called where this module is a plugin."""
    for name in EXAMPLES:
        run_example(name)
