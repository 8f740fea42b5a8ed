"""docs/paths.md: its scenario and its code run as they stand."""

import re
from pathlib import Path

import numpy as np
import pytest

import lem_safe

PAGE = (Path(__file__).parents[2] / "docs" / "paths.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```(\w*) ?([^\n]*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.simulation
def test_the_scenario_of_the_page_keeps_clear(tmp_path: Path) -> None:
    (head,) = (text.splitlines()[0] for kind, _, text in FENCES if kind == "csv")
    rng, lines = np.random.default_rng(0), [head]
    for i in range(40):
        t = np.linspace(0, 1, 20 + i % 5)
        side = rng.choice([-1, 1]) * rng.uniform(0.1, 0.6)
        bend = rng.normal(size=3) * [0.05, 0.03, 0.02]
        x = side * np.sin(np.pi * t) + sum(b * np.sin((k + 2) * np.pi * t) for k, b in enumerate(bend))
        y = t + 0.05 * rng.normal() * np.sin(np.pi * t)
        ends = 0.01 * rng.normal(size=4)
        x, y = x + ends[0] * (1 - t) + ends[1] * t, y + ends[2] * (1 - t) + ends[3] * t
        lines += [f"{i},{s:.4f},{a:.5f},{b:.5f}" for s, a, b in zip(t, x, y, strict=True)]
    (tmp_path / "walks.csv").write_text("\n".join(lines) + "\n")
    (text,) = (text for _, name, text in FENCES if name == "walks.yaml")
    (tmp_path / "walks.yaml").write_text(text)
    run = lem_safe.run(tmp_path / "walks.yaml", out=tmp_path / "run", samples=200, steps=20)
    assert run.report.passed
    assert run.paths.shape == (200, 16, 2)
    assert (run.paths[:, 0] == 0).all()
    assert (run.paths[:, -1] == [0, 1]).all()
    assert (run.directory / "figures" / "paths.png").is_file()


def test_the_code_of_the_page_runs() -> None:
    (code,) = (text for kind, _, text in FENCES if kind == "python")
    exec(compile(code, "paths.md", "exec"), {})
