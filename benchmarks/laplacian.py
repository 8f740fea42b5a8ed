"""The exact Laplacian of an MLP energy beside its peers: milliseconds a call, and whether they agree.

    python -m benchmarks.laplacian [--rows 256] [--threads 1]

forward     ours: the Jacobian travels forward beside the values, curvatures are summed on the way back
hessian     torch.func: vmap(hessian), trace taken
jacrev      torch.func: vmap(jacrev(grad)), trace taken
loop        d backward passes through a recorded gradient
hutchinson  one random direction a row: not exact, the price of an estimate
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.func import grad, hessian, jacrev, vmap

from barriers.derivatives import autodiff_jet
from lem_safe.energies import MLP, Energy

SIZES = [(2, 64, 3), (5, 64, 3), (16, 128, 3), (64, 256, 2), (64, 256, 3), (256, 256, 3)]
"""Columns, width, depth."""


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


def milliseconds(call: Callable[[], Tensor], budget: float = 1.5) -> float:
    """The median time of a call, after one to warm up, over as many calls as fit in `budget` seconds (3 at least)."""
    call()
    times: list[float] = []
    while len(times) < 3 or (sum(times) < budget and len(times) < 100):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return 1e3 * sorted(times)[len(times) // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print("|   d | width | depth | forward | hessian | jacrev | loop | hutchinson | best exact peer / forward | largest gap |")
    print("| --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |")
    for d, width, depth in SIZES:
        energy = MLP(hidden=width, depth=depth).build(d, torch.Generator().manual_seed(0)).requires_grad_(False)
        x = torch.randn(arguments.rows, d, generator=torch.Generator().manual_seed(1))
        every = methods(energy)
        spent = {name: milliseconds(partial(f, x)) for name, f in every.items()}
        exact = every["forward"](x)
        gap = max(float((every[name](x) - exact).abs().max() / exact.abs().max()) for name in ("hessian", "jacrev", "loop"))
        best = min(spent[name] for name in ("hessian", "jacrev", "loop"))
        cells = [d, width, depth, *(f"{spent[name]:.2f}" for name in every), f"{best / spent['forward']:.1f}", f"{gap:.0e}"]
        print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main()
