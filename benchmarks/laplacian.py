"""The exact Laplacian of a network energy beside its peers: milliseconds of processor time a call, and
whether they agree.

    python -m benchmarks.laplacian [--rows 256] [--threads 1]

Every method is called in turn, and the shortest of its calls counts: on a shared machine the ratio means more
than the times.

forward     ours: the Jacobian travels forward beside the values, curvatures are summed on the way back
hessian     torch.func: vmap(hessian), trace taken
jacrev      torch.func: vmap(jacrev(grad)), trace taken
loop        d backward passes through a recorded gradient
hutchinson  one random direction a row: not exact, the price of an estimate
"""

import argparse
import math
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.func import grad, hessian, jacrev, vmap

from barriers.derivatives import autodiff_jet
from lem_safe.energies import MLP, Convolutional, Energy

SIZES = [(2, 64, 3), (5, 64, 3), (16, 128, 3), (64, 256, 2), (64, 256, 3), (256, 256, 3)]
"""Columns, width, depth, of MLPs; the convolutional network is that of 8 × 8 digits."""
EXACT = ("hessian", "jacrev", "loop")


def methods(energy: Energy) -> dict[str, Callable[[Tensor], Tensor]]:
    """Every way to a Laplacian, by name."""

    def one(row: Tensor) -> Tensor:
        return energy(row[None])[0]

    def trace(second: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda x: vmap(second)(x).diagonal(dim1=1, dim2=2).sum(-1)

    return {
        "forward": energy.laplacian,
        "hessian": trace(hessian(one)),
        "jacrev": trace(jacrev(grad(one))),
        "loop": lambda x: autodiff_jet(energy, x).laplacian,
        "hutchinson": lambda x: _hutchinson(energy, x),
    }


def _hutchinson(energy: Energy, x: Tensor) -> Tensor:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        (g,) = torch.autograd.grad(energy(x).sum(), x, create_graph=True)
        v = torch.randn_like(x).sign()
        (hv,) = torch.autograd.grad((g * v).sum(), x)
    return (hv * v).sum(-1)


def milliseconds(calls: dict[str, Callable[[], Tensor]], budget: float = 6.0) -> dict[str, float]:
    """The shortest processor time of each call, all of them called in turn until `budget` seconds are spent
    (3 times at least).
    """
    best = {name: math.inf for name in calls}
    spent, rounds = 0.0, 0
    while rounds < 4 or (spent < budget and rounds < 60):
        for name, call in calls.items():
            began = time.process_time()
            call()
            took = time.process_time() - began
            spent += took
            if rounds:  # the first round warms up
                best[name] = min(best[name], 1e3 * took)
        rounds += 1
    return best


def compared(energy: Energy, rows: int, **about: object) -> dict[str, object]:
    """One network: every method's time, how many times ours the best exact peer takes, and the largest
    relative gap between results.
    """
    x = torch.randn(rows, energy.dimension, generator=torch.Generator().manual_seed(1))
    every = methods(energy)
    spent = milliseconds({name: partial(f, x) for name, f in every.items()})
    exact = every["forward"](x)
    gap = max(float((every[name](x) - exact).abs().max() / exact.abs().max()) for name in EXACT)
    ratio = min(spent[name] for name in EXACT) / spent["forward"]
    times = {f"{name}_ms": round(took, 3) for name, took in spent.items()}
    return {
        **about,
        "columns": energy.dimension,
        "rows": rows,
        **times,
        "best_peer_over_forward": round(ratio, 2),
        "largest_gap": gap,
    }


def measure(rows: int = 256) -> list[dict[str, object]]:
    """A row a network."""
    found = []
    for d, width, depth in SIZES:
        energy = (
            MLP(hidden=width, depth=depth).build(d, torch.Generator().manual_seed(0)).requires_grad_(False)
        )
        found.append(compared(energy, rows, network="mlp", width=width, depth=depth))
        print(line(found[-1]), flush=True)
    digits = (
        Convolutional((1, 8, 8), (16, 32), hidden=64)
        .build(64, torch.Generator().manual_seed(0))
        .requires_grad_(False)
    )
    found.append(compared(digits, min(rows, 32), network="convolutional"))
    print(line(found[-1]), flush=True)
    return found


def line(row: dict[str, object]) -> str:
    return (
        "| "
        + " | ".join(f"{value:.0e}" if name == "largest_gap" else str(value) for name, value in row.items())
        + " |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    measure(arguments.rows)


if __name__ == "__main__":
    main()
