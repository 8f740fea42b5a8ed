"""The keys of clouds: each draws the same numbers in any company, and no two draw the same."""

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from lem_safe.cloud_keys import BANK, NUMBERS, CloudKey, CloudKeys, bank_size, in_banks
from lem_safe.keys import BLOCK, Key

FIRST = Key(5).fold("chain")


def key_of(r: int) -> CloudKey:
    """The key of cloud r of one run."""
    own = FIRST if r == 0 else Key(5).fold("replica", r).fold("chain")
    return CloudKey.of(own, FIRST, r)


def draws(keys: list[Any], draw: str, fold: tuple[int | str, ...], one: Tensor) -> Tensor:
    return torch.cat([getattr(key.fold(*fold), draw)(one) for key in keys])


@pytest.mark.parametrize("shape", [(20, 2), (3,), (1, 5), (NUMBERS // 3, 1), (BLOCK + 1, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("clouds", [[0, 1, 2, 3], [BANK - 1, BANK], [2, 5, 2 * BANK + 3]])
def test_the_keys_of_clouds_draw_for_each_what_its_own_key_draws(
    shape: tuple[int, ...], dtype: torch.dtype, clouds: list[int]
) -> None:
    keys = [key_of(r) for r in clouds]
    one, together = torch.empty(shape, dtype=dtype), CloudKeys.side_by_side(keys)
    like, where = torch.empty(len(keys) * shape[0], *shape[1:], dtype=dtype), torch.tensor([0, -1])
    for fold in ((), (8,), ("noise", 2**70)):
        for draw in ("normal", "uniform"):
            alone = draws(keys, draw, fold, one)
            assert torch.equal(getattr(together.fold(*fold), draw)(like), alone)
            some = getattr(together.fold(*fold).of(where), draw)(like[: 2 * shape[0]])
            assert torch.equal(some, draws([keys[0], keys[-1]], draw, fold, one))
    later = CloudKeys.side_by_side([key.fold(3) for key in keys]).fold("u").uniform(like)
    assert torch.equal(later, draws(keys, "uniform", (3, "u"), one))


def test_cloud_70_alone_is_cloud_70_among_100() -> None:
    one = torch.empty(20, 2)
    together = CloudKeys.side_by_side([key_of(r) for r in range(100)]).fold(8, "noise")
    assert torch.equal(
        together.normal(torch.empty(2000, 2)).split(20)[70], key_of(70).fold(8).fold("noise").normal(one)
    )


@pytest.mark.parametrize("shape", [(20, 2), (NUMBERS, 1)])
def test_the_first_cloud_and_large_clouds_draw_from_their_own_key(shape: tuple[int, ...]) -> None:
    one, large = torch.empty(shape), bank_size(shape) == 1
    for r in (0, 1, BANK):
        assert torch.equal(key_of(r).normal(one), Key(key_of(r).value).normal(one)) == (r == 0 or large)


def must_be_distinct(keys: list[CloudKey]) -> None:
    """The numbers of all clouds, and of the same cloud at another step or for another purpose, are different
    and as good as independent.
    """
    rows = torch.stack(
        [
            CloudKeys.side_by_side(keys).fold(*at).normal(torch.empty(len(keys) * 40))
            for at in ((1,), (2,), ("u", 1))
        ]
    ).reshape(-1, 40)
    assert len(rows.flatten().unique()) > 0.99 * rows.numel()
    near = torch.corrcoef(rows).fill_diagonal_(0).abs().max()
    assert float(near) < 5 / math.sqrt(40)
    total = rows.double()
    assert abs(float(total.mean())) < 4 / math.sqrt(rows.numel())
    assert abs(float(total.square().mean()) - 1) < 4 * math.sqrt(2 / rows.numel())


CLOUDS = [*range(5), BANK - 1, BANK, BANK + 1, 2 * BANK, 2 * BANK + 1]


def test_no_two_clouds_share_noise() -> None:
    must_be_distinct([key_of(r) for r in CLOUDS])


@pytest.mark.parametrize("fault", ["the same place in a bank", "the same bank"])
def test_planted_fault_two_clouds_share_noise(fault: str) -> None:
    """Clouds of one bank that take the same part of it, and banks that are all the first."""
    wrong = {
        "the same place in a bank": lambda r: r // BANK * BANK,
        "the same bank": lambda r: r % BANK,
    }[fault]
    keys = [dataclasses.replace(key_of(r), index=wrong(r)) for r in CLOUDS]
    shared = [key.fold(1).normal(torch.empty(40)) for key in keys]
    assert len(torch.cat(shared).unique()) < 0.99 * 40 * len(keys)


def test_a_bank_is_no_larger_than_it_is_useful() -> None:
    assert bank_size((16, 2)) == BANK and bank_size((NUMBERS // 8, 2)) == 4
    assert bank_size((NUMBERS, 1)) == 1 and bank_size((0, 2)) == BANK
    assert in_banks(NUMBERS // 2) and not in_banks(NUMBERS // 2 + 1)


def test_the_keys_of_clouds_have_no_generator_in_common() -> None:
    together = CloudKeys.side_by_side([key_of(1), key_of(2)])
    for draw in (together.generator, lambda: together.permutation(3)):
        with pytest.raises(TypeError, match="in common"):
            draw()
    with pytest.raises(ValueError, match="3 particles cannot be 2 clouds"):
        together.normal(torch.empty(3, 1))


def test_the_keys_of_different_runs_are_refused() -> None:
    other = CloudKey.of(Key(6), Key(6), 2)
    for keys in ([key_of(1), other], [key_of(2), key_of(1)], [key_of(1), key_of(2).fold(3)]):
        with pytest.raises(ValueError, match="of one run, in ascending order"):
            CloudKeys.side_by_side(keys)


def test_a_generator_and_a_permutation_are_the_clouds_own() -> None:
    assert torch.equal(
        key_of(3).fold("rows").permutation(9), Key(key_of(3).value).fold("rows").permutation(9)
    )
