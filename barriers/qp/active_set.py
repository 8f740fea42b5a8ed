"""The multipliers at a known active set, and their derivatives by the implicit function theorem (Q.3)."""

from typing import Any

from jaxtyping import Bool, Float

from barriers.arrays import Tensor, torch

RELAXATION = 1e-7
"""ε of the relaxed problem min ½‖u − v‖² + (1/2ε)‖violation‖², with rows of unit length: small relative to 1,
large relative to rounding.
"""


def solve_on(
    G: Float[Tensor, "b m m"], r: Float[Tensor, "b m"], active: Bool[Tensor, "b m"]
) -> Float[Tensor, "b m"]:
    """μ_A = G_AA⁺ r_A, zero elsewhere; for dependent rows the solution of least length."""
    both = active[:, :, None] & active[:, None, :]
    length = G.diagonal(dim1=1, dim2=2).clamp(min=1e-200).sqrt()
    eye = torch.eye(G.shape[1], dtype=G.dtype, device=G.device)
    block = torch.where(both, G / (length[:, :, None] * length[:, None, :]), eye)
    target = torch.where(active, r / length, 0.0)
    solution, info = torch.linalg.solve_ex(block, target)
    miss = (times(block.detach(), solution.detach()) - target.detach()).abs().amax(1)
    good = (info == 0) & (miss <= 1e-9 * (1 + target.detach().abs().amax(1)))  # a NaN is not good
    if not bool(good.all()):
        pseudo = times(torch.linalg.pinv(block, hermitian=True, rtol=1e-12), target)
        solution = torch.where(good[:, None], solution, pseudo)
    return solution / length


def transformed(gram: Tensor, excess: Tensor, multipliers: Tensor, relaxed: Tensor) -> Tensor:
    """The multipliers with the derivatives of H⁻¹r on the active set, for transforms of torch.func."""
    μ = multipliers.detach()
    ε = torch.where(relaxed, RELAXATION, 0.0).to(μ)[:, None]
    G = gram.double()
    H = (G + G.mT) / 2 + torch.diag_embed(ε * G.diagonal(dim1=1, dim2=2))
    solved = solve_on(H, excess.double(), μ > 0)
    return μ + (solved - solved.detach())


class Implicit(torch.autograd.Function):
    """The multipliers as a function of G and r, at the active set that was found. Differentiable twice: the
    backward is plain torch.
    """

    @staticmethod
    def forward(ctx: Any, gram: Tensor, excess: Tensor, multipliers: Tensor, relaxed: Tensor) -> Tensor:
        μ = multipliers.clone()
        ctx.save_for_backward(gram, excess, μ, relaxed)
        return μ

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        gram, excess, μ, relaxed = ctx.saved_tensors
        ε = torch.where(relaxed, RELAXATION, 0.0).to(μ)[:, None]
        G = gram.double()
        H = (G + G.mT) / 2 + torch.diag_embed(ε * G.diagonal(dim1=1, dim2=2))
        y = solve_on(H, gradients[0], μ > 0)
        dG = -(y[:, :, None] * μ[:, None, :] + μ[:, :, None] * y[:, None, :]) / 2 - torch.diag_embed(
            ε * y * μ
        )
        return dG.to(gram.dtype), y.to(excess.dtype), None, None


def times(G: Tensor, μ: Tensor) -> Tensor:
    """Gμ of each problem."""
    return (G @ μ[:, :, None])[:, :, 0]
