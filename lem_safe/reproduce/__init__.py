"""The paper, claim by claim: what it says, what is found here, and a verdict."""

from lem_safe.reproduce import certificate, composition, control, decay, flow, stopping_time, strange
from lem_safe.reproduce.claim import Claim, Found, Setting
from lem_safe.reproduce.study import Study, reproduce

CLAIMS: dict[str, Claim] = {
    c.name: c
    for c in (
        *flow.CLAIMS,
        *stopping_time.CLAIMS,
        *certificate.CLAIMS,
        *decay.CLAIMS,
        *composition.CLAIMS,
        *strange.CLAIMS,
        *control.CLAIMS,
    )
}
"""Every claim by the name `lem-safe reproduce NAME` knows it by, in the paper's order."""

__all__ = ["CLAIMS", "Claim", "Found", "Setting", "Study", "reproduce"]
