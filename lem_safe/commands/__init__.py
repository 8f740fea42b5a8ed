"""The commands, one file each: a function whose parameters are the options, whose docstring is the help, and
whose value is the exit status.
"""
