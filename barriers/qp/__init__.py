"""The quadratic program of a filter (Q.1), solved through its m-variable dual (Q.2), with exact derivatives
(Q.3).
"""

from barriers.qp.dual import DualSolution, Infeasible, solve_dual
from barriers.qp.layer import Backend, Projection, project, project_cloud
from barriers.qp.part import project_part

__all__ = [
    "Backend",
    "DualSolution",
    "Infeasible",
    "Projection",
    "project",
    "project_cloud",
    "project_part",
    "solve_dual",
]
