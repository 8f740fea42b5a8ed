"""What a machine refuses: memory, room, descriptors, a reader; encodings that lack characters; and inputs
that would take all of its time. Each ends in words within its limit.
"""

import os
import resource
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.attack.case import DONE, MACHINE, REFUSED, Case, Outcome, Surroundings
from benchmarks.attack.fixtures import DATA, TRAINED, scenario, write_rows
from benchmarks.attack.processes import forked, fresh

COMMANDS: dict[str, tuple[str, ...]] = {
    "--version": ("--version",),
    "--help": ("--help",),
    "run --help": ("run", "--help"),
    "validate": ("validate", "s.yaml"),
    "explain": ("explain", "s.yaml"),
    "list": ("list",),
    "schema": ("schema",),
    "schema audit": ("schema", "audit"),
    "plan": ("plan", "--beta", "0.05"),
    "audit": ("audit", "rows.npy", "s.yaml"),
    "audit --json": ("audit", "rows.npy", "s.yaml", "--json"),
    "audit --out": ("audit", "rows.npy", "s.yaml", "--out", "o"),
    "audit markdown": ("audit", "rows.npy", "s.yaml", "--format", "markdown"),
    "run": ("run", "s.yaml", "--out", "o", "--no-report"),
    "compare": ("compare", "s.yaml", "--filters", "none", "--out", "o"),
    "ood": ("ood", "s.yaml", "--against", "rows.csv", "--out", "o"),
    "train": ("train", "t.yaml"),
    "new": ("new", "n.yaml"),
    "cache": ("cache",),
    "an unknown command": ("sing",),
    "a scenario that is wrong": ("validate", "w.yaml"),
    "no such scenario": ("run", "nowhere.yaml"),
}
WRONG = ("an unknown command", "a scenario that is wrong", "no such scenario")
WRITING = ("run", "audit --out", "compare", "ood", "train", "new")


def cases(shared: Path) -> Iterator[Case]:
    """Outputs, encodings, limits, and inputs of a size that nobody needs."""
    yield from _outputs()
    yield from _encodings()
    yield from _limits()
    yield from _sizes()


def _prepared(folder: Path, arguments: tuple[str, ...], around: Surroundings) -> Outcome:
    write_rows(folder)
    (folder / "s.yaml").write_text(scenario(), encoding="utf-8")
    (folder / "t.yaml").write_text(scenario(energy=TRAINED.format(data=DATA)), encoding="utf-8")
    (folder / "w.yaml").write_text(
        scenario(region='{kind: ball, center: [ρ, "≤ 𝒰"], radius: -1}'), encoding="utf-8"
    )
    cached = Surroundings(
        {"LEM_SAFE_CACHE": "cache", **around.environment},
        around.stdin,
        around.stdout,
        around.limits,
        around.encoding,
        around.user,
    )
    return forked(*arguments, around=cached)(folder)


def _outputs() -> Iterator[Case]:
    for name, arguments in COMMANDS.items():
        for what, path in (("a full device", "/dev/full"), ("a closed one", None)):
            run = partial(_prepared, arguments=arguments, around=Surroundings(stdout=path))
            allowed = REFUSED if name in WRONG else frozenset({3})
            yield Case(f"stdout, {what}: {name}", run, allowed=allowed)
        yield Case(
            f"stdout, nobody reads: {name}",
            partial(_unread, arguments=arguments),
            allowed=REFUSED if name in WRONG else DONE,
        )


def _unread(folder: Path, arguments: tuple[str, ...]) -> Outcome:
    """A pipe whose reader has gone away."""
    read, write = os.pipe()
    os.close(read)
    try:
        return _prepared(folder, arguments, Surroundings(stdout=f"/proc/self/fd/{write}"))
    finally:
        os.close(write)


def _encodings() -> Iterator[Case]:
    for encoding in ("ascii", "latin-1", "cp437"):
        for name, arguments in COMMANDS.items():
            run = partial(_prepared, arguments=arguments, around=Surroundings(encoding=encoding))
            yield Case(f"{encoding}: {name}", run, allowed=REFUSED if name in WRONG else DONE)
    for locale in (
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii"},
    ):
        for arguments in (("--help",), ("list", "filters"), ("explain", "ring_keep_out")):
            run = partial(_localised, arguments=arguments, environment=locale)
            yield Case(f"{' '.join(locale.values())}: {' '.join(arguments)}", run, allowed=DONE, seconds=60)


def _localised(folder: Path, arguments: tuple[str, ...], environment: dict[str, str]) -> Outcome:
    return fresh(*arguments, folder=folder, environment=environment)


def _limits() -> Iterator[Case]:
    for name in WRITING:
        for size in (1000, 3000, 30_000):
            around = Surroundings(limits={resource.RLIMIT_FSIZE: size}, stdout="/dev/null")
            yield Case(
                f"files of {size} bytes: {name}",
                partial(_prepared, arguments=COMMANDS[name], around=around),
                allowed=DONE | MACHINE,
            )
        for count in (4, 8, 16):
            around = Surroundings(limits={resource.RLIMIT_NOFILE: count})
            yield Case(
                f"{count} open files: {name}",
                partial(_prepared, arguments=COMMANDS[name], around=around),
                allowed=DONE | MACHINE,
            )
    for megabytes in (1, 10, 50):
        for name, text in BIG.items():
            run = partial(_bounded, text=text, megabytes=megabytes)
            yield Case(f"{megabytes} MB more: {name}", run, allowed=DONE | MACHINE, seconds=60)
    for megabytes in (100, 300, 1000):
        line = f"ulimit -v {1024 * megabytes}; $LEM validate ring_keep_out"
        yield Case(
            f"{megabytes} MB from the start",
            partial(_limited, line=line),
            allowed=DONE | MACHINE | {126, 127},
            seconds=60,
        )


BIG = {
    "10^6 particles": scenario().replace("samples: 20", "samples: 1000000"),
    "10^7 particles": scenario().replace("samples: 20", "samples: 10000000"),
    "10^6 steps": scenario().replace("steps: 3", "steps: 1000000").replace("samples: 20", "samples: 2"),
    "a network": scenario(
        energy=TRAINED.format(data=DATA).replace("hidden: 4", "hidden: 4000").replace("depth: 1", "depth: 3")
    ),
}


def _bounded(folder: Path, text: str, megabytes: int) -> Outcome:
    """A run with so much more address space than this process has."""
    write_rows(folder)
    (folder / "s.yaml").write_text(text)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    around = Surroundings({"LEM_SAFE_CACHE": "cache"}, limits={resource.RLIMIT_AS: used + (megabytes << 20)})
    return forked("run", "s.yaml", "--out", "o", "--steps", "3", around=around, seconds=60)(folder)


def _limited(folder: Path, line: str) -> Outcome:
    return fresh(folder=folder, shell=line)


def _rule(text: str) -> str:
    return scenario(region=f'{{kind: rule, where: "{text}"}}')


def _nested(depth: int) -> str:
    opened = "".join("max(x0, " if i % 2 else "min(x1, " for i in range(depth))
    return f"{opened}x0{')' * depth} > 1"


SIZES = {
    "2,000 terms": _rule("+".join(["x0"] * 2000) + " > 1"),
    "600 terms": _rule("+".join(["x0"] * 600) + " > 1"),
    "200 comparisons": _rule(" or ".join(["x0>1"] * 200)),
    "600 comparisons in a chain": _rule("<".join(["x0"] * 600)),
    **{f"max and min, {depth} deep": _rule(_nested(depth)) for depth in (20, 100, 180, 500)},
    "a max of 600": _rule("max(" + ",".join(["x0"] * 600) + ") > 1"),
    "a max of 300 above a min of 300": _rule(
        "max(" + ",".join(["x0"] * 300) + ") > min(" + ",".join(["x1"] * 300) + ")"
    ),
    "200 factors": _rule("*".join(["(x0+x1)"] * 200) + " > 1"),
    "powers of powers": _rule("(((((x0+x1)**9)**9)**9)**9)**9 > 1"),
    "the 1,000th power": _rule("(x0*x1+1)**1000 > x0"),
    "roots of roots": _rule("sqrt(" * 90 + "x0" + ")" * 90 + " > 1"),
    "200 parentheses": _rule("(" * 199 + "x0" + ")" * 199 + " > 1"),
    "5,000 parentheses": _rule("(" * 5000 + "x0"),
    "4,000 means": scenario(
        energy="{kind: gaussian_mixture, means: [" + ",".join(f"[{i}]" for i in range(4000)) + "], std: 1}",
        region='{kind: rule, where: "x0 > 1"}',
    ),
    "1,000 energies": scenario(
        energy="{kind: composed, energies: ["
        + ",".join(["{kind: gaussian, mean: [0, 0], std: 1}"] * 1000)
        + "]}"
    ),
    "10,000 columns": f"columns: [{','.join(f'c{i}' for i in range(9000))}]\n{scenario()}",
    "a line of 12 MB": "a: " + "x" * 12_000_000,
    "a line of 400,000": "a: " + "x" * 400_000,
    "100 regions within regions": scenario(
        region="{not: " * 30 + "{kind: ball, center: [0, 0], radius: 1}" + "}" * 30
    ),
}


def _sizes() -> Iterator[Case]:
    """Inputs of a size that nobody needs: refused by a limit that is told, or done in a moment."""
    for name, text in SIZES.items():
        yield Case(f"{name}", partial(_validated, text=text), allowed=DONE | REFUSED, seconds=15)
    for width in (30_000, 300_000):
        for name, arguments in {
            "audit": ("audit", "wide.csv", "s.yaml"),
            "training": ("validate", "w.yaml"),
            "new": ("new", "n.yaml", "--data", "wide.csv"),
        }.items():
            run = partial(_wide, width=width, arguments=arguments)
            yield Case(f"{width:,} named columns: {name}", run, allowed=DONE | REFUSED, seconds=20)
    for name, content in {
        "a line of 12 MB": b"x" * 12_000_000 + b"\n1\n",
        "a line of 20 MB": b"1," * 10_000_000 + b"\n",
        "10^6 lines of text": b"a,b\n" + b"x,y\n" * 10**6,
    }.items():
        yield Case(f"samples, {name}", partial(_table, content=content), seconds=20)


def _validated(folder: Path, text: str) -> Outcome:
    (folder / "s.yaml").write_text(text)
    return forked("validate", "s.yaml")(folder)


def _wide(folder: Path, width: int, arguments: tuple[str, ...]) -> Outcome:
    names = ",".join(f"c{i}" for i in range(width))
    row = ",".join(["1"] * width)
    (folder / "wide.csv").write_text(f"{names}\n{row}\n{row}\n")
    (folder / "s.yaml").write_text(scenario())
    (folder / "w.yaml").write_text(scenario(energy=TRAINED.format(data="{kind: file, path: wide.csv}")))
    return forked(*arguments)(folder)


def _table(folder: Path, content: bytes) -> Outcome:
    (folder / "t.csv").write_bytes(content)
    np.save(folder / "x.npy", np.zeros((2, 2)))
    (folder / "s.yaml").write_text(scenario())
    return forked("audit", "t.csv", "s.yaml")(folder)
