"""The page a person reads: verdicts, pictures and numbers, made from a run directory alone."""

from lem_safe.report.page import render

__all__ = ["render"]
