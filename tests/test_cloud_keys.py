"""The keys of several clouds: each draws what it would draw alone."""

import pytest
import torch

from lem_safe.cloud_keys import CloudKeys
from lem_safe.keys import BLOCK, Key


@pytest.mark.parametrize("shape", [(20, 2), (3,), (1, 5), (BLOCK + 1, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_keys_of_clouds_draw_for_each_what_its_own_key_draws(
    shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    keys = [Key(5).fold("replica", r) for r in range(4)]
    one, together = torch.empty(shape, dtype=dtype), CloudKeys(keys)
    like = torch.empty(4 * shape[0], *shape[1:], dtype=dtype)
    for fold in ((), (8,), ("noise", 2**70)):
        for draw in ("normal", "uniform"):
            alone = torch.cat([getattr(key.fold(*fold), draw)(one) for key in keys])
            assert torch.equal(getattr(together.fold(*fold), draw)(like), alone)
    some = together.of(torch.tensor([1, 3])).uniform(like[: 2 * shape[0]])
    assert torch.equal(some, torch.cat([keys[1].uniform(one), keys[3].uniform(one)]))


def test_the_keys_of_clouds_have_no_generator_in_common() -> None:
    together = CloudKeys([Key(1), Key(2)])
    for draw in (together.generator, lambda: together.permutation(3)):
        with pytest.raises(TypeError, match="in common"):
            draw()
    with pytest.raises(ValueError, match="3 particles cannot be 2 clouds"):
        together.normal(torch.empty(3, 1))
