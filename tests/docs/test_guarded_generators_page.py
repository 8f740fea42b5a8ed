"""docs/guarded-generators.md: its code runs, and its examples and formulas exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarded-generators.md").read_text(encoding="utf-8")
CODE = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.simulation
def test_the_code_runs(capsys: pytest.CaptureFixture[str]) -> None:
    for block in CODE:
        exec(compile(block, "docs/guarded-generators.md", "exec"), {})
    assert len(CODE) == 1 and "PASSED" in capsys.readouterr().out


def test_its_examples_exist() -> None:
    named = set(re.findall(r"\(\.\./examples/(\w+\.py)\)", PAGE))
    assert len(named) == 5 and all((ROOT / "examples" / name).is_file() for name in named)


def test_its_formulas_are_in_the_ledger() -> None:
    ledger = (ROOT / "docs" / "equations.md").read_text(encoding="utf-8")
    for tag in set(re.findall(r"\b[A-Z]\.\d+\b", PAGE)):
        assert tag in ledger, tag
