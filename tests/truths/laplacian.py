"""Second derivatives of networks: the forward Laplacian and its estimate (E.20, E.21)."""

import torch
from torch import Tensor, nn
from torch.func import hessian, vmap

from lem_safe.laplacian import Hutchinson, Residual, Sum, Total, forward_laplacian, linearize
from truths.clouds import F64, close, cloud


def _network() -> nn.Sequential:
    """One of every layer that has a rule, from 60 columns to a number; weights large enough for curvatures of
    order one.
    """
    net = nn.Sequential(
        nn.Unflatten(1, (2, 6, 5)),
        nn.Conv2d(2, 4, 3, padding=1, stride=2),
        nn.SiLU(),
        Residual(nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.Softplus(), nn.Conv2d(4, 4, 1))),
        nn.AvgPool2d(2, 1),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(16, 7),
        nn.Tanh(),
        Sum([nn.Linear(7, 5), nn.Sequential(nn.Linear(7, 5), nn.Sigmoid())]),
        nn.SiLU(),
        Total(),
    ).double()
    generator = torch.Generator().manual_seed(0)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            for p in layer.parameters():
                p.data = (
                    1.5
                    * torch.randn(p.shape, generator=generator, dtype=F64)
                    * layer.weight[0].numel() ** -0.5
                )
    return net.requires_grad_(False)


def _hessians(f: nn.Module, x: Tensor) -> Tensor:
    """∇²f at every row, by torch.func."""
    return vmap(hessian(lambda row: f(row[None])[0]))(x)


def carried() -> None:
    """f, ∇f and Δf of a network of every layer, and tr(VᵀHV) for a V that is not square, against torch.func
    (E.20).
    """
    net, x = _network(), cloud(5, d=60)
    H, V = _hessians(net, x), cloud(60, d=7)
    whole, part = (
        forward_laplacian(net, x, torch.eye(60, dtype=F64)[None]),
        forward_laplacian(net, x, V.T[None]),
    )
    close(whole.value, net(x))
    torch.testing.assert_close(whole.laplacian, H.diagonal(dim1=1, dim2=2).sum(1), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(part.laplacian, torch.einsum("ir,nij,jr->n", V, H, V), rtol=1e-10, atol=1e-10)
    value, pull = linearize(net, x)
    close(value, net(x))
    torch.testing.assert_close(pull(torch.ones_like(value)), whole.jacobian, rtol=1e-10, atol=1e-10)
    assert float(whole.laplacian.abs().min()) > 0.1  # and not because everything is 0


def estimated() -> None:
    """The estimate of tr(VᵀHV) has the mean and the variance 2Σ_{i≠j}(VᵀHV)²_ij/p that it claims (E.21)."""
    n, p = 4000, 4
    root, V = cloud(6, d=6, seed=3), cloud(6, d=3, seed=4)
    K = root @ root.T
    bent = V.T @ K @ V
    x = torch.zeros(n, 6, dtype=F64)
    found = Hutchinson(p).laplacian(
        lambda y: 0.5 * (y * (y @ K)).sum(1), x, V, torch.Generator().manual_seed(0)
    )
    variance = float(2 * (bent.square().sum() - bent.diagonal().square().sum()) / p)
    assert abs(float(found.mean() - bent.trace())) < 4 * (variance / n) ** 0.5
    assert abs(float(found.var()) / variance - 1) < 0.2
