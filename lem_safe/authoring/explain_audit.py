"""A scenario to audit with, in plain sentences: what is asked of samples from elsewhere, and what is said of
them.
"""

from lem_safe.authoring.explain import in_words
from lem_safe.authoring.paragraphs import in_parts
from lem_safe.formatting import level, percent
from lem_safe.scenario import Scenario


def explain(scenario: Scenario) -> str:
    """The explanation of a file that has no energy or no sampler, a heading and a paragraph per topic."""
    sure, m = level(scenario.audit.confidence), len(scenario.constraints)
    shared = f", the error shared by {m} constraints" if m > 1 else ""
    also = "" if scenario.audit.require == "passed" else " and every bound certifies it"
    parts = {
        "What it is for": [
            f"The file has no {' and no '.join(scenario.lacking)}: nothing can be sampled with it. lem-safe "
            "audit SAMPLES SCENARIO judges samples from any source by it."
        ],
        "What is asked": [
            f"At most {percent(c.beta)} of the samples may lie inside {c.set}: "
            f"{in_words(scenario.unsafe[c.set])}."
            for c in scenario.constraints
        ],
        "What the audit will say": [
            "It counts the samples inside each region, in float64 and by geometry alone, and bounds the "
            f"distribution that they come from with {sure} confidence{shared}, if they are independent."
        ],
        "What the exit status means": [
            f"0 if every count is within its tolerance{also}, 1 if not, 2 if something here cannot be read."
        ],
    }
    return in_parts(parts)
