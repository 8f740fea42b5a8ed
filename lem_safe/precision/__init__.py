"""Whether a floating-point type can represent a run (A.12)."""
