"""What is wrong with the text of a rule, and where in it."""

PARTS = 25_000
"""The most numbers, columns and operations of one rule."""
DIVIDE = "name parts of it as regions of their own"


class RuleError(ValueError):
    """A rule that cannot be read; `offset` is the character index within it, from 0, `what` stands there, and
    `why` is what is wrong with it. `key`: where the rule's text stands, where that is known.
    """

    key: str | None = None

    def __init__(self, what: str, offset: int, why: str = ""):
        super().__init__(f"rule: {what} at character {offset + 1}{why}")
        self.what, self.offset, self.why = what, offset, why


def too_much(many: int, most: int, offset: int) -> RuleError:
    """A rule of more parts than are compared."""
    what = f"{many:,} parts to compare, once abs, max and min are taken apart, at most {most:,},"
    return RuleError(what, offset, f": {DIVIDE}")
