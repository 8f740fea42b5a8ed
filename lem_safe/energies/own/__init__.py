"""Energies and scores of a user's own: examined at their first call, and then like any other."""
