"""Several processes of one job: who is among them, what they exchange, and what ends them."""

from lem_safe.processes.place import Place, place

__all__ = ["Place", "place"]
