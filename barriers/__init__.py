"""barriers: the geometry and mathematics of distributional safety constraints. Over torch, or
over numpy where it only counts (`arrays`); independent of energies, files and processes.
"""
