"""A validated value as used by the rest of the program: dicts, lists, numbers, strings and Paths."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, RootModel


def plain(value: Any) -> Any:
    """A validated value as dicts, lists, numbers, strings and Paths; values that were not given and have no
    default are left out.
    """
    if isinstance(value, RootModel):
        return plain(value.root)
    if isinstance(value, BaseModel):
        fields = {
            info.alias or name: plain(getattr(value, name)) for name, info in type(value).model_fields.items()
        }
        return {key: item for key, item in fields.items() if item is not None}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: plain(getattr(value, f.name))
            for f in dataclasses.fields(value)
            if getattr(value, f.name) is not None
        }
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
