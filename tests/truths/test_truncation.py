"""What rows were cut from is recovered, and a planted fault makes each check of it fail."""

import pytest
import torch
from planted import Tooth, checks, must_be_found, result

from lem_safe.energies import row_truncation
from lem_safe.energies.row_truncation import Truncated
from truths import truncation

TEETH: dict[str, Tooth] = {
    "the draws that were refused are forgotten": (
        truncation.what_was_cut_is_recovered,
        row_truncation,
        "_seen",
        result(
            lambda s, *_: (
                s
                and s._replace(
                    outside=s.outside._replace(**{k: 0 * v for k, v in s.outside._asdict().items()})
                )
            )
        ),
    ),
    "the mass that remains is taken for all": (
        truncation.the_likelihood_is_that_of_what_remains,
        Truncated,
        "share",
        lambda f: lambda self, made: 1.0,
    ),
    "a rule that is asked of the numbers alone": (
        truncation.numbers_and_codes_are_cut_alike,
        truncation,
        "Truncated",
        lambda f: (
            lambda holds, seed: f(lambda y: holds(torch.cat([y[:, :1], torch.zeros_like(y[:, 1:])], 1)), seed)
        ),
    ),
    "components that are chosen by what they have outside": (
        truncation.held_out_rows_choose_by_what_remains,
        Truncated,
        "improved",
        lambda f: lambda self, made, x: made,
    ),
}


@pytest.mark.parametrize("name", TEETH)
def test_the_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    must_be_found(TEETH[name], monkeypatch)


@pytest.mark.parametrize("check", truncation.CHECKS, ids=lambda check: check.__name__)
def test_without_a_fault_it_holds(check) -> None:
    check()


def test_every_check_has_a_fault() -> None:
    assert set(checks(TEETH)) == {c.__name__ for c in truncation.CHECKS}
