"""What is examined when a user's energy or score is called for the first time: shapes, finiteness, that rows
do not depend on each other nor on chance, the gradient, and whether U grows far out.
"""

from typing import TYPE_CHECKING, NamedTuple

from jaxtyping import Float

from barriers.arrays import Tensor, torch
from lem_safe.energies.own.confinement import check_growth
from lem_safe.keys import Key

if TYPE_CHECKING:
    from lem_safe.energies.own.own_energy import OwnEnergy
    from lem_safe.energies.own.own_score import OwnScore

ROWS, LEAST = 8, 3
"""The most rows that are examined; the fewest, to which copies with a little noise are added."""
LOOSE = 200.0
"""The rounding that two evaluations of one row may differ by, in spacings of the largest value."""


class Checked(NamedTuple):
    """The rows that were examined, float64, on the CPU."""

    rows: Float[Tensor, "k d"]


def check_energy(energy: "OwnEnergy", x: Float[Tensor, "n d"]) -> Checked:
    """Raises BadInput that names the energy and the remedy; returns the rows examined."""
    rows, function = rows_like(x), energy.function
    with torch.no_grad():
        U = energy.values(rows)
        _must_be_finite(energy, U, rows, "U")
        _must_be_of_rows(energy, U, rows)
    g = energy.pair(rows)[1]
    _must_be_finite(energy, g, rows, "the gradient of U")
    wrong = _slopes_missed(energy, rows, g)
    if wrong is not None:
        function.refuse(
            f"has a gradient that is not its slope: along a random direction finite differences give "
            f"{wrong[0]:.6g} and the gradient {wrong[1]:.6g}; "
            + (
                "gradient= must be ∇ of the same function, in its units"
                if energy.own_gradient is not None
                else "part of it is detached, or has a custom backward"
            )
        )
    check_growth(energy, rows, spread_of(x))
    return Checked(x[:64].detach().double().cpu())


def check_score(score: "OwnScore", x: Float[Tensor, "n d"]) -> Checked:
    """The same of a score, of which less can be known."""
    rows = rows_like(x)
    with torch.no_grad():
        s = score.values(rows)
        _must_be_finite(score, s, rows, "the score")
        _must_be_of_rows(score, s, rows)
    return Checked(x[:64].detach().double().cpu())


def rows_like(x: Float[Tensor, "n d"]) -> Float[Tensor, "k d"]:
    """A few of these rows, at least LEAST and not as many as columns, so that shapes tell rows from
    columns.
    """
    rows = x[torch.linspace(0, len(x) - 1, min(ROWS, len(x)), device=x.device).long()]
    least = LEAST if x.shape[1] != LEAST else LEAST + 1
    if len(rows) < least or len(rows) == x.shape[1]:
        more = rows[:1].expand(max(1, least - len(rows)), -1)
        noise = Key(0).fold("first call").normal(more)
        rows = torch.cat([rows, more + 1e-2 * (1 + more.abs()) * noise])
    return rows


def spread_of(x: Float[Tensor, "n d"]) -> float:
    """A length of the cloud: the root mean square distance from its centre, 1 where it has none."""
    found = float((x.double() - x.double().mean(0)).square().sum(1).mean().sqrt())
    return found if found > 0 else 1.0


def _must_be_finite(of: "OwnEnergy | OwnScore", y: Tensor, rows: Tensor, what: str) -> None:
    bad = ~y.isfinite()
    if bool(bad.any()):
        k = int(bad.reshape(len(y), -1).any(1).nonzero()[0, 0])
        at = ", ".join(f"{v:.4g}" for v in rows[k].tolist()[:6]) + (", ..." if rows.shape[1] > 6 else "")
        of.function.refuse(
            f"{what} is not finite at ({at}); start where it is (init=), or extend it smoothly to there"
        )


def _must_be_of_rows(of: "OwnEnergy | OwnScore", y: Tensor, rows: Tensor) -> None:
    """Refuses what depends on chance, or on the other rows of a batch."""
    room = LOOSE * of.function.spacing(y) * (1 + float(y.abs().max()))
    if float((y - of.values(rows)).abs().max()) > room:
        of.function.refuse(
            "gives different values for the same rows: it draws random numbers, as dropout does; call "
            ".eval() on the module, or fix its noise"
        )
    try:
        apart = float((y[:1] - of.values(rows[:1])).abs().max()) > room
    except (RuntimeError, ValueError):  # batch normalisation refuses to be trained on one row
        apart = True
    if apart:
        of.function.refuse(
            "gives a row another value alone than among others: it treats a batch as a whole, as batch "
            "normalisation does; call .eval() on the module"
        )


def _slopes_missed(energy: "OwnEnergy", rows: Tensor, g: Tensor) -> tuple[float, float] | None:
    """The finite difference and the slope at a row, where most rows disagree by more than rounding and
    curvature explain; None where they agree.
    """
    v = torch.nn.functional.normalize(Key(0).fold("slope").normal(rows))
    eps = energy.function.spacing(rows)
    size = rows.norm(dim=1, keepdim=True).clamp(min=1.0)

    def slope(step: float) -> tuple[Tensor, Tensor]:
        h = step * size
        with torch.no_grad():
            up, down = energy.values(rows + h * v).double(), energy.values(rows - h * v).double()
        return (up - down) / (2 * h[:, 0].double()), eps * (up.abs() + down.abs()) / h[:, 0].double()

    step = eps ** (1 / 3)
    (near, rounding), (far, _) = slope(step), slope(2 * step)
    own = (g * v).double().sum(1)
    room = 4 * (near - far).abs() + 16 * rounding + 1e-3 * (near.abs() + own.abs()) + eps
    missed = (near - own).abs() > room
    if int(missed.sum()) <= len(rows) // 2:
        return None
    k = int(((near - own).abs() - room).argmax())
    return float(near[k]), float(own[k])
