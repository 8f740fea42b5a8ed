"""What makes e^{−U} a distribution: tails, normalising constants, and probabilities of rare sets."""
