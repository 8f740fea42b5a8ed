"""Small exact checks of the mathematics, each typed from the ledger (docs/equations.md), each a second at
most.

`test_teeth` runs every one of them twice: as it is, and with a fault planted into what it checks. What a
fault may replace is looked up through its module or class at the time of the check.
"""
