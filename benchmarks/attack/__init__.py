"""What files and machines can do to a command line: every case must end in time, with a status that is
allowed, in words and without a traceback.

    python -m benchmarks attack

A family is a generator of cases in a module of its own (`FAMILIES`); a case runs the command line in a
process forked from this one, which has imported everything, or in one of its own where the start itself is
what is tried.
"""

from benchmarks.attack.families import FAMILIES
from benchmarks.attack.running import measure

__all__ = ["FAMILIES", "measure"]
