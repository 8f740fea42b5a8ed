"""Keys: the same key, the same numbers; other data, other streams; blocks that do not know how many there
are.
"""

import pytest
import torch

from lem_safe.keys import BLOCK, Key, Part, PartKey, divided


def test_same_key_same_numbers_and_no_global_generator() -> None:
    torch.manual_seed(1)
    a = Key(3).fold("noise", 7).normal(torch.empty(1000, 2))
    torch.manual_seed(2)
    assert torch.equal(a, Key(3).fold("noise", 7).normal(torch.empty(1000, 2)))


def test_folding_separates_streams() -> None:
    keys = {Key(s).fold(a, b).value for s in range(5) for a in range(20) for b in ("x", "y", 3)}
    assert len(keys) == 300
    a, b = (Key(0).fold(k).normal(torch.empty(200_000)) for k in (0, 1))
    assert abs(float((a * b).mean())) < 4 / 200_000**0.5


def test_a_block_is_the_same_however_many_follow() -> None:
    short, long = Key(5).normal(torch.empty(BLOCK, 2)), Key(5).normal(torch.empty(3 * BLOCK + 17, 2))
    assert torch.equal(short, long[:BLOCK])


def test_normal_and_uniform_moments() -> None:
    n = 400_000
    z, u = (
        Key(1).normal(torch.empty(n, dtype=torch.float64)),
        Key(2).uniform(torch.empty(n, dtype=torch.float64)),
    )
    assert abs(float(z.mean())) < 4 / n**0.5 and abs(float(z.var()) - 1) < 4 * (2 / n) ** 0.5
    assert abs(float(u.mean()) - 0.5) < 4 * (1 / 12 / n) ** 0.5 and float(u.min()) >= 0 and float(u.max()) < 1


@pytest.mark.parametrize("big", [2**64 - 1, 2**70 + 1])
def test_large_and_long_data_do_not_collapse(big: int) -> None:
    assert Key(0).fold(big).value != Key(0).fold(big - 1).value
    assert Key(0).fold("a" * 40).value != Key(0).fold("a" * 41).value


@pytest.mark.parametrize("parts", [1, 2, 3, 9])
def test_a_part_draws_what_the_cloud_draws_for_it(parts: int) -> None:
    key, like = Key(4).fold("chain").fold(7), torch.empty(2 * BLOCK + 5, 3)
    for name in ("normal", "uniform"):
        whole = getattr(key.fold(name), name)(like)
        found = [
            getattr(PartKey.of(key, part).fold(name), name)(like[part.rows])
            for part in divided(len(like), parts)
        ]
        assert torch.equal(torch.cat(found), whole)


def test_parts_are_whole_blocks() -> None:
    for n, parts, sizes in [
        (5 * BLOCK, 2, [3 * BLOCK, 2 * BLOCK]),
        (BLOCK + 1, 4, [BLOCK, 1]),
        (7, 3, [7]),
        (4 * BLOCK, 4, [BLOCK] * 4),
    ]:
        found = divided(n, parts)
        assert [len(part) for part in found] == sizes
        assert [part.start for part in found] == [sum(sizes[:i]) for i in range(len(sizes))]


def test_a_part_has_no_generator_of_its_own() -> None:
    key = PartKey.of(Key(1), Part(BLOCK, 2 * BLOCK))
    with pytest.raises(TypeError, match="part of a cloud"):
        key.generator()
    with pytest.raises(TypeError, match="part of a cloud"):
        key.permutation(3)


@pytest.mark.parametrize("data", [(-1,), (3, -(2**70)), ("noise", -5)])
def test_a_negative_number_is_refused(data: tuple[int | str, ...]) -> None:
    with pytest.raises(ValueError, match="numbers must be >= 0; got -"):
        Key(1).fold(*data)
