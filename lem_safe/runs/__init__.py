"""A run: its parts, its chains, its monitoring, and the files it writes."""
