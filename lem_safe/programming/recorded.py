"""What a guard remembers of its calls, for the audit."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Recorded:
    """The counts inside and the shortfalls after every call since the last beginning.

    calls: since the guard was made or reset, which its random numbers count. start: the counts where it
    began. particles: n.
    """

    calls: int = 0
    particles: int = 1
    start: list[int] = field(default_factory=list)
    counts: list[list[int]] = field(default_factory=list)
    shortfalls: list[list[float]] = field(default_factory=list)

    def begin(self, start: list[int], particles: int) -> None:
        """Forgets the calls before, but not how many there were."""
        self.start, self.particles, self.counts, self.shortfalls = start, particles, [], []

    def add(self, counts: list[int], shortfalls: list[float]) -> None:
        """One more call."""
        self.calls += 1
        self.counts.append(counts)
        self.shortfalls.append(shortfalls)

    def copy(self) -> "Recorded":
        """The same, not changed by later calls."""
        return Recorded(
            self.calls, self.particles, list(self.start), list(self.counts), list(self.shortfalls)
        )

    def trace(self, m: int) -> dict[str, np.ndarray]:
        """As of a run: `step` [t], `fraction` [t, m], `shortfall` [t, m], `start` [m]."""
        counts = np.array(self.counts, dtype=np.float64).reshape(-1, m)
        start = np.array(self.start, dtype=np.float64) if self.start else np.full(m, np.nan)
        return {
            "step": np.arange(1, len(counts) + 1, dtype=np.float64),
            "fraction": counts / self.particles,
            "shortfall": np.array(self.shortfalls, dtype=np.float64).reshape(-1, m),
            "start": start / self.particles,
        }
