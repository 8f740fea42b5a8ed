"""Rule files of other programs, as scenarios to audit with: the inequalities of PiShield, C-DGM and DRL, JSON
Schemas, and schemas of pandera.
"""
