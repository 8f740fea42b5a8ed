"""Faults planted into starts and into the choice of a dtype, one at a time: the check that is there to find
it must fail.
"""

import pytest
import torch
from planted import Tooth, checks, must_be_found, written_in
from truths import start

from barriers import anchors
from lem_safe.precision import needs
from lem_safe.precision import resolution as precision

TEETH: dict[str, Tooth] = {
    "rows through the map and back": (
        start.rows_keep_their_values,
        anchors.Anchors,
        "instead",
        lambda f: lambda self, z, x: x,
    ),
    "rows of one point, one row": (
        start.rows_that_share_a_point_are_told_apart,
        anchors,
        "told_apart",
        lambda f: lambda z, x: z,
    ),
    "a start without spread through the map and back": (
        start.a_column_without_spread_keeps_its_value,
        anchors.Pins,
        "instead",
        lambda f: lambda self, x, terms: x,
    ),
    "rounding measured by the size of the values": (
        start.a_column_without_spread_keeps_its_value,
        anchors.Pins,
        "instead",
        lambda f: lambda self, x, terms: f(self, x, terms + self.values.abs().max()),
    ),
    "every point the nearest row": (
        start.a_particle_that_has_moved_is_where_the_map_says,
        anchors.Anchors,
        "instead",
        lambda f: lambda self, z, x: self.values[torch.cdist(z, self.points).argmin(1)],
    ),
    "a row known by its first coordinate": (
        start.a_particle_that_has_moved_is_where_the_map_says,
        anchors.Anchors,
        "instead",
        lambda f: lambda self, z, x: torch.where(torch.isin(z[:, :1], self.points[:, :1]), self.values, x),
    ),
    "columns resolved one by one": (
        start.differences_of_columns_are_resolved,
        precision,
        "of_joint",
        lambda f: lambda rows, of: precision.of_rows(rows, of),
    ),
    "no spacing between numbers": (
        start.far_from_the_origin_the_variance_is_right,
        precision,
        "spacing",
        lambda f: lambda size, _: 0.0,
    ),
    "half of a mixture's spread measured across both": (
        start.far_from_the_origin_the_variance_is_right,
        needs,
        "of_energy",
        lambda f: lambda energy: precision.of_normal([0.0], [4e5], "both"),
    ),
}

CHECKS = checks(TEETH)


@pytest.mark.parametrize("name", CHECKS)
def test_the_honest_code_passes(name: str) -> None:
    CHECKS[name]()


@pytest.mark.parametrize("name", TEETH)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    must_be_found(TEETH[name], monkeypatch)


def test_every_check_has_a_fault_that_it_finds() -> None:
    assert written_in(start) == set(CHECKS)
