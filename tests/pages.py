"""What tests of pages have in common: run directories made with numpy, and a page as a reader meets it, its
words and its look in a browser.
"""

import json
import shutil
import subprocess
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np

from lem_safe.auditor import audit

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
    directory,
    yaml,
    unsafe,
    constraints,
    columns,
    x,
    fraction,
    reference,
    reference_fraction,
    filter_kind="step",
    **diagnostics,
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
        filter={"kind": "gate"},
        sampler=SimpleNamespace(samples=len(x)),
        name=directory.name,
        columns=columns,
        unsafe=unsafe,
        derived=None,
        constraints=[SimpleNamespace(set=s, beta=b) for s, b in constraints],
        fingerprint=lambda: "0123456789abcdef" * 4,
        aimed=lambda: tuple(b for _, b in constraints),
        audit=SimpleNamespace(
            confidence=0.95,
            after_step=0,
            require="passed",
            correction="bonferroni",
            tuned_with=[],
            between=None,
        ),
    )
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
        directory,
        RING,
        unsafe,
        [("pillar", 0.03), ("strip", 0.05)],
        ["x0", "x1"],
        x,
        filtered,
        reference,
        unfiltered,
        energy=energy(x),
        reference_energy=energy(reference),
        grid0=grid,
        grid1=grid,
        landscape=landscape,
    )


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
        directory,
        PLANE,
        unsafe,
        [("impossible", 0.01)],
        columns,
        x,
        held,
        reference,
        free,
        "gate",
        energy=(x**2).sum(1) / 2,
        reference_energy=(reference**2).sum(1) / 2,
        data=data,
        data_energy=(data**2).sum(1) / 2,
    )


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


BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
    None,
)


QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--v=0",
)


def opened(page, profile, *flags):
    """What the browser makes of a page: its document as rendered, and what it wrote to its console."""
    command = [BROWSER, *QUIET, f"--user-data-dir={profile}", *flags, "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]
