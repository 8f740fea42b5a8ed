"""Every function that regions are written in gives torch's numbers over numpy, and torch's derivatives."""

import numpy as np
import pytest
import torch

from barriers.plain import functional, namespace
from barriers.plain.needs import WithoutTorch

GENERATOR = np.random.default_rng(5)
X, Y = GENERATOR.normal(size=(7, 4)), GENERATOR.normal(size=(7, 4))
P, V, M = np.abs(X) + 0.1, GENERATOR.normal(size=4), GENERATOR.normal(size=(4, 3))
INDEX = np.array([3, 1, 1])

OF_ONE = (
    "abs neg square sqrt rsqrt reciprocal exp expm1 log log1p log2 log10 sin cos tan atan sinh cosh "
    "tanh sigmoid relu sign floor ceil trunc isfinite isnan isinf signbit logical_not frexp clone "
    "detach double nan_to_num t flatten sum mean prod amax amin max min argmax argmin median norm "
    "std var "
)
OF_TWO = (
    "add sub mul div remainder minimum maximum hypot floor_divide nextafter eq ne lt le gt ge atan2 "
    "logical_and logical_or logical_xor "
)
CALLS = {
    **{name: lambda m, x, name=name: getattr(x, name)() for name in OF_ONE.split()},
    **{
        f"{name} of two": lambda m, x, name=name: getattr(m, name)(x, m.from_numpy(Y))
        for name in OF_TWO.split()
    },
    "operators": lambda m, x: (2 - x) * 3 / (x * x + 1) - 1.5**x + x**3 - (-x) ** 2 + x % 0.7,
    "powers": lambda m, x: x.abs() ** 1.5 + x.abs() ** 0.5 + x**2.0 + 1 / x.abs() ** -1 + x.abs().pow(-2.0),
    "comparisons": lambda m, x: (x > 0) & ~(x <= 0.5) | (x != x) ^ (x >= 1),
    "where": lambda m, x: m.where(x > 0, x, -2.0 * x) + x.where(x < 1, 0.5),
    "clamp": lambda m, x: x.clamp(-0.5, 0.5) + x.clamp(min=0) + x.clamp(max=m.from_numpy(V)),
    "sums": lambda m, x: x.sum(0) + x.sum((0, 1)) + x.mean(0, keepdim=True) + x.prod(1).sum(),
    "extremes": lambda m, x: x.amax(1) * x.amin(-1) + x.max(1).values - x.min(1).values,
    "places": lambda m, x: x.argmin(1) + x.max(1).indices + x.argsort(1)[:, 0] + (x > 0).nonzero().sum(),
    "any, all": lambda m, x: (x > 0).any(1) & (x < 9).all(1) & (x > 9).any().logical_not(),
    "norms": lambda m, x: x.norm(dim=1) + x.norm() + m.linalg.norm(x, 2, 1) + x.square().sum(-1).sqrt(),
    "logsumexp": lambda m, x: x.logsumexp(1) + m.logsumexp(x, (0, 1)) + x.softmax(1)[:, 0],
    "shapes": lambda m, x: (
        x.reshape(2, 14).view(7, 4).unsqueeze(1).squeeze(1).unflatten(1, (2, 2)).flatten(1)
    ),
    "broadcast": lambda m, x: x[:, None].expand(7, 5, 4) + x[0].expand_as(x)[:, None] + x.T.mT[:, None],
    "parts": lambda m, x: m.cat([*x.split(3)], 0) + m.stack(x.unbind(1), 1) + m.cat(x.chunk(2, 1), 1),
    "indices": lambda m, x: x[1:, [0, 2]] * 2 + x[m.from_numpy(INDEX)][:, None, :2].sum(0) + x[..., -1:][:6],
    "masks": lambda m, x: x[x > 0].sum() + x.masked_fill(x > 0, 3.0).sum() + x[(x > 0).any(1)].sum(),
    "gather": lambda m, x: x.gather(1, x.argsort(1)) + x.sort(1, True).values + x.flip(0).roll(1, 1),
    "assigned": lambda m, x: _assigned(x.clone(), m.zeros(4, dtype=m.float64)),
    "index_copy": lambda m, x: x.index_copy(0, m.from_numpy(INDEX[:2]), 2 * x[:2]),
    "products": lambda m, x: x @ m.from_numpy(M) + (x @ x[0])[:, None] + x[:, :1] @ m.from_numpy(M)[:1],
    "einsum": lambda m, x: m.einsum("nd,dk->nk", x, m.from_numpy(M)) + m.einsum("nd,nd->n", x, x)[:, None],
    "pad": lambda m, x: functional_of(m).pad(x, (1, 0), value=2.0),
    "softplus": lambda m, x: functional_of(m).softplus(x, threshold=40),
    "cdist": lambda m, x: m.cdist(x, m.from_numpy(Y)),
    "cumsum": lambda m, x: x.cumsum(1) + m.cumsum(x, dim=0),
    "diff": lambda m, x: x.diff(dim=1) + m.diff(x, dim=-1),
    "ldexp": lambda m, x: m.ldexp(x, m.from_numpy(INDEX[:1])),
    "hypot of columns": lambda m, x: m.hypot(x[:, 0], x[:, 1]),
}


def functional_of(m):
    return functional if m is namespace else torch.nn.functional


def _assigned(x, zeros):
    x[1] = zeros
    x[:, 2] = x[:, 0] * 2
    return x


def parts(found):
    if isinstance(found, tuple):
        return [p for part in found for p in parts(part)]
    return [np.asarray(found.detach().numpy())]


@pytest.mark.parametrize("name", CALLS)
def test_numbers_and_their_dtypes_are_those_of_torch(name):
    for start in (X, P):
        for dtype in (np.float64, np.float32):
            if dtype is np.float32 and "of two" not in name and name not in OF_ONE.split():
                continue
            with torch.no_grad(), namespace.no_grad():
                ours, theirs = (CALLS[name](m, m.from_numpy(start.astype(dtype))) for m in (namespace, torch))
            for mine, its in zip(parts(ours), parts(theirs), strict=True):
                assert mine.dtype == its.dtype and mine.shape == its.shape
                np.testing.assert_allclose(mine, its, rtol=2e-6 if dtype is np.float32 else 1e-13)


NO_DERIVATIVE = {"frexp", "argmax", "argmin", "median", "std", "var", "places", "any, all", "comparisons"}
NO_DERIVATIVE |= {"prod", "floor_divide of two", "nextafter of two"}


@pytest.mark.parametrize("name", [name for name in CALLS if name not in NO_DERIVATIVE])
def test_derivatives_are_those_of_torch(name):
    def gradient(m, start):
        x = m.from_numpy(start.copy()).requires_grad_()
        y = CALLS[name](m, x)
        y = y[0] if isinstance(y, tuple) else y
        if not (y.requires_grad and y.is_floating_point()):
            return None
        (found,) = m.autograd.grad((y * y).sum(), x, allow_unused=True)
        return None if found is None else found.numpy()

    for start in (X, P):
        with torch.enable_grad(), namespace.enable_grad():
            ours, theirs = gradient(namespace, start), gradient(torch, start)
        assert (ours is None) == (theirs is None)
        if ours is not None:
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


DEFINITE = np.array([[[2.0, 0.5], [0.5, 1.0]], [[4.0, 1.0], [1.0, 5.0]]])
MADE = {
    "tensor": lambda m: (
        m.tensor([1.5, 2]),
        m.tensor([1, 2]),
        m.tensor([True]),
        m.tensor(2.0, dtype=m.float64),
    ),
    "filled": lambda m: (m.zeros(2, 3), m.ones((2,)), m.full((2,), 3.0), m.full((2,), 3), m.eye(3)),
    "ranges": lambda m: (m.arange(4), m.arange(1, 2, 0.25), m.linspace(0, 1, 7, dtype=m.float64)),
    "like": lambda m: (m.zeros_like(m.ones(2)), m.full_like(m.ones(2), 4), m.ones(2).new_tensor([1, 2])),
    "promoted": lambda m: (
        m.tensor([1, 2]) / 2,
        m.tensor([1, 2]) * 0.5,
        m.tensor([1, 2]) + m.tensor([0.5, 1], dtype=m.float64),
        m.tensor([0.5], dtype=m.float32) * m.tensor(2.0, dtype=m.float64),
        m.tensor([True, False]).sum(),
        m.tensor([0.5, 1]) + m.tensor([0.5, 1], dtype=m.float64),
        m.where(m.tensor([True, False]), 1.0, 0.0),
        m.tensor([4, 9]).sqrt(),
    ),
    "indices": lambda m: (
        m.triu_indices(3, 3, 1),
        m.tensor([3, 1, 3]).unique(),
        m.bincount(m.tensor([1, 1, 2])),
    ),
    "factors": lambda m: (
        m.linalg.cholesky_ex(m.from_numpy(DEFINITE)).L,
        m.linalg.cholesky_ex(m.from_numpy(DEFINITE - 3 * np.eye(2)))[1],
        m.linalg.slogdet(m.from_numpy(DEFINITE)).logabsdet,
        m.cholesky_solve(m.from_numpy(DEFINITE[0]), m.from_numpy(np.linalg.cholesky(DEFINITE[1]))),
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_new_tensors_have_torchs_dtypes(name):
    for mine, its in zip(MADE[name](namespace), MADE[name](torch), strict=True):
        assert str(mine.dtype) == str(its.dtype).removeprefix("torch.") and tuple(mine.shape) == tuple(
            its.shape
        )
        np.testing.assert_allclose(mine.numpy(), its.numpy(), rtol=1e-15)


def test_what_is_not_there_may_be_mentioned_and_not_used():
    layer, operation = namespace.nn.SiLU, namespace.ops.aten.mul
    for asked in (layer, operation, lambda: namespace.tensor([1.0]).lu(), lambda: namespace.compile):
        with pytest.raises(WithoutTorch):
            found = asked()
            found()


def test_a_number_of_many_is_refused_as_torch_refuses_it():
    for m in (namespace, torch):
        with pytest.raises(ValueError, match="only one element"):
            float(m.tensor([1.0, 2.0]))
        with pytest.raises(RuntimeError, match="cannot be converted to Scalar"):
            m.tensor([1.0, 2.0]).item()
