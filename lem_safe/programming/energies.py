"""`lem_safe.energy` and `lem_safe.score`: what a user has, as an energy for every sampler."""

from collections.abc import Callable, Sequence
from typing import Any, SupportsInt

from barriers.arrays import torch
from barriers.sets.any_dtype import name_of
from lem_safe.energies import Tempered
from lem_safe.energies.base import Energy
from lem_safe.energies.own.function import Function
from lem_safe.energies.own.own_energy import OwnEnergy
from lem_safe.energies.own.own_score import OwnScore
from lem_safe.errors import BadInput, Fault
from lem_safe.programming.shaped import checked_shape, shaped, width

Energetic = Any
"""A module, a function of rows, a distribution, or an energy of this package."""


def energy(
    of: Energetic,
    *,
    temperature: float = 1.0,
    log_density: bool = False,
    gradient: Callable[[Any], Any] | None = None,
    dimension: int | None = None,
    shape: Sequence[SupportsInt] | None = None,
    confined: bool = True,
    name: str | None = None,
) -> Energy:
    """The energy U(x)/ε of a module or any function of rows [n, d] that returns U in nats, [n] or [n, 1]; or
    of a distribution: any object with `log_prob`, whose U is −log_prob.

    temperature: ε > 0 of an energy published at one (E.1). log_density: `of` returns log ρ, whose U is −log
    ρ. gradient: ∇ of what `of` returns, of rows [n, d], where automatic differentiation gives none (numpy,
    Stan). dimension: d, by default that of the first rows. shape: of paths, such as (32, 2): `of` is then
    called with [n, 32, 2], where rows are [n, 64]. confined: False allows an energy that does not
    grow far out, for short runs. name: what messages call it. Its dtype and device are those of the module.
    The first call examines it; BadInput names it, what is wrong with it and the remedy.
    """
    if not (isinstance(temperature, int | float) and 0 < temperature < float("inf")):
        raise BadInput(Fault(f"must be a number > 0, in nats; got {temperature!r}", key="temperature"))
    if isinstance(of, Energy):
        return of if temperature == 1 else Tempered(of, temperature)
    function, sign = of, 1.0
    if hasattr(of, "log_prob"):
        _must_have_full_support(of)
        function, sign, name = of.log_prob, -1.0, name or type(of).__name__
    elif log_density:
        sign = -1.0
    if not callable(function):
        raise BadInput(
            Fault(
                f"lem_safe.energy: needs a module, a function of rows [n, d] or a distribution; got one of "
                f"type {type(of).__name__}"
            )
        )
    shape = checked_shape(shape, "lem_safe.energy")
    given = Function(shaped(function, shape), "energy", name)
    if sign < 0 and isinstance(of, torch.nn.Module):
        given.dtype, given.device = Function(of, "energy").dtype, Function(of, "energy").device
    return OwnEnergy(
        given,
        sign=sign,
        temperature=float(temperature),
        gradient=None if gradient is None else _gradient(gradient, shape, given.name),
        dimension=dimension if shape is None else width(shape),
        confined=confined,
    )


def score(
    of: Any,
    *,
    temperature: float = 1.0,
    dimension: int | None = None,
    shape: Sequence[SupportsInt] | None = None,
    name: str | None = None,
) -> Energy:
    """The energy of which a module or function of rows gives the score s = −∇U, [n, d], alone: for the
    samplers langevin, annealed, underdamped and flow, with any filter. A Metropolis test, log Z and monitors
    of U need U itself, and refuse. temperature: ε, for s/ε. The rest as for `energy`.
    """
    if not callable(of):
        kind = type(of).__name__
        raise BadInput(
            Fault(f"lem_safe.score: needs a module or a function of rows [n, d]; got one of type {kind}")
        )
    if not (isinstance(temperature, int | float) and 0 < temperature < float("inf")):
        raise BadInput(Fault(f"must be a number > 0, in nats; got {temperature!r}", key="temperature"))
    shape = checked_shape(shape, "lem_safe.score")
    function = of if shape is None else _as_rows(shaped(of, shape))
    d = dimension if shape is None else width(shape)
    return OwnScore(Function(function, "score", name or name_of(of)), scale=1 / temperature, dimension=d)


def _gradient(gradient: Callable[[Any], Any], shape: Sequence[int] | None, name: str) -> Function:
    """∇ of what a function of this name returns."""
    return Function(
        gradient if shape is None else _as_rows(shaped(gradient, shape)), "gradient", f"of {name}"
    )


def _as_rows(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same with results [n, d] where it returns paths."""
    if isinstance(function, torch.nn.Module):
        return torch.nn.Sequential(function, torch.nn.Flatten())
    return lambda x: (lambda y: y.reshape(len(y), -1))(function(x))


def _must_have_full_support(of: Any) -> None:
    """Refuses a distribution of torch over a part of the space alone: a step of a sampler leaves it."""
    support = getattr(of, "support", None)
    if not isinstance(of, torch.distributions.Distribution) or support is None:
        return
    far = torch.tensor([-1e3, -1.0, 0.0, 1.0, 1e3]).reshape(-1, *(1,) * len(of.batch_shape + of.event_shape))
    rows = far.expand(-1, *of.batch_shape, *of.event_shape)
    if not bool(support.check(rows).all()):
        raise BadInput(
            Fault(
                f"energy {type(of).__name__}: its support is {support}, a part of the space, and steps of a "
                "sampler leave it; sample a transformed variable "
                "(torch.distributions.TransformedDistribution), such as the logarithm of what is positive"
            )
        )
