"""Tools for writing a scenario: a starting file, an explanation in words, and lists of what it can name."""
