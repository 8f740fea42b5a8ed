"""`lem-safe verify`."""

from pathlib import Path
from typing import Annotated

import typer

from lem_safe.commands.options import Json
from lem_safe.commands.outcome import say

Certificate = Annotated[
    Path, typer.Argument(metavar="CERTIFICATE", help="The certificate.json of lem-safe certify.")
]
Samples = Annotated[
    Path,
    typer.Argument(metavar="SAMPLES", help="The samples, in their order, in any format that an audit reads."),
]


def verify(certificate: Certificate, samples: Samples, json: Json = False) -> int:
    """Check a certificate against its samples, with geometry alone: exit status 0 if it holds, 1 if not."""
    import json as writer

    from lem_safe.certificates import verify as check

    found = check(certificate, samples)
    say(writer.dumps(found.to_dict(), indent=2, ensure_ascii=False) if json else str(found))
    return found.status
