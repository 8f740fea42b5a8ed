"""A ball is where its centre is now, however that was written, and wherever it was made."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from barriers.chances import chances
from barriers.noise import Noise
from barriers.pairs import beside
from barriers.sets import Ball
from barriers.small import columns_of
from lem_safe.keys import Key

WAYS: dict[str, Callable[[Ball], object]] = {
    "in place": lambda ball: ball.center.add_(0.7),
    "by its data": lambda ball: ball.center.data.add_(0.7),
    "as numpy": lambda ball: np.add(ball.center.numpy(), 0.7, out=ball.center.numpy()),
    "replaced": lambda ball: setattr(ball, "center", ball.center + 0.7),
    "loaded": lambda ball: ball.load_state_dict({"center": ball.center + 0.7}),
    "in single precision": lambda ball: setattr(ball, "center", ball.center.float() + 0.7),
}


def asked(ball: Ball, x: torch.Tensor) -> list[np.ndarray]:
    s, ds = ball.with_gradient(x)
    p = chances(ball, columns_of(x), Noise(0.2))
    near = beside([ball], x.repeat(40, 1), Noise(0.2))
    return [s.numpy(), ds.numpy(), ball.contains(x).numpy(), p.value, p.gradient, near.sums]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("way", WAYS)
def test_a_centre_that_is_written_is_used(way: str, dtype: torch.dtype) -> None:
    ball, x = Ball([0.0, 0.5], 0.6), Key(1).normal(torch.empty(40, 2, dtype=dtype))
    before = asked(ball, x)
    WAYS[way](ball)
    found, expected = asked(ball, x), asked(Ball(ball.center.tolist(), 0.6), x)
    for own, other in zip(found, expected, strict=True):
        assert np.array_equal(own, other)
    assert not np.array_equal(found[0], before[0])


def test_a_ball_made_in_inference_mode() -> None:
    x = Key(1).normal(torch.empty(40, 2))
    with torch.inference_mode():
        ball = Ball([0.0, 0.5], 0.6)
        within = asked(ball, x)
    for own, other in zip(asked(ball, x), within, strict=True):
        assert np.array_equal(own, other)
