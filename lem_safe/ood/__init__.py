"""Detection of out-of-distribution data by an energy."""
