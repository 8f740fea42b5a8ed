"""The entry of a kind of sampler: its noise, and its effect on each filter's promise."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from barriers.filters import FilterEntry, Promise
from barriers.kinds import Entry


@dataclass(frozen=True)
class SamplerEntry(Entry):
    """A kind of sampler. By default its noise is unknown, and each particle moves by itself.

    predicted: whether the noise of a step is the √(2h)ξ that a drift filter predicts, so that the promise of
    such a filter holds. leaves: by the kind of a filter, its promise under this sampler, where that differs.
    unit_noise: whether its noise has that size in every coordinate, for checks of precision; False without
    noise, or with noise at the scale of the energy. couples: whether it makes particles dependent on each
    other, with or without a filter (A.2). fewest: the smallest number of particles that it can move.
    costs: a sentence on the work of a step beyond one gradient per particle.
    """

    predicted: bool = False
    leaves: Mapping[str, Promise] = field(default_factory=dict)
    unit_noise: bool = True
    couples: bool = False
    fewest: int = 1
    costs: str = ""

    def remains(self, sampler: str, kind: str, own: FilterEntry) -> Promise:
        """The promise of a filter of kind `kind`, which promises `own`, under this sampler, of kind
        `sampler`.
        """
        if kind in self.leaves:
            return self.leaves[kind]
        if own.hook == "drift" and own.promise.scope != "none" and not self.predicted:
            return Promise("none", f"nothing is known of the noise of the sampler {sampler}")
        return own.promise
