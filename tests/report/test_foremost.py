"""Of many constraints the few nearest to their tolerance have pictures; the others are in the tables."""

import json

import numpy as np
from pages import save

from lem_safe.report.foremost import MOST, foremost, which
from lem_safe.report.page import render


def constraints(fractions, betas=None):
    betas = betas or [0.1] * len(fractions)
    return {
        "constraints": [
            {"fraction": f, "beta": b, "max_fraction_over_steps": None}
            for f, b in zip(fractions, betas, strict=True)
        ]
    }


def test_the_nearest_to_their_tolerance_come_in_their_order():
    assert foremost(constraints([0.0, 0.09, 0.01, 0.05]), 2) == [1, 3]
    assert foremost(constraints([0.001, 0.09], [0.0, 0.1]), 1) == [0], "none are tolerated there"
    assert foremost(constraints([0.0] * 3)) == [0, 1, 2]
    assert which(constraints([0.0] * MOST)) == "" and "Of 7" in which(constraints([0.0] * (MOST + 1)))


def test_a_page_of_many_constraints_has_few_pictures(tmp_path):
    names = [f"r{i}" for i in range(30)]
    rng = np.random.default_rng(0)
    x, fraction = rng.normal(size=(60, 2)), rng.integers(0, 6, (20, 30)) / 60
    unsafe = {name: {"kind": "ball", "center": [i, 0], "radius": 0.4} for i, name in enumerate(names)}
    betas = [(name, 0.2) for name in names]
    sampler = {"kind": "langevin", "samples": 60, "steps": 20, "step_size": 0.01}
    written = {"version": 1, "name": "many", "unsafe": unsafe, "sampler": sampler, "filter": {"kind": "gate"}}
    written["constraints"] = [{"set": name, "beta": beta} for name, beta in betas]
    save(
        tmp_path,
        json.dumps(written),
        unsafe,
        betas,
        ["a", "b"],
        x,
        fraction,
        x,
        fraction,
    )
    page = render(tmp_path).read_text()
    assert page.count("<svg") <= 5 * MOST and page.count("Of 30 constraints") >= 2
    assert all(f'<td data-label="Unsafe set">{name}</td>' in page for name in names)
