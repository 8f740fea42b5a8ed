"""The judge of samples beside real rows: how alike two tables are, each measure beside what two halves of the
real rows differ by.

It sees tables alone, and does not depend on how the samples were made.
"""

from lem_safe.judging.judge import quality
from lem_safe.judging.judgement import Judgement

__all__ = ["Judgement", "quality"]
