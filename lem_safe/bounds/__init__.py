"""Bounds on a probability from counts and fractions: pure statistics, independent of samples, regions and
filters.

The audit uses them for verdicts, and `filter.aim: auto` for the largest count that could still be certified.
"""

from barriers.budget import budget
from lem_safe.bounds.clopper_pearson import Interval
from lem_safe.bounds.evidence import Betting, Evidence, Fixed, Method, Sequential, two_sided

__all__ = ["Betting", "Evidence", "Fixed", "Interval", "Method", "Sequential", "budget", "two_sided"]
