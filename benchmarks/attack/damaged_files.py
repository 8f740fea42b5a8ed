"""Checkpoints, classifiers, cached energies and run directories that are damaged, or say what cannot be: a
file somebody names is refused, a file of the cache is made again, and `validate` says what `run` would.
"""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from barriers.coordinates import identity
from barriers.sets import save_classifier
from benchmarks.attack.case import DONE, MACHINE, REFUSED, Case, Outcome, Surroundings
from benchmarks.attack.fixtures import DATA, TRAINED, scenario, write_rows
from benchmarks.attack.odd_paths import finished
from benchmarks.attack.pickles import PICKLES
from benchmarks.attack.processes import forked
from lem_safe.energies import NETWORKS, Transported
from lem_safe.training.checkpoint import FORMAT, describe, network_of, save_energy

NET = {"kind": "mlp", "hidden": 4, "depth": 2, "activation": "silu", "confinement": 0.1}
CHECKPOINT = "{kind: checkpoint, path: e.safetensors}"
CLASSIFIER = "{kind: classifier, path: c.safetensors, label: b}"

VALUES: dict[str, Any] = {
    "a list": [],
    "a string": "mlp",
    "a number": 5,
    "null": None,
    "true": True,
    "nothing": {},
    "a list of lists": [[[[]]]],
    "10,000 deep": "DEEP",
    "no JSON": "RAW{",
    "a huge number": "RAW" + "9" * 9999,
    "not a number": "RAWNaN",
    "unknown kind": {"kind": "nope"},
    "a kind that is a list": {"kind": []},
    "no kind": {"hidden": 4},
    "kind null": {"kind": None},
    "unknown key": {**NET, "colour": 1},
}
"""What stands where the network's settings, or the columns, are expected."""

SETTINGS: dict[str, tuple[Any, ...]] = {
    "depth": (10**9, 10**18, -1, 0, "3", 2.5, None, [], {}, True, 1e300, 3),
    "hidden": (10**9, 10**5, -4, 0, "64", None, [4], 1e300, 5),
    "activation": ("nope", "", None, 1, [], "tanh\n", "__class__", "x" * 10**6),
    "confinement": (-1, 0, 1e400, "1", None, [], 1e308),
}
NESTED: dict[str, tuple[dict[str, Any], int]] = {
    "fourier": ({"kind": "fourier", "count": 3, "network": NET}, 2),
    "residual": ({"kind": "residual", "hidden": 4, "depth": 2}, 2),
    "mixture_base": ({"kind": "mixture_base", "components": 2, "hidden": 4, "depth": 2}, 2),
    "convolutional": ({"kind": "convolutional", "image": [1, 4, 4], "channels": [2], "hidden": 4}, 16),
}
COUNTS = (10**9, 10**18, -1, 0, "3", 2.5, None, [10**9], [], {"kind": "mlp"})
COLUMNS: dict[str, Any] = {
    "10^5 names": [f"x{i}" for i in range(10**5)],
    "one name": ["x0"],
    "the same name": ["x0", "x0"],
    "numbers": [0, 1],
    "nulls": [None, None],
    "a string": "ab",
    "empty names": ["", ""],
    "none": [],
    "a mapping": {"x0": 1, "x1": 2},
    "a number": 2,
    "no JSON": "RAW[",
    "nested": [["x0"], ["x1"]],
}


def cases(shared: Path) -> Iterator[Case]:
    """Metadata, tensors and bytes of checkpoints and classifiers; pickles; the cache; a run's own files."""
    yield from _metadata()
    yield from _tensors(shared)
    yield from _bytes(shared)
    for name, write in PICKLES.items():
        yield _checked(f".pt: {name}", partial(_pickled, write=write), "{kind: checkpoint, path: e.pt}")
    yield from _cache(shared)
    yield from _run_files(shared)


def _text(value: Any) -> str:
    if value == "DEEP":
        return "[" * 10_000 + "]" * 10_000
    return value[3:] if isinstance(value, str) and value.startswith("RAW") else json.dumps(value)


def energy_file(path: Path, network: dict[str, Any] = NET, columns: int = 2) -> None:
    """A good checkpoint of an untrained network."""
    made = network_of(network).build(columns, torch.Generator().manual_seed(0))
    names = [f"x{i}" for i in range(columns)]
    kind = NETWORKS.kind_of(network_of(network))
    whole = Transported(made, identity(columns))
    save_energy(whole, path, {"network": describe(network_of(network), kind), "columns": names})


def _rewritten(path: Path, **text: str) -> None:
    """The same tensors under other metadata."""
    import safetensors

    with safetensors.safe_open(path, framework="pt") as file:
        before = dict(file.metadata() or {})
    save_file(load_file(path), path, {**before, **text})


def _checked(name: str, prepare: Callable[[Path], None], energy: str = CHECKPOINT, **parts: str) -> Case:
    """A scenario that names a file which `prepare` leaves in the folder: `validate`, then `run`."""

    def run(folder: Path) -> Outcome:
        prepare(folder)
        (folder / "s.yaml").write_text(scenario(**({"energy": energy} | parts)))
        first = forked("validate", "s.yaml")(folder)
        (folder / "validated").write_text(str(first.status))
        second = forked("run", "s.yaml", "--out", "o", "--no-report")(folder)
        return second if second.status == 2 or first.status != 2 else first

    return Case(name, run, allowed=DONE | MACHINE, holds=_agree)


def _agree(folder: Path, outcome: Outcome) -> str | None:
    """A run that diverges is no fault of its file."""
    validated = (folder / "validated").read_text()
    refused = outcome.status == 2
    return f"validate exits {validated}, run {outcome.status}" if (validated == "2") != refused else None


def _metadata() -> Iterator[Case]:
    def network(folder: Path, value: Any, good: dict[str, Any] = NET, columns: int = 2) -> None:
        energy_file(folder / "e.safetensors", good, columns)
        _rewritten(folder / "e.safetensors", network=_text(value))

    def names(folder: Path, value: Any) -> None:
        energy_file(folder / "e.safetensors")
        _rewritten(folder / "e.safetensors", columns=_text(value))

    for what, value in VALUES.items():
        yield _checked(f"network: {what}", partial(network, value=value))
    for key, values in SETTINGS.items():
        for value in values:
            what = f"network.{key}: {str(value)[:20]}"
            yield _checked(what, partial(network, value={**NET, key: value}))
    for kind, (good, columns) in NESTED.items():
        for key in good:
            for value in COUNTS if key != "kind" else ("mlp", "nope"):
                region = '{kind: rule, where: "x0 > 2"}'
                prepare = partial(network, value={**good, key: value}, good=good, columns=columns)
                yield _checked(f"{kind}.{key}: {str(value)[:20]}", prepare, region=region)
    for what, value in COLUMNS.items():
        yield _checked(f"columns: {what}", partial(names, value=value))
    for key, text in (("format", "lem-safe energy 2"), ("format", ""), ("history", "RAW"), ("seed", "[")):
        yield _checked(f"metadata {key}: {text}", partial(_with, key=key, text=text))


def _with(folder: Path, key: str, text: str) -> None:
    energy_file(folder / "e.safetensors")
    _rewritten(folder / "e.safetensors", **{key: text})


CHANGES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "NaN": lambda t: torch.full_like(t, torch.nan),
    "infinity": lambda t: torch.full_like(t, torch.inf),
    "integers": lambda t: t.to(torch.int64),
    "half": lambda t: t.to(torch.float16),
    "booleans": lambda t: t != 0,
    "one row more": lambda t: torch.cat([t, t[:1]]) if t.ndim else t[None],
    "one axis more": lambda t: t[None].clone(),
    "nothing": lambda t: t.new_empty(0),
    "huge": lambda t: torch.full_like(t, 3e38),
}


def _tensors(shared: Path) -> Iterator[Case]:
    energy_file(shared / "e.safetensors")
    _classifier(shared / "c.safetensors")

    def changed(folder: Path, file: str, name: str, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
        shutil.copy(shared / file, folder / file)
        _replaced(folder / file, {name: change(load_file(folder / file)[name]).contiguous()})

    def without(folder: Path, file: str, name: str) -> None:
        shutil.copy(shared / file, folder / file)
        _replaced(folder / file, {}, drop=name)

    for file, parts in (("e.safetensors", {}), ("c.safetensors", {"energy": "", "region": CLASSIFIER})):
        parts = {k: v for k, v in parts.items() if v} | ({"energy": _gaussian()} if parts else {})
        for name in sorted(load_file(shared / file)):
            for what, change in CHANGES.items():
                yield _checked(
                    f"{name}: {what}", partial(changed, file=file, name=name, change=change), **parts
                )
            yield _checked(f"{name}: absent", partial(without, file=file, name=name), **parts)
    for key, values in (("classes", COLUMNS), ("columns", COLUMNS), ("activation", VALUES)):
        for what, value in values.items():
            yield _checked(
                f"classifier's {key}: {what}",
                partial(_classified, key=key, text=_text(value)),
                energy=_gaussian(),
                region=CLASSIFIER,
            )


def _gaussian() -> str:
    return "{kind: gaussian, mean: [0, 0], std: 1}"


def _replaced(path: Path, tensors: dict[str, torch.Tensor], drop: str | None = None) -> None:
    import safetensors

    with safetensors.safe_open(path, framework="pt") as file:
        text = dict(file.metadata() or {})
    kept = {name: t for name, t in {**load_file(path), **tensors}.items() if name != drop}
    save_file(kept, path, text)


def _classifier(path: Path) -> None:
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))
    save_classifier(layers, path, ["a", "b"], ["x0", "x1"])


def _classified(folder: Path, key: str, text: str) -> None:
    _classifier(folder / "c.safetensors")
    _rewritten(folder / "c.safetensors", **{key: text})


def broken(data: bytes, count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """A file cut short, and with bytes that are not its own, always the same ones."""
    rng = random.Random(seed)
    for i in range(count):
        cut = len(data) * i // count
        yield f"cut to {cut} bytes", data[:cut]
        at = rng.randrange(len(data))
        flipped = bytearray(data)
        flipped[at] ^= 1 << rng.randrange(8)
        yield f"a bit at {at}", bytes(flipped)
    for what, start in (
        ("length 2^63", b"\xff" * 7 + b"\x7f"),
        ("length 10^9", (10**9).to_bytes(8, "little")),
    ):
        yield what, start + data[8:]
    yield "text", b"weights"
    yield "twice", data + data


def _bytes(shared: Path) -> Iterator[Case]:
    good = (shared / "e.safetensors").read_bytes()
    for what, content in broken(good, 8):
        yield _checked(f"checkpoint: {what}", partial(_write, name="e.safetensors", content=content))
    for what, content in broken((shared / "c.safetensors").read_bytes(), 4):
        prepare = partial(_write, name="c.safetensors", content=content)
        yield _checked(f"classifier: {what}", prepare, energy=_gaussian(), region=CLASSIFIER)


def _write(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)


def _pickled(folder: Path, write: Callable[[Path], None]) -> None:
    write(folder / "e.pt")


def _cache(shared: Path) -> Iterator[Case]:
    """A run that finds a damaged energy, or journal of its training, in the cache: it trains again."""
    kept = _trained(shared)
    text = dict(format=FORMAT, columns='["a", "b"]')
    for name in ("energy.safetensors", "training.safetensors"):
        for what, content in broken(kept.read_bytes(), 4):
            yield _of_cache(shared, f"{name} in the cache: {what}", name, partial(_replace, content=content))
    for what, value in VALUES.items():
        change = partial(_rewritten, network=_text(value))
        yield _of_cache(shared, f"cached network: {what}", "energy.safetensors", change, "trained again")
    for key, value in (*text.items(), ("fingerprint", '"of another"'), ("columns", "[")):
        change = partial(_rewritten, **{key: value if key != "format" else "other"})
        yield _of_cache(shared, f"cached {key}: {value}", "energy.safetensors", change, "trained again")


def _replace(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _trained(shared: Path) -> Path:
    """The file of a cache that holds one trained energy."""
    around = Surroundings(environment={"LEM_SAFE_CACHE": str(shared / "cache")})
    write_rows(shared)
    (shared / "t.yaml").write_text(scenario(energy=TRAINED.format(data=DATA)))
    return Path(forked("train", "t.yaml", around=around)(shared).out.strip().splitlines()[-1])


def _of_cache(
    shared: Path, name: str, file: str, change: Callable[[Path], None], says: str | None = None
) -> Case:
    def run(folder: Path) -> Outcome:
        shutil.copytree(shared / "cache", folder / "cache")
        write_rows(folder)
        shutil.copy(shared / "t.yaml", folder / "s.yaml")
        (energy,) = (folder / "cache").glob("*/energy.safetensors")
        if file != energy.name:
            energy.rename(energy.with_name(file))
        change(energy.with_name(file))
        around = Surroundings(environment={"LEM_SAFE_CACHE": str(folder / "cache")})
        return forked("run", "s.yaml", "--out", "o", "--no-report", around=around)(folder)

    return Case(name, run, allowed=DONE, says=says)


def _run_files(shared: Path) -> Iterator[Case]:
    """A finished run whose files are damaged: told, and never half read."""
    commands = {
        "report": ("report", "run"),
        "sample": ("sample", "run", "--samples", "20", "--seed", "7"),
        "resume": ("run", "run/scenario.yaml", "--out", "run", "--resume"),
        "audit": ("audit", "run/samples.npz", "run/scenario.yaml", "--trace", "run/trace.npz"),
    }
    contents = {
        "nothing": b"",
        "a list": b"[]",
        "text": b"{",
        "null": b"null",
        "mapping": b"{}",
        "no UTF-8": b"\xff\xfe{",
        "deep": b"[" * 100_000,
        "half a zip": b"PK\x03\x04" + bytes(200),
        "a name": b'{"version": 1}',
        "NaN": b"NaN",
    }
    for command, arguments in commands.items():
        for file in ("audit.json", "run.json", "scenario.yaml", "samples.npz", "trace.npz"):
            for what, content in contents.items():
                run = partial(_of_run, shared=shared, file=file, content=content, arguments=arguments)
                yield Case(f"{command} with {file}: {what}", run, allowed=DONE | REFUSED)


def _of_run(folder: Path, shared: Path, file: str, content: bytes, arguments: tuple[str, ...]) -> Outcome:
    shutil.copytree(finished(shared), folder / "run")
    (folder / "run" / file).write_bytes(content)
    return forked(*arguments)(folder)
