"""The place in a file of a constructor's error."""

import re

from lem_safe.errors import Fault
from lem_safe.scenario.key_path import KeyPath
from lem_safe.scenario.source import Source


def of_constructor(error: ValueError, path: KeyPath, source: Source) -> Fault:
    """A fault at the key that an error of the part at `path` is about: the key it names, the character of a
    rule, else `path` itself.
    """
    where = (*path, *(getattr(error, "path", None) or ()))
    if tuple(where[: 2 * len(path)]) == (*path, *path):
        where = where[len(path) :]
    message = str(error)
    cause: BaseException = error
    offset = getattr(error, "offset", None)
    while offset is None and cause.__cause__ is not None:
        cause = cause.__cause__
        offset = getattr(cause, "offset", None)
    key = getattr(cause, "key", None) or "where"
    if offset is not None and (*where, key) in source.nodes:
        where = (*where, key)
    named = re.match(r"\w+: (\w+)\b", message)
    if named and (*where, named[1]) in source.nodes:
        where = (*where, named[1])
    return source.fault(where, message, offset=offset)
