"""`python -m lem_safe` is the command `lem-safe`."""

import sys

from lem_safe.cli import main

if __name__ == "__main__":
    sys.exit(main())
