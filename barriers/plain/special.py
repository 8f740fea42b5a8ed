"""torch.special, by scipy, which is imported when it is asked for."""

from __future__ import annotations

from typing import Any

from barriers.plain import functional as f
from barriers.plain.tensor import Tensor, made, unrecorded

expit, logit, log1p, expm1, logsumexp, softmax = f.sigmoid, f.logit, f.log1p, f.expm1, f.logsumexp, f.softmax
_DENSITY = 0.3989422804014327


def ndtr(x: Tensor) -> Tensor:
    import numpy as np
    from scipy.special import ndtr as of

    return made(of, x, back=[(x, lambda g: g * _DENSITY * np.exp(-0.5 * x.array**2))])


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    from scipy import special

    of = getattr(special, {"digamma": "psi"}.get(name, name))
    return lambda x, *others: unrecorded(x, made(of, x, *others).array)
