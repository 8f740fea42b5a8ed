"""The report of a run: verdicts, plots and numbers, made from its directory alone."""

from lem_safe.report.page import render

__all__ = ["render"]
