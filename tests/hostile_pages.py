"""Every page, table and badge that can be made, with two names of a user's in all places that take one."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from audited import BALL, STRIP, cloud, scenario
from pages import save
from scenario_texts import GOOD

from lem_safe import loads
from lem_safe.auditor import audit
from lem_safe.auditor.badge import badge_svg
from lem_safe.comparison import page as comparison
from lem_safe.comparison.result import Comparison, Entry, Held
from lem_safe.ood.page import write_page
from lem_safe.report.page import render
from lem_safe.reproduce import study
from lem_safe.runs import sweep

Names = tuple[str, str]


def audited(names: Names):
    first, second = names
    unsafe = {first: BALL, second: STRIP}
    return audit(cloud(3, 200), scenario([(first, 0.05), (second, 0.5)], unsafe, columns=names))


def notebook(names: Names, folder: Path) -> str:
    return audited(names)._repr_html_()


def badge(names: Names, folder: Path) -> str:
    return badge_svg(audited(names).to_dict())


def run(names: Names, folder: Path) -> str:
    first, second = names
    rng = np.random.default_rng(0)
    x, fraction = rng.normal(size=(60, 2)), np.zeros((20, 2))
    written = {
        "version": 1,
        "name": "hostile",
        "unsafe": {first: BALL, second: STRIP},
        "constraints": [{"set": first, "beta": 0.5}, {"set": second, "beta": 0.6}],
        "sampler": {"kind": "langevin", "samples": 60, "steps": 20, "step_size": 0.01},
        "filter": {"kind": "gate"},
    }
    betas = [(first, 0.5), (second, 0.6)]
    save(folder, json.dumps(written), written["unsafe"], betas, list(names), x, fraction, x + 0.1, fraction)
    return render(folder).read_text()


def foreign(names: Names, folder: Path) -> str:
    """The page of an audit, with a file's name in it."""
    run(names, folder)
    (folder / "run.json").unlink()
    (folder / "samples.npz").rename(folder / "shown.npz")
    found = json.loads((folder / "audit.json").read_text())
    (folder / "audit.json").write_text(json.dumps({**found, "source": names[0], "columns_detail": names[1]}))
    return render(folder).read_text()


def swept(names: Names, folder: Path) -> tuple[object, list[sweep.Entry]]:
    first, second = names
    constraint = {"set": first, "fraction": 0.1, "max_fraction_over_steps": 0.2, "verdict": second}
    settings = {first: second, second: first}
    done = sweep.Entry(settings, f"a{first}", 0, None, (constraint,))
    failed = sweep.Entry(settings, "b", 3, second, ())
    asked = loads(GOOD).model_copy(update={"name": second, "sweep": {first: [1], second: [2]}})
    return asked, [done, failed]


def sweep_page(names: Names, folder: Path) -> str:
    return sweep.page(*swept(names, folder))


def sweep_table(names: Names, folder: Path) -> str:
    asked, entries = swept(names, folder)
    return sweep.Sweep(Path("out"), asked, tuple(entries))._repr_html_()


def scenario_table(names: Names, folder: Path) -> str:
    return loads(GOOD).model_copy(update={"name": names[0], "columns": list(names)})._repr_html_()


def strange(names: Names, folder: Path) -> str:
    row = {"rows": 3, "auroc": 0.5, "low": None, "high": None, "fpr95": 0.5, "aupr": 0.5}
    facts = {
        "scenario": names[1],
        "in_distribution": {"what": names[0], "rows": 3},
        "table": [{"against": name, "score": "energy", **row} for name in names],
        "flow": {"steps": 1, "step_size": 0.1},
    }
    kinds = ("energy", "gradient", "displacement")
    arrays = {f"{name}/{kind}": np.arange(3.0) for name in ("in distribution", *names) for kind in kinds}
    folder.mkdir(exist_ok=True)
    return write_page(facts, arrays, folder)


def compared(names: Names) -> Comparison:
    held = tuple(Held(name, 0.1, 0.05, 0.05, None, False) for name in names)
    ran = Entry(
        "gate",
        "every step, this cloud",
        names[0],
        constraint=names[1],
        beta=0.1,
        largest=0.05,
        final=0.05,
        distance=0.1,
        cost=1.0,
        over=False,
        regions=held,
    )
    refused = Entry("step", "none", names[1], refused=names[0])
    fractions = {"gate": np.linspace(0, 0.05, 9)}
    return Comparison(
        names[0], 1, 9, 9, names[1], (0.1, 0.01), (ran, refused), fractions, aim=dict.fromkeys(names, 0.1)
    )


def comparison_page(names: Names, folder: Path) -> str:
    found = compared(names)
    folder.mkdir(exist_ok=True)
    return comparison.write_page(found.to_dict(), found.fractions, folder)


def reproduced(names: Names, folder: Path) -> str:
    row = {"title": names[0], "where": "E.1", "paper": names[1], "tolerance": names[0], "ours": names[1]}
    row |= {
        "name": "claim",
        "verdict": "holds",
        "note": names[0],
        "numbers": {},
        "seconds": 1.0,
        "pictures": 0,
    }
    row["setting"] = {"quick": True, "seed": 0}
    return study.page(study.Study((row,), folder), folder)


PAGES: dict[str, Callable[[Names, Path], str]] = {
    f.__name__: f
    for f in (
        notebook,
        badge,
        run,
        foreign,
        sweep_page,
        sweep_table,
        scenario_table,
        strange,
        comparison_page,
        reproduced,
    )
}
