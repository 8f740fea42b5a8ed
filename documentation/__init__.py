"""The documentation site: the pages of docs/, a reference from docstrings, reports of the bundled scenarios.

`make docs` builds it into `site/`, from pages that are assembled in `build/pages` where files lie as in the
repository, so that relative links hold on both. A warning is an error, and so is a dead link.
"""

from pathlib import Path

ROOT = Path(__file__).parents[1]
