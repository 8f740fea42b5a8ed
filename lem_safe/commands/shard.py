"""`lem-safe audit --shard i/N`: the counts of a part of a data set, for `lem-safe merge`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lem_safe.commands.outcome import say
from lem_safe.errors import BadInput, Fault

if TYPE_CHECKING:
    from lem_safe.scenario.overrides import Overrides

KEY = "--shard"


def count_one(
    samples: str,
    scenario: str,
    replaced: "Overrides",
    shard: str,
    out: Path | None,
    others: Mapping[str, Any],
    overwrite: bool,
    *,
    asked: Mapping[str, Any],
) -> int:
    """Counts one shard and writes the part; returns 0, as counts of a part are no verdict. others: the
    options that belong to the whole audit, which are refused. asked: those that belong to the counts.
    """
    from lem_safe.commands.files_asked import must_be_free, read_of
    from lem_safe.sharded import count_shard

    chosen = shard_of(shard)
    given = [f"--{name}" for name, value in others.items() if value]
    if given:
        message = f"is about the whole audit; give it to lem-safe merge, or audit without {KEY}"
        if given[0] in ("--grow", "--failing-rows"):
            message = f"reads all rows in one process; audit without {KEY}"
        raise BadInput(Fault(message, key=given[0]))
    if out is None:
        raise BadInput(Fault(f"needs --out FILE, as in --out part-{chosen[0]}.json", key=KEY))
    must_be_free([out], [*read_of(samples, [out]), Path(scenario)], overwrite)
    part = count_shard(samples, scenario, chosen, replaced, **asked)
    part.write(out)
    files, rows = len(part.names), part.tallies.n
    what = f"{files:,} of {part.data['files']:,} file{'s' * (part.data['files'] != 1)}, {rows:,} rows"
    say(f"shard {part.shard}: {what}: {out}")
    return 0


def shard_of(text: str) -> tuple[int, int]:
    """The numbers in `i/N`; BadInput for anything else.

    >>> shard_of("3/8")
    (3, 8)
    """
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    number, of = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= of:
        message = "must be i/N, the shards counted from 1, as in 1/8 to 8/8"
        raise BadInput(Fault(f"{message}; got '{text}'", key=KEY))
    return number, of
