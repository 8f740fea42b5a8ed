"""Memory that is freed is kept for what is allocated next.

glibc returns a large freed array to the system, and what is allocated next is cleared page by page: where
sizes alternate, as a step's do, that may take longer than the arithmetic. A process of our own keeps freed
memory up to a limit instead. Other C libraries are left as they are, and so is a process of someone else's.
"""

import ctypes

TRIM, MAPPED = -1, -3
"""glibc's numbers of what is set (malloc.h): how much free memory stays, and the size from which an
allocation has pages of its own.
"""
KEPT, LARGEST = 2**28, 2**25
"""The free memory that stays, and the largest size that glibc lets come from it, in bytes."""


def keep() -> bool:
    """Lets this process keep the memory that it frees; whether the C library has such a setting."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
        ctypes.CDLL(None).gnu_get_libc_version  # noqa: B018 - another library's numbers mean something else
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(MAPPED, LARGEST)) and bool(mallopt(TRIM, KEPT))
