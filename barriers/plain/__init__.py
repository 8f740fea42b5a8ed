"""The part of torch that regions and scenarios are written in, over numpy: what a command needs that checks
a file or counts rows, without the second that importing torch takes.

The names, arguments and results are torch's own, as far as they go; a name that is not here raises
NeedsTorch, and the command begins again with torch (see `barriers.arrays`). Numbers are those that torch
computes wherever a count depends on them: sets decide membership by exact arithmetic or by functions that
both share.
"""

from barriers.plain.needs import NeedsTorch

__all__ = ["NeedsTorch"]
