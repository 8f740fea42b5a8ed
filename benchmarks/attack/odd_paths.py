"""Paths that lead to no regular file, in every place that takes a path: refused at once, by name."""

import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.attack.case import DONE, REFUSED, Case, Outcome, Surroundings
from benchmarks.attack.fixtures import DATA, ENERGY, TRAINED, scenario, write_rows
from benchmarks.attack.processes import forked

NOBODY = 65534
SECONDS = 10.0


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


def _link(path: Path, to: str) -> None:
    path.symlink_to(to)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _link_to_fifo(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 43)


def _empty(path: Path) -> None:
    path.touch()


def _below_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("a file")


KINDS: dict[str, Callable[[Path], None]] = {
    "a pipe": _fifo,
    "a socket": _socket,
    "a directory": Path.mkdir,
    "/dev/zero": partial(_link, to="/dev/zero"),
    "/dev/full": partial(_link, to="/dev/full"),
    "/dev/stdin, a pipe": partial(_link, to="/dev/stdin"),
    "/dev/tty": partial(_link, to="/dev/tty"),
    "a dangling link": partial(_link, to="nowhere"),
    "a link to itself": _loop,
    "a link to a pipe": _link_to_fifo,
    "8 TiB of nothing": _huge,
    "an empty file": _empty,
    "nothing": lambda path: None,
    "below a file": _below_a_file,
}
"""What stands where a file is expected; its folder, `odd`, is its own."""

COLUMN = '{kind: rule, where: "x0 > 2"}'

Role = Callable[[Path, str], tuple[str, ...]]


def _scenario(folder: Path, path: str, command: str, **parts: str) -> tuple[str, ...]:
    """A command on a scenario that names the path somewhere."""
    write_rows(folder)
    text = scenario(**{key: part.replace("ODD", path) for key, part in parts.items()})
    (folder / "s.yaml").write_text(text)
    return (command, "s.yaml")


def _audit(folder: Path, path: str, *more: str) -> tuple[str, ...]:
    write_rows(folder)
    (folder / "s.yaml").write_text(scenario())
    return ("audit", *(word.replace("ODD", path) for word in more))


def _ros(folder: Path, path: str) -> tuple[str, ...]:
    """The path as the picture of a map_server map."""
    (folder / "map.yaml").write_text(
        f"image: {path}\nresolution: 0.1\norigin: [0, 0, 0]\noccupied_thresh: 0.6\nfree_thresh: 0.2\n"
    )
    return _scenario(folder, "map.yaml", "validate", region="{kind: occupancy, map: ODD}")


def _directory(folder: Path, path: str, shared: Path, name: str, command: str) -> tuple[str, ...]:
    """The path as one file of a finished run."""
    made = shutil.copytree(finished(shared), folder / "run")
    (made / name).unlink()
    if os.path.lexists(folder / path):
        (made / name).symlink_to(Path("..") / path)
    return (command, "run", *(("--samples", "20", "--seed", "7") if command == "sample" else ()))


def finished(shared: Path) -> Path:
    """A run directory that others are copied from."""
    done = shared / "finished"
    if not done.exists():
        (shared / "s.yaml").write_text(scenario())
        forked("run", "s.yaml", "--out", str(done), "--no-report")(shared)
    return done


def _trained(data: str) -> str:
    return TRAINED.format(data=data)


ROLES: dict[str, tuple[str, Role]] = {
    "scenario of validate": (".yaml", lambda f, p: ("validate", p)),
    "scenario of run": (".yaml", lambda f, p: ("run", p)),
    "scenario of explain": (".yaml", lambda f, p: ("explain", p)),
    "scenario of audit": (".yaml", lambda f, p: _audit(f, p, "rows.npy", "ODD")),
    "scenario of compare": (".yaml", lambda f, p: ("compare", p)),
    "scenario of train": (".yaml", lambda f, p: ("train", p)),
    "scenario of ood": (".yaml", lambda f, p: ("ood", p, "--against", "noise")),
    **{
        f"data {suffix} of {command}": (
            suffix,
            partial(_scenario, command=command, energy=_trained("{kind: file, path: ODD}")),
        )
        for suffix in (".csv", ".npy", ".npz", ".parquet")
        for command in ("validate", "run")
    },
    **{
        f"checkpoint {suffix} of {command}": (
            suffix,
            partial(_scenario, command=command, energy="{kind: checkpoint, path: ODD}"),
        )
        for suffix in (".safetensors", ".pt")
        for command in ("validate", "run")
    },
    "map picture": (
        ".png",
        partial(
            _scenario,
            command="validate",
            region=("{kind: occupancy, map: ODD, lower: [0, 0], upper: [1, 1]}"),
        ),
    ),
    "map_server file": (".yaml", partial(_scenario, command="run", region="{kind: occupancy, map: ODD}")),
    "picture of a map_server file": (".png", _ros),
    "points .csv": (
        ".csv",
        partial(_scenario, command="validate", region=("{kind: near_points, points: ODD, radius: 0.1}")),
    ),
    "points .npy": (
        ".npy",
        partial(_scenario, command="run", region=("{kind: near_points, points: ODD, radius: 0.1}")),
    ),
    "classifier": (
        ".safetensors",
        partial(_scenario, command="validate", region=("{kind: classifier, path: ODD, label: 1}")),
    ),
    "start .csv": (".csv", partial(_scenario, command="run", init="{kind: file, path: ODD}")),
    "start .npz": (".npz", partial(_scenario, command="validate", init="{kind: file, path: ODD}")),
    "CIFAR-10": (
        ".tar.gz",
        partial(_scenario, command="run", energy=_trained("{kind: cifar10, path: ODD}"), region=COLUMN),
    ),
    "SVHN": (
        ".mat",
        partial(_scenario, command="run", energy=_trained("{kind: svhn, path: ODD}"), region=COLUMN),
    ),
    "DTD": (
        ".txt",
        partial(_scenario, command="run", energy=_trained("{kind: dtd, path: ODD}"), region=COLUMN),
    ),
    **{
        f"samples {suffix}": (suffix, lambda f, p: _audit(f, p, "ODD", "s.yaml"))
        for suffix in (".npz", ".npy", ".csv", ".parquet")
    },
    "growing samples": (".csv", lambda f, p: _audit(f, p, "ODD", "s.yaml", "--grow", "--out", "o")),
    "clouds": (".npz", lambda f, p: _audit(f, p, "rows.npy", "s.yaml", "--clouds", "ODD")),
    "trace": (".npz", lambda f, p: _audit(f, p, "rows.npy", "s.yaml", "--trace", "ODD")),
    "rows out of distribution": (
        ".csv",
        lambda f, p: (*_scenario(f, p, "ood", energy=ENERGY), "--against", p),
    ),
    "rows in distribution": (
        ".npy",
        lambda f, p: (*_scenario(f, p, "ood", energy=ENERGY), "--against", "rows.csv", "--inside", p),
    ),
    "data of new": (".csv", lambda f, p: ("new", "new.yaml", "--data", p)),
}
"""Every place that takes a file: the suffix it expects, and the command line with the path in it."""

KEPT = {
    "report": ("audit.json", "run.json", "scenario.yaml", "samples.npz", "trace.npz"),
    "sample": ("scenario.yaml", "samples.npz", "trace.npz"),
}
"""What a report, or more samples, are made from."""
SLOW = ("CIFAR-10", "SVHN", "DTD")
"""Roles of 3,072 columns."""


def _of_run(shared: Path) -> dict[str, tuple[str, Role]]:
    return {
        f"{name} of {command}": (
            Path(name).suffix,
            partial(_directory, shared=shared, name=name, command=command),
        )
        for command, names in KEPT.items()
        for name in names
    }


def cases(shared: Path) -> Iterator[Case]:
    """Every kind of path in every place that takes a file; then where something is written, and names that no
    file can have.
    """
    for role, (suffix, command) in {**ROLES, **_of_run(shared)}.items():
        seconds = 4 * SECONDS if role in SLOW else SECONDS
        allowed = DONE | REFUSED if role == "trace.npz of report" else REFUSED
        for kind in KINDS:
            run = partial(_tried, kind=kind, suffix=suffix, command=command, seconds=seconds)
            yield Case(f"{role}: {kind}", run, allowed=allowed, seconds=seconds)
        run = partial(_forbidden, suffix=suffix, command=command, seconds=seconds)
        yield Case(f"{role}: not permitted", run, seconds=seconds, says="permission")
    yield from _outputs()
    yield from _cache()
    yield from _locks()
    yield from _names()


def _tried(folder: Path, kind: str, suffix: str, command: Role, seconds: float = SECONDS) -> Outcome:
    (folder / "odd").mkdir()
    path = f"odd/data{suffix}"
    KINDS[kind](folder / path)
    read, write = os.pipe()
    try:
        around = Surroundings(stdin=f"/proc/self/fd/{read}")
        return forked(*command(folder, path), around=around, seconds=seconds)(folder)
    finally:
        os.close(read)
        os.close(write)


def _forbidden(folder: Path, suffix: str, command: Role, seconds: float) -> Outcome:
    """A file without permissions, asked for by somebody who is not root."""
    (folder / "odd").mkdir()
    path = folder / "odd" / f"data{suffix}"
    path.write_text("version: 1\n")
    path.chmod(0)
    arguments = command(folder, f"odd/data{suffix}")
    os.chmod(folder, 0o777)
    user = NOBODY if os.geteuid() == 0 else None
    return forked(*arguments, around=Surroundings(user=user), seconds=seconds)(folder)


def _output(folder: Path, kind: str, arguments: tuple[str, ...]) -> Outcome:
    write_rows(folder)
    (folder / "s.yaml").write_text(scenario())
    (folder / "t.yaml").write_text(scenario(energy=_trained(DATA)))
    return _tried(folder, kind, "", lambda f, p: (*arguments, p))


OUTPUTS = {
    "run": ("run", "s.yaml", "--out"),
    "audit": ("audit", "rows.npy", "s.yaml", "--out"),
    "growing audit": ("audit", "rows.npy", "s.yaml", "--grow", "--out"),
    "compare": ("compare", "s.yaml", "--filters", "none", "--out"),
    "ood": ("ood", "s.yaml", "--against", "rows.csv", "--out"),
    "reproduce": ("reproduce", "certificate", "--quick", "--out"),
    "train": ("train", "t.yaml", "--out"),
    "new": ("new",),
}
ABSENT = ("nothing", "a directory", "an empty file")


def _outputs() -> Iterator[Case]:
    for command, arguments in OUTPUTS.items():
        for kind in KINDS:
            if kind not in ABSENT:
                yield Case(
                    f"--out of {command}: {kind}",
                    partial(_output, kind=kind, arguments=arguments),
                    seconds=SECONDS,
                )


def _cached(folder: Path, kind: str, name: str) -> Outcome:
    """A run with something odd where the energy, or the journal of its training, is kept."""
    write_rows(folder)
    text = scenario(energy=_trained(DATA))
    (folder / "s.yaml").write_text(text)
    around = Surroundings(environment={"LEM_SAFE_CACHE": str(folder / "cache")})
    trained = forked("train", "s.yaml", around=around)(folder)
    kept = Path(trained.out.strip().splitlines()[-1]).parent
    (kept / name).unlink(missing_ok=True)
    KINDS[kind](kept / name)
    return forked("run", "s.yaml", "--out", "o", around=around)(folder)


def _cache() -> Iterator[Case]:
    for kind in KINDS:
        if kind == "below a file":
            continue
        for name in ("energy.safetensors", "training.safetensors"):
            yield Case(
                f"{name} in the cache: {kind}", partial(_cached, kind=kind, name=name), allowed=DONE | REFUSED
            )


LOCKS = {
    "garbage": lambda path: path.write_bytes(bytes(range(256))),
    "the number of no process": lambda path: path.write_text("999999999"),
    "a link to a file": lambda path: path.symlink_to("../keep.txt"),
    **{
        name: KINDS[name]
        for name in (
            "a pipe",
            "a socket",
            "a directory",
            "/dev/zero",
            "/dev/full",
            "a dangling link",
            "a link to itself",
            "8 TiB of nothing",
            "an empty file",
        )
    },
}


def _locked(folder: Path, kind: str) -> Outcome:
    """A run that is resumed in a directory with something odd as its lock."""
    (folder / "s.yaml").write_text(scenario())
    (folder / "keep.txt").write_text("kept")
    (folder / "o").mkdir()
    LOCKS[kind](folder / "o" / ".lock")
    return forked("run", "s.yaml", "--out", "o", "--resume")(folder)


def _is_kept(folder: Path, outcome: Outcome) -> str | None:
    return None if (folder / "keep.txt").read_text() == "kept" else "a file that a link leads to was changed"


def _locks() -> Iterator[Case]:
    for kind in LOCKS:
        yield Case(f"lock: {kind}", partial(_locked, kind=kind), allowed=DONE | REFUSED, holds=_is_kept)


STRANGE = {
    "NUL": "a\0b",
    "newline": "a\nb",
    "too long": "x" * 5000,
    "long parts": "/".join(["x" * 300] * 3),
    "deep": "x/" * 3000,
    "dots": "../" * 200 + "nowhere",
    "space": " ",
    "dash": "./-",
    "bytes": "\udcff\udcfe",
    "home": "~",
    "variable": "$HOME",
    "star": "*",
}


def _named(folder: Path, name: str, arguments: tuple[str, ...]) -> Outcome:
    write_rows(folder)
    (folder / "s.yaml").write_text(scenario())
    quoted = json.dumps(name)
    for place, text in {
        "data.yaml": scenario(energy=_trained(f"{{kind: file, path: {quoted}}}")),
        "points.yaml": scenario(region=f"{{kind: near_points, points: {quoted}, radius: 0.1}}"),
        "checkpoint.yaml": scenario(energy=f"{{kind: checkpoint, path: {quoted}}}"),
        "init.yaml": scenario(init=f"{{kind: file, path: {quoted}}}"),
    }.items():
        (folder / place).write_text(text)
    return forked(*(word.replace("NAME", name) for word in arguments), seconds=SECONDS)(folder)


def _names() -> Iterator[Case]:
    for what, name in STRANGE.items():
        for arguments in (
            ("validate", "NAME"),
            ("audit", "NAME", "s.yaml"),
            ("audit", "NAME.csv", "s.yaml"),
            ("audit", "rows.npy", "NAME.yaml"),
            ("report", "NAME"),
            ("validate", "data.yaml"),
            ("validate", "points.yaml"),
            ("validate", "checkpoint.yaml"),
            ("validate", "init.yaml"),
            ("ood", "s.yaml", "--against", "NAME"),
            ("new", "n.yaml", "--data", "NAME.csv"),
        ):
            yield Case(
                f"a name, {what}: {' '.join(arguments)}",
                partial(_named, name=name, arguments=arguments),
                allowed=REFUSED | DONE if what == "star" else REFUSED,  # a pattern may stand for rows.npy
                seconds=SECONDS,
            )
