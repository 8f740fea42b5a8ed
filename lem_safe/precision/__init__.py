"""What a floating-point type can hold of a run (A.12)."""
