"""What makes e^{−U} a distribution: tails, normalising constants, and how small the chance of a rare set
is.
"""
