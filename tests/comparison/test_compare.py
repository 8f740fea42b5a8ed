"""`lem-safe compare`: the table against closed forms, the projection against its definition, the sentences
against the numbers.
"""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm

from barriers import projection
from barriers.budget import budget
from barriers.projection import facts
from lem_safe import cli
from lem_safe.bounds.betting import mean_upper_bound
from lem_safe.bounds.clopper_pearson import upper_bound
from lem_safe.comparison import compare as comparing
from lem_safe.comparison import kl_projection as projected
from lem_safe.comparison import race
from lem_safe.comparison.compare import FILTERS, compare
from lem_safe.comparison.findings import findings
from lem_safe.comparison.kl_projection import Base, projection_of
from lem_safe.comparison.labels import groups, spread
from lem_safe.comparison.page import write_page
from lem_safe.comparison.pictures import trade
from lem_safe.comparison.race import oracle_weight
from lem_safe.errors import BadInput
from lem_safe.progress import Silent
from lem_safe.registry import loads
from lem_safe.report.prices import nats
from lem_safe.runs.problem import build
from lem_safe.scenario import Scenario

pytestmark = pytest.mark.simulation

TEXT = """\
version: 1
name: beyond_one
energy: {kind: gaussian, mean: [0, 0], std: 1}
unsafe:
  beyond: {kind: half_space, normal: [1, 0], offset: 1}
  behind: {kind: half_space, normal: [-1, 0], offset: 2}
  odd: {kind: rule, where: "x0 > 1"}
constraints:
  - {set: beyond, beta: 0.05}
sampler: {kind: langevin, samples: 600, steps: 60, step_size: 0.1,
  init: {kind: gaussian, mean: [-1.5, 0], std: 0.4}}
filter: {kind: gate}
"""
TWO = {
    "constraints": [{"set": "beyond", "beta": 0.05}, {"set": "behind", "beta": 0.01}],
    "sampler.init": {"kind": "gaussian", "mean": [-0.3, 0], "std": 0.3},
}
DEEP = {
    "energy": {"kind": "gaussian", "mean": [0, 0, 0], "std": 1},
    "unsafe": {"beyond": {"kind": "half_space", "normal": [1, 0, 0], "offset": 1}},
    "sampler.init": {"kind": "standard"},
}
WHITENED = """\
version: 1
name: whitened
energy:
  kind: trained
  data: {kind: sklearn, table: breast_cancer, columns: [mean_perimeter, mean_area, mean_texture]}
  network: {kind: mlp, hidden: 8, depth: 2, confinement: 0.5}
  loss: {kind: denoising, sigma: 0.3}
  training: {steps: 20, learning_rate: 0.001}
unsafe:
  large: {kind: rule, where: "mean_area > 800"}
constraints:
  - {set: large, beta: 0.05}
sampler: {kind: langevin, samples: 300, steps: 10, step_size: 0.01, init: {kind: data}}
filter: {kind: gate}
"""


def scenario(changes: dict[str, Any] | None = None) -> Scenario:
    return loads(TEXT, changes or {})


def unfiltered(s: Scenario) -> Base:
    return Base.run(
        build(loads(s.to_yaml(), {"filter": {"kind": "none"}}), progress=Silent()), s.seed, Silent()
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[comparing.Comparison, Path]:
    """Every filter on one scenario, with its files."""
    out = tmp_path_factory.mktemp("compare")
    return compare(scenario(), out=out), out


def test_every_filter_has_a_row_and_files_tell_the_same(whole: tuple[comparing.Comparison, Path]) -> None:
    found, out = whole
    assert [e.filter for e in found.entries] == list(FILTERS) and not any(e.refused for e in found.entries)
    written = json.loads((out / "compare.json").read_text())
    assert (
        written["entries"] == json.loads(json.dumps([dataclasses.asdict(e) for e in found.entries]))
        and written["schema_version"] == 1
    )
    page, text = (out / "compare.html").read_text(), str(found)
    assert (
        all(name in page and name in text for name in FILTERS)
        and (out / "figures" / "compare.png").stat().st_size > 5_000
    )
    with np.load(out / "fractions.npz") as file:
        for e in found.entries:
            if e.filter != "thinning":
                assert (
                    file[e.filter].shape == (60,)
                    and file[e.filter].max() == e.largest
                    and file[e.filter][-1] == e.final
                )


def test_promises_are_kept_and_their_breaking_is_seen(whole: tuple[comparing.Comparison, Path]) -> None:
    by = {e.filter: e for e in whole[0].entries}
    allowed = budget(0.05, 600)
    for e in by.values():
        if e.promise.startswith("every step"):
            assert e.largest is not None and round(e.largest * 600) <= allowed and not e.over
        if e.largest is not None:
            assert e.over == (round(e.largest * 600) > allowed)
    assert by["none"].over and by["reject"].largest == 0.0


def test_what_is_needed_and_paid_is_told_of_the_final_clouds(
    whole: tuple[comparing.Comparison, Path],
) -> None:
    """kl(β‖p) of the unfiltered cloud is needed; who did nothing paid 0, the gate and thinning that, the
    wholly safe −log(1 − p) or more.
    """
    found, out = whole
    by, least = {e.filter: e for e in found.entries}, found.needed
    p = by["none"].final or 0
    assert least is not None and least.nats is not None and least.error is not None
    assert least.nats == pytest.approx(facts(p, 0.05).kl, abs=0.2 * least.error)
    assert json.loads((out / "compare.json").read_text())["needed"] == least._asdict()
    prices = {name: e.price for name, e in by.items()}
    assert all(price is not None and price.paid >= price.membership >= 0 for price in prices.values())
    assert prices["none"].paid < 1e-9 and prices["none"].gap is None
    for name in ("gate", "thinning"):
        assert prices[name].membership == pytest.approx(
            facts(p, by[name].final or 0).kl, abs=0.3 * prices[name].error
        )
        assert prices[name].gap == pytest.approx(prices[name].paid - least.nats)
    assert prices["reject"].membership > facts(p, 0.0).kl - 4 * prices["reject"].error
    assert (
        f"needs {nats(least.nats, least.error)} (at least {least.at_least:.3g} nats with 95 % confidence)"
        in str(found)
    )
    page = (out / "compare.html").read_text()
    assert "KL paid" in page and f"pays {nats(least.nats, least.error)} or more" in page


def test_bounds_stand_only_where_particles_are_independent_and_untuned(
    whole: tuple[comparing.Comparison, Path],
) -> None:
    for e in whole[0].entries:
        if e.filter in ("none", "pointwise", "reject", "project"):
            assert e.final is not None and e.upper_bound == upper_bound(round(e.final * 600), 600, 0.95)
        else:
            assert e.upper_bound is None, e.filter
    given = scenario({"filter": {"kind": "penalty", "weight": 2.0}})
    (own,) = compare(given, ["penalty"]).entries
    assert own.weight is None and own.upper_bound is not None  # a weight that nobody guessed from these draws


def test_the_same_seeds_give_the_same_numbers_and_another_seed_others() -> None:
    def numbers(found: comparing.Comparison) -> list[tuple[Any, ...]]:
        return [(e.filter, e.largest, e.final, e.distance, e.kept) for e in found.entries]

    names = ["none", "step", "thinning"]
    first, again, other = (
        compare(scenario(), names),
        compare(scenario(), names),
        compare(scenario({"seed": 1}), names),
    )
    assert numbers(first) == numbers(again) and first.floor == again.floor
    assert numbers(first) != numbers(other)


def test_a_tolerance_that_never_binds_leaves_the_unfiltered_run() -> None:
    loose = scenario({"constraints": [{"set": "beyond", "beta": 0.9}]})
    none, gate, thinning = compare(loose, ["none", "gate", "thinning"]).entries
    assert (gate.largest, gate.final, gate.distance) == (none.largest, none.final, none.distance)
    assert thinning.kept == 600 and thinning.distance == none.distance


def test_seeds_are_pooled() -> None:
    pooled = compare(scenario(), ["none"], seeds=2).entries[0]
    each = [compare(scenario({"seed": k}), ["none"]).entries[0] for k in (0, 1)]
    assert pooled.final == pytest.approx(np.mean([e.final for e in each])) and pooled.largest == max(
        e.largest or 0 for e in each
    )
    assert pooled.upper_bound == upper_bound(round((pooled.final or 0) * 1200), 1200, 0.95)


def test_thinning_keeps_what_p1_keeps(whole: tuple[comparing.Comparison, Path]) -> None:
    by = {e.filter: e for e in whole[0].entries}
    none, thinning = by["none"], by["thinning"]
    outside = 600 - round((none.final or 0) * 600)
    kept = thinning.kept or 0
    room = round((thinning.final or 0) * kept)
    assert kept == outside + room and room == budget(0.05, kept) and not thinning.over
    assert abs(kept - outside / 0.95) <= 1  # (1 − p)n/(1 − β), to a draw
    assert thinning.largest is None and thinning.cost == 1.0


def test_overlapping_sets_are_thinned_in_expectation() -> None:
    overlapping = scenario({"constraints": [{"set": "beyond", "beta": 0.05}, {"set": "odd", "beta": 0.05}]})
    (thinning,) = compare(overlapping, ["thinning"]).entries
    assert thinning.refused is None and thinning.promise == "in expectation" and "overlap" in thinning.because
    n = thinning.kept or 0
    assert abs((thinning.final or 0) - 0.05) < 4 * math.sqrt(0.05 / n) and n < 600


def test_a_tolerance_of_zero_is_refused_by_a_filter_before_the_noise(tmp_path: Path) -> None:
    """And by it alone; a map with kinks is refused by no one that softens nothing."""
    cells = {"kind": "occupancy", "map": ["..##", "...#"], "lower": [-3, -3], "upper": [3, 3]}
    changes = {
        "constraints": [{"set": "odd", "beta": 0}],
        "unsafe": {"odd": cells},
        "filter": {"kind": "none"},
    }
    changes["sampler.init"] = {"kind": "gaussian", "mean": [-1.5, -1.5], "std": 0.1}
    found = compare(loads(TEXT, changes), ["drift", "gate"])
    drift, gate = found.entries
    assert (
        drift.refused is not None
        and "must be > 0, since noise leaves" in drift.refused
        and drift.largest is None
    )
    assert gate.refused is None and "refused" in str(found)
    page = write_page(found.to_dict(), found.fractions, tmp_path)
    assert 'class="refused"' in page and "must be &gt; 0, since noise leaves" in page
    nothing = {**found.to_dict(), "entries": [dataclasses.asdict(drift)]}
    assert "Every filter was refused here." in write_page(nothing, {}, tmp_path)


def test_unknown_filters_end_in_2_and_leave_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadInput, match="'stepp' cannot be compared; filters: none, penalty"):
        compare(scenario(), ["none", "stepp"])
    with pytest.raises(BadInput, match="names no filter"):
        compare(scenario(), [])
    assert cli.main(["compare", "ring_keep_out", "--filters", "stepp", "--out", str(tmp_path / "new")]) == 2
    assert "--filters" in capsys.readouterr().err and not (tmp_path / "new").exists()
    small = ["--set", "sampler.samples=100", "--set", "sampler.steps=5", "--filters", "none,gate", "--quiet"]
    assert cli.main(["compare", "ring_keep_out", *small, "--json", "--out", str(tmp_path / "ran")]) == 0
    assert [e["filter"] for e in json.loads(capsys.readouterr().out)["entries"]] == ["none", "gate"]


@pytest.fixture(scope="module")
def base() -> Base:
    return unfiltered(scenario())


def masses_on_the_grid(base: Base) -> None:
    """β inside and 1 − β outside, each part in proportion to the law (P.2)."""
    target = projection_of([base], base.problem.betas, Silent())
    x = target.points
    inside, law = x[:, 0] >= 1, torch.exp(-x.square().sum(1) / 2)
    p = float(law[inside].sum() / law.sum())
    assert abs(p - norm.sf(1)) < 5e-3  # the grid's cells cut the boundary where they like
    assert (
        abs(float(target.weights[inside].sum()) - 0.05) < 1e-9 and abs(float(target.weights.sum()) - 1) < 1e-9
    )
    ratio = target.weights / (law / law.sum())
    assert torch.allclose(ratio[inside], torch.tensor(0.05 / p, dtype=ratio.dtype), rtol=1e-4)
    assert torch.allclose(ratio[~inside], torch.tensor(0.95 / (1 - p), dtype=ratio.dtype), rtol=1e-4)


def several_disjoint_sets() -> None:
    """Disjoint sets have a closed form: β_k/p_k inside each, (1 − Σβ)/(1 − Σp) outside; one that does not
    bind is outside too.
    """
    mass = torch.tensor([0.6, 0.2, 0.15, 0.05], dtype=torch.float64)
    patterns = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=torch.float64)
    found = projected._tilted_masses(mass, patterns, torch.tensor([0.05, 0.03, 0.5], dtype=torch.float64))
    left = (1 - 0.08) / (1 - 0.35)
    assert torch.allclose(
        found, torch.tensor([0.6 * left, 0.05, 0.03, 0.05 * left], dtype=torch.float64), atol=1e-6
    )
    found = projected._tilted_masses(mass, patterns, torch.tensor([0.0, 0.03, 0.5], dtype=torch.float64))
    assert found[1] == 0 and abs(float(found[2]) - 0.03) < 1e-6 and abs(float(found.sum()) - 1) < 1e-9


def a_guess_is_the_multiplier(base: Base) -> None:
    """The weight guessed is log[p(1−β)/(β(1−p))], p over the second half of the steps, and at least 1
    (P.2).
    """
    p = float(base.fraction[0, 30:, 0].mean())
    assert abs(oracle_weight(base, [0.05]) - max(1.0, math.log(p * 0.95 / (0.05 * (1 - p))))) < 1e-9
    steady = dataclasses.replace(base, fraction=np.full((1, 60, 1), 0.4))
    assert abs(oracle_weight(steady, [0.05]) - math.log(0.4 * 0.95 / (0.05 * 0.6))) < 1e-9


def test_the_projection_on_a_grid_is_p2(base: Base) -> None:
    masses_on_the_grid(base)


def test_the_projection_onto_several_sets_is_their_tilt() -> None:
    several_disjoint_sets()
    with pytest.raises(ValueError, match="all of the distribution"):
        projected._tilted_masses(torch.ones(1).double(), torch.ones(1, 1).double(), torch.zeros(1).double())


def test_the_penalty_is_guessed_by_p2(base: Base) -> None:
    a_guess_is_the_multiplier(base)


@pytest.mark.parametrize(
    ("check", "place", "name", "faulty"),
    [
        (masses_on_the_grid, projected, "_tilted_masses", lambda f: lambda m, s, c: f(m, s, 1 - c)),
        (masses_on_the_grid, projected, "_tilted_masses", lambda f: lambda m, s, c: m),
        (
            several_disjoint_sets,
            projected,
            "tilt",
            lambda f: lambda s, c, q: f(s, c, q)._replace(multipliers=0 * c),
        ),
        (
            a_guess_is_the_multiplier,
            race,
            "facts",
            lambda f: lambda p, β: facts(p, β)._replace(multiplier=facts(p, β).kl),
        ),
    ],
)
def test_planted_faults_are_found(
    check: Any, place: Any, name: str, faulty: Any, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (base,) if check in (masses_on_the_grid, a_guess_is_the_multiplier) else ()
    check(*given)
    monkeypatch.setattr(place, name, faulty(getattr(place, name)))
    with pytest.raises(AssertionError):
        check(*given)


@pytest.mark.parametrize("changes", [{}, DEEP])
def test_draws_of_the_projection_are_as_far_apart_as_chance_says(changes: dict[str, Any]) -> None:
    """The law moved by half is found to be far; thinned draws of the law itself are not."""
    plain = unfiltered(scenario({"sampler.steps": 60, "sampler.samples": 1200, **changes}))
    target = projection_of([plain], plain.problem.betas, Silent())
    assert target.measure == ("energy distance" if changes else "W2")
    uniforms = torch.rand(1200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = (
        plain.x[projection.thinned(plain.inside, [0.05], uniforms)]
        if changes
        else torch.from_numpy(target.draw(77, 1200))
    )
    mean, std = target.floor(len(x))
    assert abs(target.distance(x) - mean) < 5 * std and target.distance(x + 0.5) > mean + 5 * std
    # the unfiltered law itself is told from its projection, as the draws that were too many are
    assert not changes or target.distance(plain.x) > mean + 5 * std


def test_several_constraints_tell_the_worst_and_share_the_confidence() -> None:
    found = compare(scenario(TWO), ["none", "gate"])
    none, gate = found.entries
    assert none.constraint in ("beyond", "behind") and none.over and not gate.over
    assert none.final is not None and none.upper_bound == upper_bound(round(none.final * 600), 600, 0.975)
    for e in (none, gate):
        assert [r.set for r in e.regions] == ["beyond", "behind"] and e.over == any(r.over for r in e.regions)
        (told,) = [r for r in e.regions if r.set == e.constraint]
        assert (told.largest, told.final, told.upper_bound) == (e.largest, e.final, e.upper_bound)
    lines = str(found).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("none "))
    assert (
        "beyond" in lines[at]
        and "behind" in lines[at + 1]
        and lines[at + 2].startswith("gate ")
        and lines[at + 1].startswith(" ")
    )
    base = unfiltered(scenario(TWO))
    most = base.fraction[0].max(0) / [0.05, 0.01]
    assert (
        none.constraint == ("beyond", "behind")[int(most.argmax())]
        and none.largest == base.fraction[..., most.argmax()].max()
    )


def test_sets_are_asked_in_whitened_coordinates_as_in_the_datas_own() -> None:
    plain = unfiltered(loads(WHITENED))
    assert not torch.allclose(
        plain.x.double(), plain.problem.coordinates(plain.x.double())
    )  # coordinates do something here
    area = plain.problem.coordinates(plain.x.double())[:, 1]
    clear = (area - 800).abs() > 1e-2
    assert torch.equal(plain.inside[clear, 0], area[clear] > 800) and bool(plain.inside.any())
    target = projection_of([plain], plain.problem.betas, Silent())
    points = plain.problem.coordinates(target.points)
    assert abs(float(target.weights[points[:, 1] > 800].sum()) - 0.05) < 1e-6 and "weighted" in target.kind


def test_the_scenarios_own_chain_is_compared_and_nobody_elses() -> None:
    own = {"kind": "chain", "filters": [{"kind": "penalty", "weight": 3}, {"kind": "reject"}]}
    found = compare(scenario({"filter": own}), ["reject", "chain"])
    reject, chain = found.entries
    assert (
        chain.filter == "chain"
        and chain.refused is None
        and "its last filter, reject, promises" in chain.because
    )
    assert chain.upper_bound == upper_bound(0, 600, 0.95) and chain.distance != reject.distance
    assert [
        e.filter
        for e in compare(scenario({"filter": own, "sampler.steps": 3, "sampler.samples": 100})).entries
    ] == [
        *FILTERS,
        "chain",
    ]
    with pytest.raises(BadInput, match="the scenario's own filter is not a chain"):
        compare(scenario(), ["none", "chain"])
    inner = {"kind": "chain", "filters": [{"kind": "pointwise"}, {"kind": "gate"}]}
    (coupled,) = compare(scenario({"filter": inner}), ["chain"]).entries
    assert coupled.upper_bound is None


def test_what_remains_of_a_promise_under_the_sampler_is_told() -> None:
    mala = {"sampler.kind": "mala", "sampler.samples": 100, "sampler.steps": 3}
    by = {e.filter: e for e in compare(scenario(mala), ["none", "gate", "pointwise"]).entries}
    assert "G.3" in by["gate"].because and by["pointwise"].promise == "none" and by["none"].refused is None


def test_coupled_filters_are_bounded_by_independent_clouds() -> None:
    """Seeds and replicas are clouds; what holds the tolerance must hold it in every one of them."""
    found = compare(
        scenario({"audit.replicas": 3, "sampler.samples": 200}), ["none", "gate", "thinning"], seeds=2
    )
    none, gate, thinning = found.entries
    assert (found.clouds, found.samples, gate.unit, gate.units, none.unit, none.units) == (
        3,
        200,
        "clouds",
        6,
        "samples",
        1200,
    )
    assert gate.largest == gate.final == 0.05 and not gate.over  # ten of two hundred, in each of six
    assert gate.upper_bound == mean_upper_bound(np.full(6, 0.05), 0.95)
    assert none.upper_bound == upper_bound(round((none.final or 0) * 1200), 1200, 0.95)
    assert thinning.unit == "clouds" and not thinning.over and thinning.upper_bound is not None
    assert "of 6 clouds" in str(found) and "2 seeds of 3 clouds" in str(found)
    tuned = compare(scenario({"audit.tuned_with": [1]}), ["none", "gate"], seeds=2)
    assert [e.upper_bound for e in tuned.entries] == [None, None]


def test_every_filter_aims_at_what_the_scenarios_own_aims_at_and_beta_is_judged() -> None:
    found = compare(scenario({"filter": {"kind": "gate", "aim": 0.02}}), ["gate", "step", "thinning"])
    gate, step, thinning = found.entries
    assert gate.final == 0.02 and gate.beta == 0.05 and found.aim == {"beyond": 0.02}
    assert step.largest is not None and step.largest <= 0.02
    assert round((thinning.final or 0) * (thinning.kept or 0)) == budget(0.02, thinning.kept or 0)
    assert "aims at 2 % in beyond" in str(found) and compare(scenario(), ["gate"]).aim is None


def test_steps_before_after_step_are_not_judged(tmp_path: Path) -> None:
    """A start inside: over at first, and no longer from some step on."""
    inside = {
        "sampler.init": {"kind": "gaussian", "mean": [2, 0], "std": 0.1},
        "constraints": [{"set": "beyond", "beta": 0.5}],
    }
    (at_once,) = compare(scenario(inside), ["none"]).entries
    found = compare(scenario({**inside, "audit.after_step": 40}), ["none"], out=tmp_path / "out")
    (later,) = found.entries
    plain = unfiltered(scenario(inside)).fraction[0, :, 0]
    assert (
        at_once.over
        and at_once.largest == plain.max()
        and not later.over
        and later.largest == plain[39:].max()
    )
    assert (
        "Steps from 40 on are judged." in (tmp_path / "out" / "compare.html").read_text()
        and len(found.fractions["none"]) == 60
    )


def row(
    name: str,
    largest: float | None,
    final: float,
    distance: float,
    cost: float,
    promise: str,
    kept: int = 1000,
) -> dict[str, Any]:
    """One entry as the JSON has it."""
    told = {
        "filter": name,
        "refused": None,
        "over": (largest or final) > 0.05,
        "largest": largest,
        "final": final,
        "beta": 0.05,
    }
    return {
        **told,
        "constraint": "beyond",
        "distance": distance,
        "cost": cost,
        "kept": kept,
        "promise": promise,
    }


FACTS: dict[str, Any] = {
    "samples": 1000,
    "steps": 50,
    "measure": "W2",
    "after_step": 0,
    "floor": {"mean": 0.2, "std": 0.01},
    "entries": [
        row("none", 0.2, 0.1, 0.5, 1.0, "none"),
        row("gate", 0.05, 0.05, 0.31, 3.0, "every step, this cloud"),
        row("reject", 0.0, 0.0, 0.4, 1.5, "every step, this cloud"),
        row("thinning", None, 0.05, 0.25, 1.0, "every draw kept", kept=940),
    ],
}


def test_where_a_baseline_wins_the_sentence_says_so_and_what_it_costs() -> None:
    kept, nearest, cheapest = findings(FACTS)
    assert kept.startswith(
        "Within the tolerance at every step: gate, reject and thinning (in the end). Over it: none"
    )
    assert (
        "thinning is nearest to the exact projection (W2 0.25, where chance alone makes 0.2 ± 0.01), at "
        "the price of 60 of 1,000" in nearest
    )
    assert "Chance alone" not in nearest and "reject is the cheapest: 1.50 times" in cheapest
    near = [{**e, "distance": 0.26} if e["filter"] == "gate" else e for e in FACTS["entries"]]
    assert "Chance alone cannot tell it from gate." in findings({**FACTS, "entries": near})[1]
    far = [{**e, "distance": e["distance"] + 1} for e in FACTS["entries"]]
    assert any(
        "reached the energy's distribution in 50 steps" in s for s in findings({**FACTS, "entries": far})
    )


def test_what_was_paid_is_told_in_multiples_of_what_is_needed() -> None:
    def priced(nats: float | None, **paid: float) -> str:
        entries = [
            {**e, "price": {"paid": paid[e["filter"]], "error": 0.01, "gap": paid[e["filter"]] - (nats or 0)}}
            if e["filter"] in paid
            else {**e, "price": None}
            for e in FACTS["entries"]
        ]
        return " ".join(
            findings({**FACTS, "needed": {"nats": nats, "error": 0.004, "at_least": 0.0}, "entries": entries})
        )

    said = priced(0.058, gate=0.058, reject=0.174)
    assert (
        "needs a KL of 0.0580 ± 0.0040 nats from the unfiltered distribution; paid, in multiples of that, "
        "at least: gate 1, reject 3." in said
    )
    assert "needs no KL: the unfiltered samples are within it" in priced(0.0, gate=0.0)
    assert "a KL of" not in priced(None, gate=0.05) and "a KL of" not in priced(0.058)


def told(**distances: float) -> str:
    """What is said of who is nearest, some distances replaced."""
    changed = [{**e, "distance": distances.get(e["filter"], e["distance"])} for e in FACTS["entries"]]
    return findings({**FACTS, "entries": changed})[1]


def test_nobody_is_nearest_within_what_chance_alone_makes() -> None:
    assert told(thinning=0.22).startswith(
        "thinning cannot be distinguished from the exact projection (W2 0.22, where chance alone makes 0.2 ± "
        "0.01), at"
    )
    both = told(thinning=0.22, gate=0.21)
    assert both.startswith("gate and thinning cannot be distinguished from") and both.endswith(
        "none of them is the nearest."
    )
    blind = told(thinning=0.22, none=0.2)
    assert (
        "Nor can none, over the tolerance: with so few samples such small distances decide nothing." in blind
    )
    # of fewer draws chance makes more: an entry's own floor is what counts
    few = [{**e, "chance": (0.25, 0.01)} if e["filter"] == "thinning" else e for e in FACTS["entries"]]
    assert findings({**FACTS, "entries": few})[1].startswith("thinning cannot be distinguished from")


def test_points_that_coincide_share_a_label_and_labels_keep_apart() -> None:
    assert groups([(0.1, 0.5), (0.11, 0.51), (0.9, 0.5), (0.1, 0.9)]) == [[3], [1, 0], [2]]
    placed = spread([0.9, 0.5, 0.5, 0.49, 0.02], [0.1] * 5)
    assert (
        all(a - b >= 0.1 - 1e-12 for a, b in zip(placed, placed[1:], strict=False))
        and min(placed) >= 0.05 - 1e-12
    )
    assert placed[:2] == pytest.approx([0.9, 0.5])
    mixed = {"entries": [{**e, "constraint": e["filter"], "beta": 0.1} for e in FACTS["entries"]]}
    assert [x for _, x, _, _ in trade(mixed)] == pytest.approx(
        [2.0, 0.5, 0.0, 0.5]
    )  # multiples of β where rows speak of different sets
