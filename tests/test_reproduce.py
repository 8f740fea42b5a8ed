"""`lem-safe reproduce`: the cheap claims are checked, the files are written, and what cannot be run says what it needs."""

import json
from dataclasses import replace

import pytest
import torch

from lem_safe import cli
from lem_safe.energies import Gaussian, GaussianMixture, WeightedSum
from lem_safe.faults import BadInput
from lem_safe.lyapunov.ratio import upward_crossing
from lem_safe.progress import Silent
from lem_safe.reproduce import CLAIMS, Found, Setting, reproduce
from lem_safe.reproduce.claim import eight
from lem_safe.reproduce.composition import jacobian
from lem_safe.reproduce.control import _law
from lem_safe.reproduce.flow import followed

QUICK = Setting(Silent(), quick=True)


@pytest.mark.parametrize("name", ["temperature", "theorem2", "decay"])
def test_cheap_claims_hold(name):
    found = CLAIMS[name].check(QUICK)
    assert found.verdict in ("holds", "corrected"), found.ours


@pytest.mark.parametrize("seed", range(5))
def test_k_star_is_where_exact_kl_is_least(seed):
    """The issue's numbers: k* in 40–60, within a step of argmin KL, and KL there at least four times smaller than at the end."""
    track = followed(eight(), seed, 4000, keep=())
    stop = upward_crossing(track.ratio)
    assert stop is not None and 40 <= stop <= 60 and abs(stop - track.best) <= 1
    assert track.kl[stop] * 4 < track.kl[200]


def test_what_is_not_here_is_not_run_and_says_what_it_needs(tmp_path, capsys):
    assert cli.main(["reproduce", "table2", "--out", str(tmp_path / "r"), "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "not run" in said and "test_32x32.mat" in said and "checkpoint" in said
    facts = json.loads((tmp_path / "r" / "reproduce.json").read_text())
    assert facts["claims"][0]["verdict"] == "not run" and facts["passed"]


def test_a_study_is_resumed_claim_by_claim(tmp_path):
    calls = []
    base = CLAIMS["temperature"]
    first = replace(base, name="first", check=lambda setting: calls.append("first") or Found("holds", "1", {"x": float("nan")}))
    second = replace(base, name="second", check=lambda setting: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        reproduce([first, second], QUICK, tmp_path)
    again = replace(second, check=lambda setting: Found("fails", "2 < 3"))
    study = reproduce([first, again], QUICK, tmp_path, resume=True)
    assert calls == ["first"] and not study.passed
    page = (tmp_path / "reproduce.html").read_text()
    assert "2 &lt; 3" in page and "does not hold here" in page
    with pytest.raises(BadInput, match="another --out"):
        reproduce([first], replace(QUICK, seed=1), tmp_path, resume=True)


def test_an_unknown_claim_is_refused(capsys):
    assert cli.main(["reproduce", "fig9"]) == 2
    assert "fig9" in capsys.readouterr().err


def test_the_page_holds_the_pictures(tmp_path):
    reproduce([CLAIMS["theorem2"]], QUICK, tmp_path)
    assert (tmp_path / "reproduce.html").read_text().count("<svg") == 2
    assert (tmp_path / "figures" / "theorem2.png").exists()


def test_the_jacobian_is_the_second_derivative():
    x = torch.randn(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    energy = WeightedSum([Gaussian(mean=[0.0, 0.0], std=1.0), Gaussian(mean=[1.0, 0.0], std=2.0)], [1.0, -0.3])
    J = jacobian(energy, x)
    assert torch.allclose(J[0], torch.eye(2, dtype=torch.float64) * (1 - 0.3 / 4), atol=1e-12)
    assert float((J - J.mT).abs().max()) < 1e-12


def test_the_penaltys_law_is_its_quadrature():
    """At λ = 0 nothing is paid, and the ring's ball holds what tests/problems.py knows it holds."""
    p, kl = _law(0.0, GaussianMixture(means=[[2.0, 0.0]], std=0.5))
    assert abs(p - 0.101563) < 2e-4 and kl == 0
    q, price = _law(0.05, GaussianMixture(means=[[2.0, 0.0]], std=0.5))
    assert q < p and price > 0.01
