"""Distances and divergences between distributions, from samples."""
