"""The report on run directories made with numpy: what it says, what it leaves out, and that it needs nothing else."""

import json
import re
import shutil
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest

from barriers.filters import FILTERS
from lem_safe.auditor import audit
from lem_safe.faults import BadInput
from lem_safe.report import render, words
from lem_safe.report.claims import PROMISES
from lem_safe.report.contents import read
from lem_safe.report.curves import STRETCHES, stretches
from lem_safe.report.histograms import edges_of
from lem_safe.report.pairs import columns_of, pairs_of

RING = """\
version: 1
name: ring_keep_out
seed: 0
unsafe:
  pillar: {kind: ball, center: [2, 0], radius: 0.8}
  strip: {kind: half_space, normal: [1, 0.2], offset: 2.4}
constraints:
- {set: pillar, beta: 0.03}
- {set: strip, beta: 0.05}
sampler: {kind: langevin, samples: 5000, steps: 8000, step_size: 0.002}
filter: {kind: step, rate: 5.0}
audit: {confidence: 0.95}
"""
PLANE = """\
version: 1
name: five_columns
unsafe:
  impossible: {kind: half_space, normal: [0, -1, 0, 1, 0], offset: 1.5}
constraints:
- {set: impossible, beta: 0.01}
sampler: {kind: langevin, samples: 4000, steps: 300, step_size: 0.002}
filter: {kind: gate}
"""


def save(
    directory, yaml, unsafe, constraints, columns, x, fraction, reference, reference_fraction, filter_kind="step", **diagnostics
):
    """A run directory as a run would leave it."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "scenario.yaml").write_text(yaml)
    np.savez(directory / "samples.npz", x=x.astype(np.float32), columns=np.array(columns))
    t, m = fraction.shape
    noise = np.random.default_rng(9).normal(size=(t, m))
    soft = filter_kind == "step"
    nan = np.full((t, m), np.nan)
    np.savez(
        directory / "trace.npz",
        step=np.arange(1.0, t + 1),
        fraction=fraction,
        surrogate=fraction * 0.5 if soft else nan,
        limit=np.array([b / 2 for _, b in constraints]),
        multiplier=np.abs(1.7 + noise) * (fraction > 0) if soft else nan,
        shortfall=np.zeros((t, m)),
    )
    np.savez(directory / "reference.npz", x=reference.astype(np.float32), fraction=reference_fraction)
    np.savez(directory / "diagnostics.npz", **diagnostics)
    scenario = SimpleNamespace(
        filter={"kind": "gate"}, sampler=SimpleNamespace(samples=len(x)), name=directory.name, columns=columns, unsafe=unsafe,
        constraints=[SimpleNamespace(set=s, beta=b) for s, b in constraints], fingerprint=lambda: "0123456789abcdef" * 4,
        aimed=lambda: tuple(b for _, b in constraints),
        audit=SimpleNamespace(confidence=0.95, after_step=0, require="passed", correction="bonferroni", tuned_with=[], between=None),
    )  # fmt: skip
    last = {"step": np.arange(1, t + 1), "fraction": fraction}
    report = audit(x.astype(np.float32), scenario, trace=last, coupled=True)
    (directory / "audit.json").write_text(report.to_json())
    run = {
        "versions": {"lem-safe": "0.1.0", "torch": "2.13.0"},
        "device": "cpu",
        "seed": 0,
        "wall_seconds": 31.4,
        "resumed_from_step": None,
    }
    (directory / "run.json").write_text(json.dumps(run))
    return report


def ring(directory, n=5000, t=8000):
    """Eight modes, a ball and an overlapping half-space, filtered beside unfiltered."""
    rng = np.random.default_rng(0)
    angle = np.arange(8) * np.pi / 4
    modes = 2 * np.stack([np.cos(angle), np.sin(angle)], 1)
    reference = modes[rng.integers(0, 8, n)] + rng.normal(0, 0.5, (n, 2))
    x = reference.copy()
    for inside, allowed in ((np.hypot(x[:, 0] - 2, x[:, 1]) <= 0.8, 0.029), (x @ [1, 0.2] >= 2.4, 0.049)):
        rows = np.flatnonzero(inside)
        moved = rows[int(allowed * n * 0.6) :]
        x[moved] = (modes[rng.integers(2, 7, n)] + rng.normal(0, 0.4, (n, 2)))[moved]
    grid = np.linspace(-4, 4, 90)
    first, second = np.meshgrid(grid, grid, indexing="ij")
    far = ((first[..., None] - modes[:, 0]) ** 2 + (second[..., None] - modes[:, 1]) ** 2) / (2 * 0.5**2)
    landscape = -np.log(np.exp(-far).mean(-1) + 1e-300)

    def energy(points):
        return -np.log(np.exp(-((points[:, None] - modes) ** 2).sum(-1) / 0.5).mean(-1))

    rise = 1 - np.exp(-np.arange(1, t + 1) / 700)
    wobble = rng.normal(0, 0.002, (t, 2))
    filtered = np.rint(np.minimum(rise[:, None] * [0.031, 0.052] + wobble, [0.03, 0.05]).clip(0) * n) / n
    unfiltered = np.rint((rise[:, None] * [0.1015, 0.118] + wobble).clip(0) * n) / n
    unsafe = {
        "pillar": {"kind": "ball", "center": [2, 0], "radius": 0.8},
        "strip": {"kind": "half_space", "normal": [1, 0.2], "offset": 2.4},
    }
    return save(
        directory, RING, unsafe, [("pillar", 0.03), ("strip", 0.05)], ["x0", "x1"], x, filtered, reference, unfiltered,
        energy=energy(x), reference_energy=energy(reference), grid0=grid, grid1=grid, landscape=landscape,
    )  # fmt: skip


def plane(directory, n=4000, t=300):
    """Five correlated columns, a region over two of them."""
    rng = np.random.default_rng(1)
    mix = rng.normal(size=(5, 5)) * 0.6 + np.eye(5)
    data, reference = rng.normal(size=(569, 5)) @ mix, rng.normal(size=(n, 5)) @ mix * 1.05
    normal = np.array([0, -1, 0, 1, 0]) / 2**0.5
    x = reference.copy()
    over = np.flatnonzero(reference @ normal * 2**0.5 >= 1.5)
    x[over[int(0.0094 * n) :]] -= np.outer((x @ normal)[over[int(0.0094 * n) :]] - 0.5, normal)
    columns = ["mean_radius", "mean_texture", "mean_perimeter", "mean_area", "mean_smoothness"]
    held = np.rint(rng.uniform(0.008, 0.01, (t, 1)) * n - 0.5) / n
    free = np.rint(rng.uniform(0.19, 0.21, (t, 1)) * n) / n
    unsafe = {"impossible": {"kind": "half_space", "normal": [0, -1, 0, 1, 0], "offset": 1.5}}
    return save(
        directory, PLANE, unsafe, [("impossible", 0.01)], columns, x, held, reference, free, "gate",
        energy=(x**2).sum(1) / 2, reference_energy=(reference**2).sum(1) / 2, data=data, data_energy=(data**2).sum(1) / 2,
    )  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Both runs, rendered."""
    base = tmp_path_factory.mktemp("runs")
    reports = {"ring": ring(base / "ring", n=2000, t=900), "plane": plane(base / "plane", n=1500)}
    return {name: (base / name, report, render(base / name).read_text()) for name, report in reports.items()}


class Page(HTMLParser):
    """The tags, the text, and every address of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.ids, self.words = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for key, value in attrs if key in ("src", "href", "xlink:href", "srcset")]
        self.ids += [value for key, value in attrs if key == "id"]

    def handle_data(self, data):
        self.words.append(data)


def spoken(text):
    return " ".join(Page(text).words).replace("\N{NO-BREAK SPACE}", " ")


def test_the_page_needs_nothing_but_itself(runs):
    for _, _, text in runs.values():
        page = Page(text)
        assert all(address.startswith(("#", "data:")) for address in page.addresses)
        assert "script" not in page.tags and "@import" not in text and "svg" in page.tags
        assert len(page.ids) == len(set(page.ids))
        used = set(re.findall(r"url\(#([^)]+)\)", text)) | {a[1:] for a in page.addresses if a.startswith("#")}
        assert used <= set(page.ids)


def test_the_verdict_comes_first_and_in_numbers(runs):
    for directory, report, text in runs.values():
        words = spoken(text)
        for c in report.constraints:
            most = f"{100 * c.max_fraction_over_steps:.3g} %"
            assert (
                f"At most {100 * c.beta:.3g} % tolerated inside {c.set}; the filtered cloud never held more than {most}" in words
            )
            free = read(directory).inside(c.set, np.load(directory / "reference.npz")["x"]).mean()
            assert f"Without the filter: {100 * free:.3g} %." in words
        assert words.index("Passed") < words.index("Verdicts")


def test_the_box_says_why_a_required_bound_fails_and_what_the_bound_says(runs, tmp_path):
    """Every count within its tolerance, and failed all the same: the reader is told what the certificate lacks."""
    bare = tmp_path / "bare"
    shutil.copytree(runs["ring"][0], bare)
    told = json.loads((bare / "audit.json").read_text())
    (bare / "trace.npz").unlink()

    def box(**changed):
        (bare / "audit.json").write_text(json.dumps({**told, **changed}))
        return spoken(render(bare).read_text()).split("Verdicts")[0]

    reason = "Failed: every count is within its tolerance, but a certificate is required"
    failed = box(passed=False, verdict="inconclusive", assumes="independent clouds", reason=reason)
    assert reason in failed and "inconclusive" in failed.split(reason)[1]
    assert "too few to say" in failed and "if clouds are independent" in failed
    certified = box(passed=True, verdict="certified", assumes="independent samples")
    assert "certified" in certified and "the law behind the samples is within" in certified.lower()
    for why in ("coupled cloud", "samples used in tuning"):
        assert f"No bound is claimed ({why})" in box(assumes=f"{why}: bound not claimed")
    old = {key: value for key, value in told.items() if key not in ("reason", "verdict")}
    (bare / "audit.json").write_text(json.dumps(old))
    assert "Bound" in spoken(render(bare).read_text()).split("Verdicts")[0]


def test_no_bound_is_claimed_whatever_the_reason():
    c = {"upper_bound": 0.1}
    assert words.bound(c, {"assumes": "samples used in tuning: bound not claimed"}) == "none claimed: samples used in tuning"
    assert "not independent" in words.bound(c, {"assumes": "coupled cloud: bound not claimed"})
    assert "at most" in words.bound(c, {"assumes": "independent samples", "confidence": 0.95})


def test_pictures_are_files_too(runs):
    for name, expected in (
        ("ring", "clouds fraction multiplier clearance energy marginals"),
        ("plane", "fraction clearance pairs energy marginals"),
    ):
        made = {p.stem: p.read_bytes() for p in (runs[name][0] / "figures").iterdir()}
        assert set(made) == set(expected.split())
        assert all(content.startswith(b"\x89PNG") and len(content) > 5_000 for content in made.values())


def test_missing_files_leave_a_sentence(runs, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(runs["ring"][0], bare)
    for name in ("trace.npz", "reference.npz", "diagnostics.npz"):
        (bare / name).unlink()
    words = spoken(render(bare).read_text())
    assert "The run recorded no trace" in words and "saved no energies" in words and "Without the filter" not in words
    for content in (b"", b"PK\x03\x04 cut off", (runs["ring"][0] / "trace.npz").read_bytes()[:-100]):
        (bare / "trace.npz").write_bytes(content)
        with pytest.raises(BadInput, match="trace.npz: is not a readable .npz file"):
            render(bare)
    (bare / "trace.npz").unlink()
    (bare / "audit.json").unlink()
    with pytest.raises(BadInput, match="audit.json: no such file"):
        render(bare)


def test_rendering_twice_gives_the_same_bytes(runs):
    directory, _, text = runs["plane"]
    assert render(directory).read_text() == text


def test_no_bin_of_distances_is_on_both_sides_of_the_boundary():
    y = np.random.default_rng(0).normal(3, 2, 900)
    edges = edges_of({"data": y, "filtered": y + 0.3}, at_zero=True)
    assert np.abs(edges).min() == 0 and edges[0] < np.quantile(y, 0.001) and edges[-1] > np.quantile(y, 0.999)
    assert np.diff(edges) == pytest.approx(np.diff(edges)[0])
    assert np.abs(edges_of({"data": y})).min() > 0  # without asking, no edge happens to be there


def test_every_filter_has_its_promise():
    assert set(FILTERS) == set(PROMISES)


def test_no_step_over_the_line_can_hide():
    y = np.zeros(50_000)
    y[31_415] = 1.0
    middle, least, mean, most = stretches(np.arange(1, 50_001), y)
    assert len(middle) == STRETCHES and most.max() == 1.0 and least.max() == 0.0
    assert mean.mean() == pytest.approx(1 / 50_000) and abs(middle[most.argmax()] - 31_416) < 50_000 / STRETCHES


def test_the_columns_a_region_looks_at(runs):
    contents = read(runs["plane"][0])
    assert sorted(columns_of(contents.regions["impossible"], contents.x)) == [1, 3]
    assert pairs_of(contents.regions["impossible"], contents.x) == [(1, 3)]
