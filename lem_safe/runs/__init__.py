"""A run: its parts built, its chain, what is watched on the way, and what is written."""
