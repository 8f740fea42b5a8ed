"""`lem-safe schema`."""

from enum import StrEnum
from typing import Annotated

import typer

from lem_safe.commands.outcome import say


class Written(StrEnum):
    """What has a published schema."""

    scenario = "scenario"
    audit = "audit"
    certificate = "certificate"


def schema(
    of: Annotated[
        Written,
        typer.Argument(
            help="The schema of a scenario (for editors), of audit.json or certificate.json (for programs)."
        ),
    ] = Written.scenario,
) -> None:
    """Print a JSON Schema: of a scenario, of audit.json, or of certificate.json."""
    import json

    if of is Written.audit:
        from lem_safe.auditor import audit_schema as made
    elif of is Written.certificate:
        from lem_safe.certificates.schema import certificate_schema as made
    else:
        from lem_safe.registry import json_schema as made

    say(json.dumps(made(), indent=2, ensure_ascii=False))
