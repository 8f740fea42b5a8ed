"""The iterates of Newton's method for the multipliers of several clouds, each of which stops where it would
have stopped alone.

An iteration is a map μ ↦ μ', so a cloud that has come back to an earlier μ goes round in a cycle. Where the
iterations to come are whole rounds of it, they end where the cloud is now and find nothing new: it can stop.
"""

from jaxtyping import Bool, Float, Int

from barriers.arrays import Tensor, torch

ITERATIONS = 12
PERIODS = (1, 2, 3)
"""The lengths of cycles that are looked for."""
EARLIEST = max(PERIODS) + 1
"""The first iteration after which they are; most clouds have stopped by then."""


class Iterates:
    """The clouds that Newton's method works on.

    left: their places among all that there were. going: which of them are not finished; the others stay until
    they are half of them, since taking a few clouds out of a tensor costs more than it saves.
    """

    def __init__(self, clouds: int, device: torch.device):
        self.left = torch.arange(clouds, device=device)
        self.going = torch.ones(clouds, dtype=torch.bool, device=device)
        self.taken = 0
        self._past: list[Tensor] = []

    def after(self, μ: Float[Tensor, "q m"], finished: Bool[Tensor, "q"]) -> Int[Tensor, "k"] | None:
        """Ends an iteration that led to μ, after which these clouds are finished. Returns which of those
        worked on to go on with; None for all of them.
        """
        self.taken += 1
        self._past = [*self._past[-max(PERIODS) :], μ]
        self.going = self.going & ~finished
        if self.taken >= EARLIEST:
            self._leave_cycles(μ)
        count = int(self.going.sum())
        if 2 * count > len(μ):
            return None
        on = self.going.nonzero()[:, 0]
        self.left, self.going = self.left[on], self.going[on]
        self._past = [past[on] for past in self._past]
        return on

    def _leave_cycles(self, μ: Float[Tensor, "q m"]) -> None:
        """Ends the clouds that were at μ so many iterations ago that those to come are whole rounds."""
        for period in PERIODS:
            if (ITERATIONS - self.taken) % period == 0:
                self.going = self.going & (self._past[-1 - period] != μ).any(1)
