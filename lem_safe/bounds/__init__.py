"""Bounds on a probability from counts and fractions: pure statistics, which know nothing of samples, regions
or filters.

The audit judges by them, and `filter.aim: auto` asks them beforehand how much a judge would still certify.
"""

from barriers.budget import budget
from lem_safe.bounds.clopper_pearson import Interval
from lem_safe.bounds.evidence import Betting, Evidence, Fixed, Method, Sequential, two_sided

__all__ = ["Betting", "Evidence", "Fixed", "Interval", "Method", "Sequential", "budget", "two_sided"]
