"""The paper, claim by claim: its statement, the result here, and a verdict."""

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
"""Every claim by its name in `lem-safe reproduce NAME`, in the paper's order."""

__all__ = ["CLAIMS", "Claim", "Found", "Setting", "Study", "reproduce"]
