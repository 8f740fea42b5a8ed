"""The Laplacian of a network: exact where every layer has a rule, estimated in high dimension, and reported
as such.
"""

from lem_safe.laplacian.carried import Carried, Linearized
from lem_safe.laplacian.elementwise import ELEMENTWISE, Elementwise
from lem_safe.laplacian.hutchinson import EXACT_UP_TO, Hutchinson, estimator
from lem_safe.laplacian.layers import Residual, Sum, Total
from lem_safe.laplacian.rules import RULES, Rule, carry, forward_laplacian, linearize, rule_of

__all__ = [
    "ELEMENTWISE",
    "EXACT_UP_TO",
    "RULES",
    "Carried",
    "Elementwise",
    "Hutchinson",
    "Linearized",
    "Residual",
    "Rule",
    "Sum",
    "Total",
    "carry",
    "estimator",
    "forward_laplacian",
    "linearize",
    "rule_of",
]
