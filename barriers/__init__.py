"""barriers: the geometry and mathematics of distributional safety constraints. Needs torch; independent of
energies, files and processes.
"""
