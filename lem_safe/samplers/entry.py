"""What is asked of a sampler by its kind: what its noise is, and what it leaves of each filter's promise."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from barriers.filters import FilterEntry, Promise
from barriers.kinds import Entry


@dataclass(frozen=True)
class SamplerEntry(Entry):
    """A kind of sampler. What it does not say is what can least go wrong: nothing is known of its noise.

    predicted: whether the noise of a step is the √(2h)ξ that a drift filter predicts, so that what such a
    filter promises holds. leaves: by the kind of a filter, what remains of its promise where that is another
    one. unit_noise: whether its noise is of that size in every coordinate, as far as precision is concerned;
    not where there is none, or where it has the scale of the energy.
    """

    predicted: bool = False
    leaves: Mapping[str, Promise] = field(default_factory=dict)
    unit_noise: bool = True

    def remains(self, sampler: str, kind: str, own: FilterEntry) -> Promise:
        """What a filter of this kind, which promises `own`, promises under this sampler, of the kind
        `sampler`.
        """
        if kind in self.leaves:
            return self.leaves[kind]
        if own.hook == "drift" and own.promise.scope != "none" and not self.predicted:
            return Promise("none", f"nothing is known of the noise of the sampler {sampler}")
        return own.promise
