"""The software behind a result: package versions, and the commit where the code runs from a checkout."""

import platform
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("lem-safe", "torch", "numpy", "scipy", "pydantic", "matplotlib", "scikit-learn")


def versions() -> dict[str, object]:
    """`versions` of python and the main packages, and `commit` (None outside a checkout)."""
    return {"versions": dict(_installed()), "commit": commit()}


@lru_cache(maxsize=1)
def _installed() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@lru_cache(maxsize=1)
def commit() -> str | None:
    """The checkout's commit, with + where files differ from it; asked once a process, whose code stays."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        git = ["git", "-C", str(root)]
        head = subprocess.run(
            [*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
        dirty = subprocess.run(
            [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+" if dirty else "")
