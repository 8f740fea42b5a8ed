"""barriers: the geometry and mathematics of distributional safety constraints. Needs torch; knows no energy,
no file, no process.
"""
