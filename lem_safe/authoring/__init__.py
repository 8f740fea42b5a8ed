"""Helps to write a scenario: a starting file, what one says in words, what it can name."""
