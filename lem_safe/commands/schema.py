"""`lem-safe schema`."""

from lem_safe.commands.outcome import say


def schema() -> None:
    """Print the JSON Schema of a scenario, for editors."""
    import json

    from lem_safe.catalogue import json_schema

    say(json.dumps(json_schema(), indent=2, ensure_ascii=False))
