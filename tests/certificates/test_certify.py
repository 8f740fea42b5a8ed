"""Certification: the plan, fresh independent samples, the certificate, and its verification."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from audited import faults
from scenario_texts import AWAY, CORNER

import lem_safe
from lem_safe.certificates.certificate import Certificate
from lem_safe.certificates.certify import certify
from lem_safe.certificates.plan import planned
from lem_safe.certificates.schema import certificate_schema
from lem_safe.certificates.verify import verify
from lem_safe.errors import BadInput
from lem_safe.files import read_npz, write_npz
from lem_safe.registry import loads

pytestmark = pytest.mark.simulation


def scenario(
    filter_: str = "{kind: gate}", *, seed=0, beta=0.2, samples=400, steps=40, init=AWAY, audit="{}"
):
    return loads(
        CORNER.format(
            filter=filter_, seed=seed, beta=beta, samples=samples, steps=steps, init=init, audit=audit
        )
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory):
    """A certification of the scenario, which names a filter that couples its particles."""
    return certify(scenario(), out=tmp_path_factory.mktemp("certified") / "out", with_report=False)


def copied(done, tmp_path: Path) -> Path:
    return Path(shutil.copytree(done.path, tmp_path / "moved"))


def test_it_certifies_and_anyone_can_check_it(done, tmp_path: Path):
    c = done.certificate
    assert c.certified and done.exit_status == 0 and c.replaced_filter == "gate"
    assert c.filter["kind"] == "tilt" and c.pilot["multipliers"] == c.filter["multipliers"]
    assert c.evaluations[-1] == c.samples <= c.budget and c.samples % 400 == 0
    x = read_npz(done.path / "samples.npz")["x"].astype(float)
    assert [k.violations for k in c.constraints] == [int((x[:, i] >= 0.5).sum()) for i in (0, 1)]
    assert all(k.upper_bound <= k.beta for k in c.constraints)
    place = copied(done, tmp_path)
    found = verify(place / "certificate.json", place / "samples.npz")
    assert found.verified and found.status == 0, found.differences
    np.savetxt(place / "rows.csv", x, delimiter=",", header="x0,x1", comments="", fmt="%.17g")
    assert verify(place / "certificate.json", place / "rows.csv").verified
    assert Certificate.read(done.path / "certificate.json") == c
    assert faults(c.to_dict(), certificate_schema()) == []


def test_its_samples_are_independent_of_the_pilot_and_of_a_run(done):
    """No batch repeats the noise of another, of the run with the same seed, or of its pilot."""
    x = read_npz(done.path / "samples.npz")["x"]
    assert len(np.unique(x, axis=0)) == len(x)
    own = lem_safe.loads(done.path.joinpath("scenario.yaml").read_text())
    from lem_safe.keys import Key
    from lem_safe.progress import Silent
    from lem_safe.runs.problem import build
    from lem_safe.runs.starting import start

    problem = build(own, progress=Silent())
    starts = [start(problem, key).numpy() for key in (Key(0), Key(0).fold("pilot").fold(0))]
    starts += [start(problem, Key(0).fold("certify", b).fold("replica", 0)).numpy() for b in range(2)]
    rows = np.concatenate(starts)
    assert len(np.unique(rows, axis=0)) == len(rows)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["constraints"][0].update(violations=0), "violations: 0 is claimed"),
        (lambda c: c["constraints"][0].update(upper_bound=0.01), "upper_bound"),
        (lambda c: c.update(confidence=0.999), "confidence"),
        (lambda c: c.update(samples=c["samples"] - 1), "were certified; the file has"),
        (lambda c: c.update(evaluations=c["evaluations"][:-1]), "evaluations"),
        (lambda c: c.update(evaluations=[1, *c["evaluations"]]), None),
        (lambda c: c["question"]["constraints"][0].update(beta=0.1), "beta"),
        (lambda c: c["question"]["unsafe"]["right"].update(offset=0.4), "violations"),
        (lambda c: c.update(method="clopper-pearson"), "method"),
        (lambda c: c.update(columns=["x1", "x0"]), "columns"),
        (lambda c: c["constraints"].pop(), "constraints: 1 are claimed, 2 are asked"),
    ],
)
def test_a_claim_that_the_samples_do_not_bear_out_is_found(done, tmp_path: Path, change, said):
    """Any other moments of evaluation keep the level, and may certify as well; everything else is found."""
    place = copied(done, tmp_path)
    content = json.loads((place / "certificate.json").read_text())
    change(content)
    (place / "certificate.json").write_text(json.dumps(content))
    found = verify(place / "certificate.json", place / "samples.npz")
    if said is None:
        assert found.certificate.evaluations[0] == 1
    else:
        assert not found.verified and any(said in text for text in found.differences), found.differences


def test_other_samples_are_found(done, tmp_path: Path):
    place = copied(done, tmp_path)
    x = read_npz(place / "samples.npz")["x"]
    for name, rows in (("one value", _with(x, 0)), ("order", x[::-1]), ("fewer", x[:-1])):
        write_npz(place / "samples.npz", x=np.ascontiguousarray(rows), columns=np.array(["x0", "x1"]))
        assert verify(place / "certificate.json", place / "samples.npz").status == 1, name


def _with(x: np.ndarray, row: int) -> np.ndarray:
    changed = x.copy()
    changed[row, 0] = np.nextafter(changed[row, 0], np.float32(9))
    return changed


def test_an_interrupted_certification_goes_on_with_identical_results(
    done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Interrupted in the pilot, in the first batch, and in the last, by turns."""
    import lem_safe.runs.recorded_chain as chain

    honest, out, left = chain._step, tmp_path / "out", [0]

    def counted(*positional, **named):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return honest(*positional, **named)

    monkeypatch.setattr(chain, "_step", counted)
    for moment in (7, 45, 3, 41):
        left[0] = moment
        with pytest.raises(KeyboardInterrupt):
            certify(scenario(), out=out, resume=out.exists(), with_report=False, checkpoint_seconds=0)
    left[0] = -1
    again = certify(scenario(), out=out, resume=True, with_report=False)
    assert (out / "samples.npz").read_bytes() == (done.path / "samples.npz").read_bytes()
    assert again.certificate == done.certificate
    assert not (out / "checkpoint.npz").exists() and not (out / "begun.json").exists()
    assert certify(scenario(), out=out, resume=True, with_report=False).certificate == done.certificate


def test_clouds_keep_a_filter_that_couples(tmp_path: Path):
    """A gate that aims below its tolerance, in 60 clouds: the unit is the cloud, and no cloud is over."""
    asked = scenario(samples=50, beta=0.25, audit="{replicas: 60}")
    found = certify(asked, out=tmp_path / "out", with_report=False).certificate
    assert found.unit == "cloud" and found.particles == 50 and found.replaced_filter is None
    assert found.filter["kind"] == "gate" and found.method == "betting" and found.certified
    rows = read_npz(tmp_path / "out" / "samples.npz")
    assert set(np.bincount(rows["replica"])) == {50}
    assert verify(tmp_path / "out" / "certificate.json", tmp_path / "out" / "samples.npz").verified


def test_what_is_over_is_not_certified(tmp_path: Path):
    """Without a filter 31 % are inside: violated, with what to do next."""
    asked = scenario("{kind: none}")
    found = certify(asked, out=tmp_path / "out", with_report=False)
    assert found.certificate.verdict == "violated" and found.exit_status == 1
    assert "filter: {kind: tilt" in str(found)
    checked = verify(tmp_path / "out" / "certificate.json", tmp_path / "out" / "samples.npz")
    assert not checked.differences and not checked.verified


@pytest.mark.parametrize(
    ("changes", "budget", "said"),
    [
        ({"beta": 0}, None, "cannot be certified by any number"),
        ({"audit": "{tuned_with: [0]}"}, None, "tuned_with"),
        ({}, 10, "too few to certify"),
        ({}, 0, "at least 1"),
        ({"audit": "{replicas: 2}"}, 500, "two clouds"),
    ],
)
def test_what_cannot_be_certified_is_refused_before_anything_is_written(
    tmp_path: Path, changes, budget, said
):
    with pytest.raises(BadInput, match=said):
        certify(scenario(**changes), out=tmp_path / "out", budget=budget)
    assert not (tmp_path / "out").exists()


def test_the_plan_says_what_it_costs_and_keeps_what_the_scenario_chose():
    default = planned(scenario())
    assert default.replaced == "gate" and str(default).startswith("a pilot of ")
    chosen = planned(scenario("{kind: tilt, aim: [0.1, 0.1]}"), 4000)
    assert chosen.scenario.aimed() == (0.1, 0.1) and chosen.replaced is None and chosen.budget == 4000
    fixed = planned(scenario("{kind: tilt, multipliers: [2, 1]}"))
    assert fixed.pilot == 0 and fixed.scenario.filter["multipliers"] == [2.0, 1.0]
    small = planned(scenario(), 300)
    assert small.batch == 300 and small.scenario.sampler.samples == 300


def test_files_of_regions_go_with_the_certificate(tmp_path: Path):
    points = tmp_path / "here" / "points.npz"
    points.parent.mkdir()
    write_npz(points, x=np.array([[1.0, 1.0], [1.5, 0.0]]))
    text = CORNER.format(
        filter="{kind: tilt}", seed=0, beta=0.2, samples=400, steps=40, init=AWAY, audit="{}"
    ).replace(
        "{kind: half_space, normal: [1, 0], offset: 0.5}",
        f"{{kind: near_points, points: {points}, radius: 0.5}}",
    )
    done = certify(loads(text), out=tmp_path / "out", with_report=False)
    place = copied(done, tmp_path)
    shutil.rmtree(points.parent)
    shutil.rmtree(done.path)
    assert verify(place / "certificate.json", place / "samples.npz").verified
    (copy,) = [place / g.path for g in done.certificate.geometry]
    write_npz(copy, x=np.array([[9.0, 9.0]]))
    found = verify(place / "certificate.json", place / "samples.npz")
    assert not found.verified and any("is not the file that was certified" in d for d in found.differences)
    copy.unlink()
    with pytest.raises(BadInput, match="restore it"):
        verify(place / "certificate.json", place / "samples.npz")


@pytest.mark.parametrize("name", ["/dev/zero", "../points.npz", "geometry/../../x"])
def test_files_elsewhere_than_beside_the_certificate_are_not_read(done, tmp_path: Path, name: str):
    place = copied(done, tmp_path)
    content = json.loads((place / "certificate.json").read_text())
    content["geometry"] = [{"path": name, "sha256": "0"}]
    (place / "certificate.json").write_text(json.dumps(content))
    with pytest.raises(BadInput, match="in the folder of the certificate"):
        verify(place / "certificate.json", place / "samples.npz")


def test_a_step_size_that_a_warm_up_chooses_is_frozen_before_the_samples(tmp_path: Path):
    text = CORNER.format(
        filter="{kind: tilt}", seed=0, beta=0.2, samples=400, steps=40, init=AWAY, audit="{}"
    ).replace("step_size: 0.5", "step_size: 0.5, adapt: {steps: 30}")
    done = certify(loads(text), out=tmp_path / "out", with_report=False)
    assert "adapt" not in done.certificate.sampler and done.certificate.sampler["step_size"] != 0.5
    assert verify(tmp_path / "out" / "certificate.json", tmp_path / "out" / "samples.npz").differences == ()


def test_an_aim_of_0_is_an_infinite_multiplier(tmp_path: Path):
    done = certify(scenario("{kind: tilt, aim: 0}"), out=tmp_path / "out", with_report=False)
    assert done.certificate.filter["multipliers"] == [1e300, 1e300] and done.certificate.certified
    assert verify(tmp_path / "out" / "certificate.json", tmp_path / "out" / "samples.npz").verified
