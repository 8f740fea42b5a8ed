"""Samples from elsewhere, brought within their tolerances by leaving out rows: finished ones in files and in
memory (`thin`), and those of a generator as they come (`accepted`).
"""

from lem_safe.thinning.generator import Accepted, accepted
from lem_safe.thinning.outcome import Thinned
from lem_safe.thinning.removal import thin, thinned

__all__ = ["Accepted", "Thinned", "accepted", "thin", "thinned"]
