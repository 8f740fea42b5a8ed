"""What the tests' checker of shapes and types notices, decorated as the packages are."""

from typing import Any

import pytest
import torch
from jaxtyping import Float
from shape_checker import TypeCheckError, checked
from torch import Tensor


@checked
def first(x: Float[Tensor, "n d"], rows: int, result: Any) -> Float[Tensor, "rows d"]:
    """Whatever is given as `result`."""
    del x, rows
    return result


@checked
def length(x: Float[Tensor, "n d"], y: Float[Tensor, "n"], scale: float = 1) -> Float[Tensor, "n"]:
    return scale * (x.norm(dim=1) + y)


@checked
def shaped(x: Float[Tensor, "n d"], result: Any) -> tuple[Float[Tensor, "n"], Float[Tensor, "d d"]]:
    del x
    return result


def test_what_fits_passes_every_time() -> None:
    for n in (3, 5, 1):
        assert length(torch.ones(n, 2), torch.ones(n), 2).shape == (n,)
        shaped(torch.ones(n, 2), (torch.ones(n), torch.ones(2, 2)))


@pytest.mark.parametrize(
    "arguments",
    [
        (torch.ones(3), torch.ones(3)),
        (torch.ones(3, 2), torch.ones(4)),
        (torch.ones(3, 2, dtype=torch.long), torch.ones(3)),
        (torch.ones(3, 2), torch.ones(3), "1"),
    ],
)
def test_arguments_that_do_not_fit_are_noticed_after_others_that_did(arguments: tuple[Any, ...]) -> None:
    length(torch.ones(3, 2), torch.ones(3))
    with pytest.raises(TypeCheckError, match="parameter"):
        length(*arguments)


@pytest.mark.parametrize(
    "result",
    [
        (torch.ones(2), torch.ones(2, 2)),
        (torch.ones(3), torch.ones(2, 3)),
        (torch.ones(3), torch.ones(3, 3)),
        (torch.ones(3), torch.ones(2, 2, dtype=torch.long)),
        (torch.ones(3), None),
        torch.ones(3),
    ],
)
def test_a_result_is_held_to_the_sizes_of_the_arguments(result: Any) -> None:
    with pytest.raises(TypeCheckError, match="return"):
        shaped(torch.ones(3, 2), result)
    with pytest.raises(TypeCheckError, match="return"):
        first(torch.ones(3, 2), 1, torch.ones(4, 5))


def test_what_is_imported_under_the_hook_is_decorated(request: pytest.FixtureRequest) -> None:
    """The simulations run without it."""
    from barriers.sets import Ball

    if request.config.getoption("--jaxtyping-packages"):
        with pytest.raises(TypeCheckError, match="parameter"):
            Ball([0.0, 0.0], 1.0).jet(torch.ones(3, dtype=torch.long))
