"""Measurements against peers; `python -m benchmarks` runs those that have a `measure()` and writes
results.json.
"""
