"""What is wrong with a rule, and at which character."""


class RuleError(ValueError):
    """A rule that cannot be read; `offset` is the character index within it, from 0, `what` stands there, and
    `why` is what is wrong with it.
    """

    def __init__(self, what: str, offset: int, why: str = ""):
        super().__init__(f"rule: {what} at character {offset + 1}{why}")
        self.what, self.offset, self.why = what, offset, why
