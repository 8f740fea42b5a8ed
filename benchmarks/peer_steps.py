"""A step of unfiltered Langevin dynamics, ours beside torchebm's and ebmkit's, on one network.

`products` is the least that any of them has to do: the six matrix products of one gradient of the network,
nothing else, for all rows at once, by torch's operators into arrays that were allocated beforehand.
`faster_products` are the same by `barriers.products`, which takes oneDNN's where these are faster.
"""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import Tensor, nn

from barriers.products import products as quicker
from lem_safe.energies.base import Energy
from lem_safe.keys import Key
from lem_safe.samplers.langevin import Langevin

Steps = Callable[[int], object]
"""Takes that many steps from where it is."""


def ours(network: Energy, x: Tensor, step_size: float) -> Steps:
    """`lem_safe.samplers.langevin`, with the keys and the records that a run has."""
    sampler = Langevin(network, step_size)
    held = [sampler.init(x)]

    def take(steps: int) -> None:
        for k in range(steps):
            held[0], _ = sampler.step(Key(3).fold(k), held[0])

    return take


def products(network: Energy, x: Tensor, step_size: float) -> Steps:
    """The matrix products of a gradient."""
    matrices = [W.detach() for W in network.trunk.matrices]
    forward = [x.new_empty(len(x), len(W)) for W in matrices]
    backward = [x.new_empty(len(x), W.shape[1]) for W in matrices]

    def take(steps: int) -> None:
        for _ in range(steps):
            a = x
            for W, out in zip(matrices, forward, strict=True):
                a = torch.mm(a, W.T, out=out)
            for W, out in zip(reversed(matrices), reversed(backward), strict=True):
                a = torch.mm(a, W, out=out)

    return take


def faster_products(network: Energy, x: Tensor, step_size: float) -> Steps:
    """The matrix products of a gradient by the faster library, in the network's own pieces of rows."""
    matrices = [W.detach() for W in network.trunk.matrices]
    rows = network.at_once(x)

    def take(steps: int) -> None:
        with torch.no_grad():
            for _ in range(steps):
                for a in x.split(rows):
                    multiply = quicker(a)
                    for W in matrices:
                        a = multiply.times(a, W.T)
                    for W in reversed(matrices):
                        a = multiply.times(a, W)

    return take


def torchebm(network: Energy, x: Tensor, step_size: float) -> Steps:
    """torchebm.samplers.LangevinDynamics on its own BaseModel."""
    from torchebm.core import BaseModel
    from torchebm.samplers import LangevinDynamics

    class Model(BaseModel):
        def __init__(self) -> None:
            super().__init__()
            self.net = layers(network)

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x).squeeze(-1)

    sampler = LangevinDynamics(Model().requires_grad_(False), step_size=step_size, noise_scale=1.0)
    return lambda steps: sampler.sample(x=x, n_steps=steps)


def ebmkit(network: Energy, x: Tensor, step_size: float) -> Steps:
    """ebm.LangevinDynamics on ebm.nets.MLPEnergy."""
    import ebm

    widths = tuple(len(W) for W in network.trunk.matrices)
    model = ebm.nets.MLPEnergy(dim=x.shape[1], hidden=widths).requires_grad_(False)
    return lambda steps: ebm.LangevinDynamics(step_size=step_size, steps=steps).sample(model, x)


PEERS: dict[str, Callable[[Energy, Tensor, float], Steps]] = {"torchebm": torchebm, "ebmkit": ebmkit}


def layers(network: Energy) -> nn.Sequential:
    """The same function without the confining term, as torch's own layers."""
    built: list[nn.Module] = []
    for W, b in zip(network.trunk.matrices, network.trunk.biases, strict=True):
        linear = nn.Linear(W.shape[1], W.shape[0])
        linear.load_state_dict({"weight": W.detach(), "bias": b.detach()})
        built += [linear, nn.SiLU()]
    readout = nn.Linear(len(network.trunk.readout), 1, bias=False)
    readout.load_state_dict({"weight": network.trunk.readout.detach()[None]})
    return nn.Sequential(*built, readout)


def installed(peer: str) -> str | None:
    """Its version; None where it is not installed."""
    try:
        return version(peer)
    except PackageNotFoundError:
        return None
