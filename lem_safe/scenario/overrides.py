"""`--set KEY=VALUE`: one value of a scenario from the command line, read as YAML and checked
like the file's.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lem_safe.errors import BadInput, Fault
from lem_safe.scenario.reading import parse
from lem_safe.scenario.source import Override

LONGEST = 60
"""The number of characters of an option shown in a message."""


def settings(texts: Sequence[str]) -> dict[str, Override]:
    """Overrides by dotted key, of options such as `sampler.steps=2000` or `constraints.0.beta=.02`; raises
    BadInput.

    >>> found = settings(["sampler.steps=2000", "constraints[0].beta=.02", "unsafe.a.center=[1, 2]"])
    >>> {key: given.value for key, given in found.items()}
    {'sampler.steps': 2000, 'constraints.0.beta': 0.02, 'unsafe.a.center': [1, 2]}
    """
    found: dict[str, Override] = {}
    faults: list[Fault] = []
    for text in texts:
        option = f"--set {text if len(text) <= LONGEST else text[: LONGEST - 3] + '...'}"
        key, equals, value = text.partition("=")
        key = re.sub(r"\[(\d+)\]", r".\1", key.strip())
        if not equals or not all(key.split(".")):
            faults.append(
                Fault("must be KEY=VALUE, the key with dots, as in --set sampler.steps=2000", file=option)
            )
        elif key in found:
            faults.append(
                Fault(f"is given twice, first as '{found[key].option}'; keep one", file=option, key=key)
            )
        else:
            try:
                found[key] = Override(option, _value(value, option))
            except BadInput as bad:
                faults += [Fault(fault.message, file=option, key=key) for fault in bad.faults]
    clash = [(a, b) for a in found for b in found if b.startswith(f"{a}.")]
    faults += [
        Fault(f"lies inside '{found[a].option}'; set the one or the other", file=found[b].option, key=b)
        for a, b in clash
    ]
    if faults:
        raise BadInput(faults)
    return found


def _value(text: str, option: str) -> Any:
    """A scalar, a [list] or a {mapping} of one line, as YAML."""
    if "\n" in text or "\r" in text:
        raise BadInput(Fault("must be on one line; write a list as [1, 2], a mapping as {kind: gate}"))
    source = parse(f"value: {text}", option)
    if source.faults:
        raise BadInput(source.faults)
    return source.value["value"]


def as_override(key: str, value: Any) -> Override:
    """A value given to `load`: an Override as it is, anything else as if `--key` had been typed."""
    return (
        value
        if isinstance(value, Override)
        else Override(f"--{key.rsplit('.', 1)[-1].replace('_', '-')}", value)
    )


Overrides = Mapping[str, Any]
"""Values, or Overrides, by dotted key."""
