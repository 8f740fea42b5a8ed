"""The short way from Python: energies from anything, a call without a file, and filters for any loop."""
