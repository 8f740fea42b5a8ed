"""The quadratic program of a drift filter, solved through its m-variable dual (Q.1, Q.2)."""

from barriers.qp.dual import DualSolution, Infeasible, solve_dual

__all__ = ["DualSolution", "Infeasible", "solve_dual"]
