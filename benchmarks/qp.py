"""The filter's QP beside its peers: one solve and its gradient, as a multiple of the structured dual's time.
Float64, one thread.

    python -m benchmarks.qp

structured  ours: the m-variable dual, implicit derivatives
qpth        its layer as published, default settings, on the same primal
cvxpy       canonicalisation and Clarabel, derivatives by our implicit formula (diffcp would come on top)
quadprog    Goldfarb–Idnani on the primal, no gradient at all: a lower bound for it
"""

import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import quadprog
import torch
from qpth.qp import QPFunction
from torch import Tensor

from barriers.qp import project

CASES = {
    "ensemble n·d=500, m=3": (1, 3, 500),
    "ensemble n·d=2000, m=3": (1, 3, 2000),
    "200 pointwise, d=16, m=8": (200, 8, 16),
}
"""Problems in a batch, constraints, unknowns."""
PEERS = ("qpth", "cvxpy", "quadprog")
PACKAGES = ("torch", "numpy", *PEERS)


def case(b: int, m: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """v, A, c of problems with about half of the rows active, feasible, as leaves of the graph."""
    g = torch.Generator().manual_seed(0)
    v, A, x = (
        torch.randn(*s, generator=g, dtype=torch.float64) for s in ((b, size), (b, m, size), (b, size))
    )
    c = torch.einsum("bmj,bj->bm", A, 0.5 * v + 0.2 * x) + 0.1
    return v.requires_grad_(), A.requires_grad_(), c.requires_grad_()


def qpth_layer(v: Tensor, A: Tensor, c: Tensor) -> Tensor:
    """min ½‖u − v‖² s.t. A u ≤ c as qpth's documentation writes it."""
    Q = torch.eye(v.shape[1], dtype=v.dtype).expand(v.shape[0], -1, -1)
    empty = torch.empty(0, dtype=v.dtype)
    return QPFunction(verbose=-1)(Q, -v, A, c, empty, empty)


def quadprog_points(v: Tensor, A: Tensor, c: Tensor) -> Tensor:
    """One problem after the other, forward only."""
    eye = np.eye(v.shape[1])
    arrays = zip(*(x.detach().numpy() for x in (v, A, c)), strict=True)
    return torch.from_numpy(np.stack([quadprog.solve_qp(eye, p, -a.T, -b)[0] for p, a, b in arrays]))


def methods() -> dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]]:
    """u from v, A, c, by name; ours first."""
    return {
        "structured": lambda v, A, c: project(v, A, c).u,
        "qpth": qpth_layer,
        "cvxpy": lambda v, A, c: project(v, A, c, backend="cvxpy").u,
        "quadprog": quadprog_points,
    }


def seconds(call: Callable[[], object], budget: float) -> float:
    """The median time of a call over as many as fit in `budget` seconds; one to warm up, unless that alone
    filled it.
    """
    times: list[float] = []
    while not times or (sum(times) < budget and len(times) < 100):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return sorted(times[1:] or times)[len(times[1:] or times) // 2]


def forward_and_backward(
    f: Callable[[Tensor, Tensor, Tensor], Tensor], inputs: tuple[Tensor, Tensor, Tensor]
) -> None:
    u = f(*inputs)
    if u.requires_grad:
        torch.autograd.grad(u.square().sum(), inputs)


def measure(budget: float = 2.0) -> list[dict[str, object]]:
    """A row a case and peer: its time over ours, both times in ms, the largest difference of the points,
    versions. Prints as it goes.
    """
    versions = {name: version(name) for name in PACKAGES}
    rows: list[dict[str, object]] = []
    for name, (b, m, size) in CASES.items():
        inputs = case(b, m, size)
        ours = seconds(lambda inputs=inputs: forward_and_backward(methods()["structured"], inputs), budget)
        u = methods()["structured"](*inputs).detach()
        for peer in PEERS:
            f = methods()[peer]
            theirs = seconds(lambda f=f, inputs=inputs: forward_and_backward(f, inputs), budget)
            gap = float((f(*inputs).detach() - u).abs().max()) if theirs < 3 else float("nan")
            row = {
                "name": f"{name}: {peer}",
                "ratio": theirs / ours,
                "ours_ms": 1e3 * ours,
                "peer_ms": 1e3 * theirs,
                "gap": gap,
            }
            rows.append({**row, "versions": versions})
            print(
                f"{row['name']:42s} {theirs / ours:9.1f}x   ours {1e3 * ours:8.2f} ms   gap {gap:.0e}",
                flush=True,
            )
    return rows


if __name__ == "__main__":
    torch.set_num_threads(1)
    measure()
