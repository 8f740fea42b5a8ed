"""Cut normal distributions have their moments, and a planted fault makes each check fail."""

import pytest
from planted import Tooth, checks, must_be_found, result, written_in

from barriers.filters import gate, reject, tilt
from lem_safe import metropolis
from lem_safe.samplers import langevin
from truths import truncated

pytestmark = pytest.mark.simulation

TEETH: dict[str, Tooth] = {
    "a smaller ball": (
        truncated.published_numbers,
        truncated,
        "math",
        lambda f: type("m", (), {**vars(f), "sqrt": staticmethod(lambda x: 0.999 * f.sqrt(x))}),
    ),
    "a dimension too many": (
        truncated.the_coordinate_is_that_of_the_whole_ball,
        truncated.chi2,
        "cdf",
        lambda f: lambda q, k: f(q, k + 1),
    ),
    "a gate that lets in": (
        truncated.tested_moves_have_the_cut_moments,
        gate,
        "budget",
        lambda f: lambda β, n: f(β, n) + 20,
    ),
    "every move accepted": (
        truncated.tested_moves_have_the_cut_moments,
        metropolis,
        "log_ratio",
        result(lambda a, *_: a.clamp(min=0)),
    ),
    "noise a twentieth too large": (
        truncated.untested_moves_have_those_of_their_own_variance,
        langevin,
        "math",
        lambda f: type("m", (), {**vars(f), "sqrt": staticmethod(lambda x: 1.05 * f.sqrt(x))}),
    ),
    "rejection that mirrors nobody and moves half": (
        truncated.the_bias_of_a_long_step_is_the_computed_one,
        reject.Reject,
        "apply",
        lambda f: lambda self, x, y, h, u, memory: f(self, x, x + 0.9 * (y - x), h, u, memory),
    ),
    "an infinite price that is finite": (
        truncated.without_a_tolerance_three_filters_are_one,
        tilt,
        "LARGEST",
        lambda f: 0.5,
    ),
}


@pytest.mark.parametrize("name", TEETH)
def test_the_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    must_be_found(TEETH[name], monkeypatch)


@pytest.mark.parametrize("check", truncated.CHECKS, ids=lambda check: check.__name__)
def test_without_a_fault_it_holds(check) -> None:
    check()


def test_every_check_has_a_fault() -> None:
    assert set(checks(TEETH)) == written_in(truncated) - {"Cut"} == {c.__name__ for c in truncated.CHECKS}
