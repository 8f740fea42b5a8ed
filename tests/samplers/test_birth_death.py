"""Birth and death: its truths, and the faults that they find."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from planted import Tooth, checks, must_be_found, written_in
from torch import Tensor
from truths import births

from lem_safe.authoring.explain import explain
from lem_safe.certificates.plan import planned
from lem_safe.energies import GaussianMixture
from lem_safe.errors import BadInput
from lem_safe.keys import Key
from lem_safe.registry import chosen_couples, loads, never_passes
from lem_safe.samplers import BirthDeath, birth_death, kernel_mixture
from lem_safe.samplers.kernel_mixture import KernelMixture

pytestmark = pytest.mark.simulation

F64 = torch.float64
Offered = Callable[..., tuple[Tensor, Any]]


def own_kernels_left_in(honest: Offered) -> Offered:
    """The density through all particles, those that move included."""
    return lambda key, x, centres: (honest(key, x, centres)[0], KernelMixture.through(x))


def own_bandwidth(honest: Offered) -> Offered:
    """Kernels at the others, as wide as the half that moves would have them."""

    def faulty(key: Key, x: Tensor, centres: int) -> tuple[Tensor, Any]:
        dying, q = honest(key, x, centres)
        return dying, q and q._replace(near=births.through(x[dying]).near)

    return faulty


def no_proposal_ratio(honest: Any) -> Any:
    return lambda q, here, there: here.energy - there.energy


TEETH: dict[str, Tooth] = {
    "own kernels left in": (births.those_that_move_have_no_say, birth_death, "offered", own_kernels_left_in),
    "own kernels left in, by its law": (
        births.small_clouds_keep_their_distribution,
        birth_death,
        "offered",
        own_kernels_left_in,
    ),
    "the bandwidth of those that move": (
        births.those_that_move_have_no_say,
        birth_death,
        "offered",
        own_bandwidth,
    ),
    "no ratio of proposals": (
        births.the_ratio_is_that_of_the_test,
        birth_death,
        "log_ratio",
        no_proposal_ratio,
    ),
    "tails that are not drawn": (
        births.draws_follow_the_density,
        KernelMixture,
        "draw",
        lambda f: lambda self, key, like: f(self._replace(wide=0.1 * self.near), key, like),
    ),
    "tails twice as wide": (
        births.the_density_is_what_it_says,
        KernelMixture,
        "_log_density",
        lambda f: lambda self, y: f(self._replace(wide=2 * self.wide), y),
    ),
    "a bandwidth twice as wide": (
        births.the_bandwidth_is_the_likeliest,
        kernel_mixture,
        "_bandwidth",
        lambda f: lambda L, z: 2 * f(L, z),
    ),
    "shrunk towards a ball": (
        births.the_density_follows_a_change_of_units,
        kernel_mixture,
        "_factor",
        lambda f: lambda S, m: f(S + 0.1 * S.trace() * torch.eye(len(S), dtype=S.dtype), m),
    ),
    "births that pass the gate": (
        births.mass_crosses_a_barrier,
        birth_death,
        "filtered_step",
        lambda f: lambda step_filter, key, x, y, h, memory: (y, memory, None),
    ),
    "births that are never tried": (
        births.mass_crosses_a_barrier,
        birth_death,
        "births",
        lambda f: lambda energy, key, before, centres: (before, torch.zeros((), dtype=F64)),
    ),
}
CHECKS = checks(TEETH)


@pytest.mark.parametrize("name", CHECKS)
def test_the_honest_code_passes(name: str) -> None:
    CHECKS[name]()


@pytest.mark.parametrize("name", TEETH)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    must_be_found(TEETH[name], monkeypatch)


def test_every_check_has_a_fault_that_it_finds() -> None:
    helpers = {"through", "three_modes", "start", "filter_of", "shares", "carried", "without_births_it_stays"}
    assert written_in(births) - helpers == set(CHECKS)


def test_without_births_the_error_is_the_starts() -> None:
    births.without_births_it_stays()


def test_particles_at_one_place_are_left_there() -> None:
    """Without a spread there is no density; nothing is born, and nothing is not finite."""
    x = torch.ones(8, 2, dtype=F64)
    assert birth_death.offered(Key(0), x, 100)[1] is None
    assert (
        birth_death.offered(Key(0), x + torch.arange(8.0)[:, None] * torch.tensor([1.0, 0.0]), 9)[1] is None
    )
    far = BirthDeath(GaussianMixture([[0.0, 0.0]], 1.0), 0.1, every=1)
    state = far.init(x)
    for k in range(5):
        state, info = far.step(Key(1).fold(k), state)
        assert info.born is not None and bool(state.x.isfinite().all())


@pytest.mark.parametrize(("d", "least"), [(1, 0.8), (2, 0.6), (5, 0.4), (10, 0.15)])
def test_how_often_births_are_taken(d: int, least: float) -> None:
    """As docs/samplers.md says, for two modes."""
    U = GaussianMixture([[c] + [0.0] * (d - 1) for c in (-3.0, 3.0)], 0.5, weights=[0.3, 0.7])
    sampler = BirthDeath(U, 0.1, every=1)
    _, info = sampler.step(Key(3), sampler.init(U.sample(Key(2).generator(), 2000)))
    assert info.born is not None and least < float(info.born) < least + 0.15


def test_what_it_refuses() -> None:
    U = GaussianMixture([[0.0]], 1.0)
    with pytest.raises(ValueError, match="step_size must be > 0"):
        BirthDeath(U, 0.0)
    with pytest.raises(ValueError, match="every must be >= 1; got 0"):
        BirthDeath(U, 0.1, every=0)
    with pytest.raises(ValueError, match="centres must be >= 2"):
        BirthDeath(U, 0.1, centres=1)
    with pytest.raises(ValueError, match="needs 4 particles or more, half of which move; got 3"):
        BirthDeath(U, 0.1).init(torch.zeros(3, 1))


SCENARIO = """
version: 1
name: three modes
seed: 1
energy: {kind: gaussian_mixture, means: [[-6, 0], [0, 0], [6, 0]], std: 0.5}
unsafe: {third: {kind: ball, center: [6, 0], radius: 2.5}}
constraints: [{set: third, beta: 0.05}]
filter: {kind: tilt, multipliers: [2.0]}
sampler:
  {kind: birth_death, samples: 99, steps: 10, step_size: 0.1, init: {kind: gaussian, mean: [0, 0], std: 4}}
"""


def test_its_cloud_is_one_unit_whatever_the_filter() -> None:
    """Under the tilt too, and without a filter: particles are dependent until the cloud has settled."""
    assert chosen_couples(loads(SCENARIO))
    assert chosen_couples(loads(SCENARIO, {"filter": {"kind": "none"}}))
    assert not chosen_couples(loads(SCENARIO, {"sampler.kind": "mala"}))
    why = never_passes(loads(SCENARIO, {"audit": {"require": "bound"}}))
    assert why is not None and "particles of one filtered cloud are not independent" in why
    assert never_passes(loads(SCENARIO, {"audit": {"require": "bound"}, "sampler.kind": "mala"})) is None


def test_a_certificate_counts_its_clouds() -> None:
    """Under the tilt too, whose particles would be independent under another sampler."""
    with pytest.raises(BadInput, match="sampler.kind: birth_death makes the particles of a cloud dependent"):
        planned(loads(SCENARIO))
    assert planned(loads(SCENARIO, {"audit": {"replicas": 80}})).particles == 99
    assert planned(loads(SCENARIO, {"sampler.kind": "mala"})).particles is None


def test_explain_says_what_remains_and_what_it_costs() -> None:
    said = " ".join(explain(loads(SCENARIO)).split())
    assert "births make the particles of a cloud dependent until it has settled" in said
    assert "the sampler makes the particles depend" in said
    assert "half of the particles take one more gradient" in said


def test_a_cloud_too_small_for_births_is_refused() -> None:
    with pytest.raises(BadInput, match="sampler.samples: must be >= 4 under birth_death; got 3"):
        loads(SCENARIO, {"sampler.samples": 3})
