"""The law of parts: merged in any order, and however the files were shared out, they are the audit of one
pass, byte for byte; and what does not belong together is refused.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from barriers.tables import TableFormat
from lem_safe import cli
from lem_safe.auditing import audited, scenario_for, write_audit_files
from lem_safe.auditor import inside, mixing, repeats, shown
from lem_safe.auditor.dataset import Shard, dataset_of
from lem_safe.auditor.opening import of_dataset
from lem_safe.auditor.part import count_part
from lem_safe.auditor.question import Question
from lem_safe.errors import BadInput
from lem_safe.registry import MAKERS
from lem_safe.sharded import count_shard, merge

pa = pytest.importorskip("pyarrow")
feather = pytest.importorskip("pyarrow.feather")
parquet = pytest.importorskip("pyarrow.parquet")

RULES = """\
version: 1
name: law
columns: [x0, x1]
unsafe:
  ball: {kind: ball, center: [1.0, 0.0], radius: 0.8}
  slope: {kind: half_space, normal: [1.0, 0.3], offset: 1.0}
  power: {kind: rule, where: "exp(x0) + abs(x1) ** 1.7 > 3"}
constraints: [{set: ball, beta: 0.2}, {set: slope, beta: 0.2}, {set: power, beta: 0.5}]
"""
WORDS = """\
version: 1
name: words
derived: {total: a + b}
unsafe:
  odd: {kind: rule, where: "kind == 'neww' and a > 0 or b is missing"}
  sum: {kind: rule, where: total > 1}
constraints: [{set: odd, beta: 0.2}, {set: sum, beta: 0.3}]
"""
GAPS = RULES.replace("name: law", "name: gaps")


class Made(NamedTuple):
    """A data set and what is asked of it."""

    pattern: Path
    scenario: Path
    form: TableFormat = TableFormat()


def table(kind: str, rng: np.random.Generator, n: int, file: int) -> dict[str, object]:
    x = rng.normal(size=(n, 2))
    if kind == "coarse":  # ties in everything, repeated rows, zeros of both signs
        x = x.round(0) * np.where(rng.random((n, 2)) < 0.5, 1.0, -1.0)
    if kind == "single":
        x = x.astype(np.float32)
    columns: dict[str, object] = {"x0": x[:, 0], "x1": x[:, 1]}
    if kind in ("replica", "chain", "path"):
        columns[kind] = (np.arange(n) // 5 + 1000 * file)[
            rng.permutation(n) if kind == "replica" else slice(None)
        ]
    if kind == "gaps":
        columns["x1"] = np.where(rng.random(n) < 0.3, np.nan, x[:, 1])
    if kind == "words":
        a, b = x.round(1).T
        words = rng.choice(["new", "old", f"file {file}"], n)
        b = np.where(rng.random(n) < 0.2, np.nan, b)
        return {"a": a, "b": b, "total": a + b + (rng.random(n) < 0.05), "kind": words}
    return columns


def write(path: Path, columns: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = pa.table({k: pa.array(v, from_pandas=True) for k, v in columns.items()})
    if path.suffix == ".parquet":
        parquet.write_table(made, path, row_group_size=7)
    elif path.suffix == ".arrow":
        feather.write_feather(made, path, chunksize=5)
    else:
        made.to_pandas().to_csv(path, index=False)


def dataset(folder: Path, kind: str, ending: str, sizes: list[int], seed: int) -> Made:
    rng = np.random.default_rng(seed)
    for i, n in enumerate(sizes):
        write(folder / f"{i:02d}{ending}", table(kind, rng, n, i))
    text = {"words": WORDS, "gaps": GAPS}.get(kind, RULES)
    (folder / "s.yaml").write_text(text)
    form = TableFormat(missing={"words": "keep", "gaps": "drop"}.get(kind, "error"))
    return Made(folder / f"*{ending}", folder / "s.yaml", form)


def in_parts(made: Made, cuts: list[int], order: list[int], near: float | None = None) -> list[Path]:
    """The parts of runs of files between cuts, each counted on its own and written."""
    paths = []
    for i, (start, stop) in enumerate(zip(cuts, cuts[1:], strict=False)):
        files = replace(dataset_of(str(made.pattern)), chosen=range(start, stop))
        opened = of_dataset(files, None, made.form)
        question = Question(scenario_for(made.scenario, opened, None, None), makers=MAKERS, near=near)
        path = made.scenario.parent / f"part-{i}.json"
        count_part(opened, question, Shard(1, 1)).write(path)
        paths.append(path)
    return [paths[i] for i in order]


KINDS = ["plain", "coarse", "single", "replica", "chain", "path", "gaps", "words"]


def merged_parts_are_one_pass(folder: Path, data: st.DataObject, kind: str) -> None:
    """Of every kind of rows and files, with samples of rows cut short or whole."""
    ending = data.draw(st.sampled_from([".parquet", ".arrow", ".csv"]))
    least = 5 if ending == ".csv" or kind in ("words", "gaps") else 0  # text without rows is refused
    sizes = data.draw(st.lists(st.integers(least, 60).map(lambda n: n - n % 5), min_size=1, max_size=5))
    sizes[0] += 20
    made = dataset(folder, kind, ending, sizes, data.draw(st.integers(0, 99)))
    inner = data.draw(st.sets(st.integers(1, max(len(sizes) - 1, 1)))) if len(sizes) > 1 else set()
    cuts = [0, *sorted(inner), len(sizes)]
    order = data.draw(st.permutations(range(len(cuts) - 1)))
    near = data.draw(st.sampled_from([None, 0.1]))
    with pytest.MonkeyPatch.context() as patch:
        if data.draw(st.booleans()):
            patch.setattr(repeats, "KEPT", 30)
            patch.setattr(repeats, "VALUES", 40)
            patch.setattr(inside, "KEPT", 9)
            patch.setattr(shown, "MOST", 25)
            patch.setattr(mixing, "MOST", 16)
            patch.setattr(mixing, "SHORTEST", 2)
        one = audited(made.pattern, made.scenario, None, form=made.form, near=near)
        many = merge(in_parts(made, cuts, order, near), made.scenario)
        assert many.report.to_json() == one.report.to_json()
        assert many.report.to_text() == one.report.to_text()
        for done, name in ((one, "one"), (many, "many")):
            write_audit_files(made.scenario.parent / name, done)
        for name in ("audit.json", "shown.npz", "scenario.yaml"):
            one_, many_ = (made.scenario.parent / who / name for who in ("one", "many"))
            assert one_.read_bytes() == many_.read_bytes()


def law(examples: int):
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
        derandomize=True,
    )


@pytest.mark.simulation
@pytest.mark.parametrize("kind", KINDS)
@law(2)
@given(data=st.data())
def test_merged_parts_are_the_audit_of_one_pass(kind, tmp_path_factory, data):
    merged_parts_are_one_pass(tmp_path_factory.mktemp("law"), data, kind)


@pytest.mark.long
@pytest.mark.simulation
@pytest.mark.parametrize("kind", KINDS)
@law(40)
@given(data=st.data())
def test_many_merged_parts_are_the_audit_of_one_pass(kind, tmp_path_factory, data):
    merged_parts_are_one_pass(tmp_path_factory.mktemp("law"), data, kind)


def test_the_batches_of_files_are_those_of_rows_in_their_order(tmp_path):
    """A chain in files of any sizes has about the effective number of samples that it has in one file."""
    rng = np.random.default_rng(0)
    inside_ = np.repeat(rng.random(6000) < 0.2, 4)
    whole = mixing.Batches()
    whole.add(inside_)
    for ends in ([8000, 16_000], [10, 20, 9000, 9001, 23_000], list(range(40, 24_000, 40))):
        parts = mixing.FileBatches(len(ends) + 1)
        for file, rows in reversed(list(enumerate(np.split(inside_, ends)))):
            parts.add(file, rows)
        assert abs(parts.effective() / whole.effective() - 1) < 4 * 2 * (2 / 78) ** 0.5


def lem_safe(*arguments: object) -> int:
    return cli.main([*map(str, arguments)])


@pytest.mark.simulation
def test_shards_on_the_command_line(tmp_path, capsys):
    made = dataset(tmp_path, "plain", ".parquet", [50, 0, 30, 40, 20], 0)
    parts = [tmp_path / f"p{i}.json" for i in (1, 2, 3)]
    for i, part in enumerate(parts, 1):
        assert lem_safe("audit", made.pattern, made.scenario, "--shard", f"{i}/3", "--out", part) == 0
    assert "shard 3/3: 2 of 5 files, 60 rows" in capsys.readouterr().out
    status = lem_safe("audit", made.pattern, made.scenario, "--json")
    one = capsys.readouterr().out
    for arguments in (
        [*parts[::-1], made.scenario],
        [parts[1], parts[0], parts[2], "--scenario", made.scenario],
    ):
        assert lem_safe("merge", *arguments, "--json") == status
        assert capsys.readouterr().out == one
    assert lem_safe(
        "merge", *parts, made.scenario, "--out", tmp_path / "out", "--write", f"json={tmp_path}/o.json"
    ) in (0, 1)
    assert (tmp_path / "out" / "audit.json").read_text() == one == (tmp_path / "o.json").read_text()
    assert (tmp_path / "out" / "report.html").exists()


def test_a_killed_shard_is_counted_again_alone(tmp_path, capsys):
    made = dataset(tmp_path, "plain", ".csv", [50, 30], 0)
    one, two = tmp_path / "1.json", tmp_path / "2.json"
    assert lem_safe("audit", made.pattern, made.scenario, "--shard", "1/2", "--out", one) == 0
    assert lem_safe("merge", one, made.scenario) == 2
    assert "1 of its 2 files is in no part (shard 2/2)" in capsys.readouterr().err
    assert lem_safe("audit", made.pattern, made.scenario, "--shard", "2/2", "--out", two) == 0
    assert lem_safe("merge", one, two, made.scenario) in (0, 1)
    assert lem_safe("audit", made.pattern, made.scenario, "--shard", "1/2", "--out", one) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "1/0", "a/b", "-1/3", "1/3/3", "1.0/3"])
def test_shards_are_counted_from_one(shard, tmp_path, capsys):
    made = dataset(tmp_path, "plain", ".csv", [5, 5, 5], 0)
    assert (
        lem_safe("audit", made.pattern, made.scenario, f"--shard={shard}", "--out", tmp_path / "p.json") == 2
    )
    assert "--shard: must be i/N, the shards counted from 1" in capsys.readouterr().err
    assert not (tmp_path / "p.json").exists()


@pytest.mark.parametrize(
    "option", [["--strict"], ["--json"], ["--write", "text=x"], ["--grow"], ["--format", "json"]]
)
def test_what_is_about_the_whole_audit_is_not_about_a_shard(option, tmp_path, capsys):
    made = dataset(tmp_path, "plain", ".csv", [5, 5], 0)
    out = tmp_path / "p.json"
    assert lem_safe("audit", made.pattern, made.scenario, "--shard", "1/2", "--out", out, *option) == 2
    assert option[0] in capsys.readouterr().err and not out.exists()


def test_more_shards_than_files_and_a_single_file_are_refused(tmp_path, capsys):
    made = dataset(tmp_path, "plain", ".csv", [5, 5], 0)
    for source, said in ((made.pattern, "has 2 files; got 1/3"), (tmp_path / "00.csv", "not several files")):
        assert lem_safe("audit", source, made.scenario, "--shard", "1/3", "--out", tmp_path / "p.json") == 2
        assert said in capsys.readouterr().err


def refused(paths: list[Path], scenario: Path, match: str) -> None:
    with pytest.raises(BadInput, match=match):
        merge(paths, scenario)


def test_parts_that_do_not_belong_together_are_refused(tmp_path):
    made = dataset(tmp_path, "plain", ".parquet", [20, 20, 20], 0)
    parts = in_parts(made, [0, 1, 3], [0, 1])
    refused([parts[0], parts[0]], made.scenario, "counts 00.parquet, and it is given twice")
    overlap = in_parts(made, [0, 2], [0])[0].rename(tmp_path / "overlap.json")
    parts = in_parts(made, [0, 1, 3], [0, 1])
    refused(
        [overlap, parts[1]],
        made.scenario,
        r"part-1.json: counts 01.parquet, and .*overlap.json counts it too; merge",
    )
    refused(parts[:1], made.scenario, "2 of its 3 files are in no part")
    other = tmp_path / "other.yaml"
    other.write_text(RULES.replace("beta: 0.2", "beta: 0.3"))
    refused(parts, other, "is a part of an audit against another scenario .'law'")
    nearer = in_parts(made, [0, 1, 3], [0, 1], near=0.5)[1].rename(tmp_path / "near.json")
    parts = in_parts(made, [0, 1, 3], [0, 1])
    refused(
        [parts[0], nearer], made.scenario, "near.json: was counted with --near 0.5, and .* with not given"
    )
    write(tmp_path / "03.parquet", table("plain", np.random.default_rng(1), 9, 3))
    later = in_parts(made, [1, 4], [0])
    refused([parts[1], *later], made.scenario, "counts another data set")


def test_rows_that_changed_under_one_name_are_told(tmp_path):
    made = dataset(tmp_path, "coarse", ".csv", [20, 20], 0)
    first = in_parts(made, [0, 2], [0])[0].rename(tmp_path / "first.json")
    text = (tmp_path / "01.csv").read_text()
    rows = text.splitlines()
    (tmp_path / "01.csv").write_text("\n".join([rows[0], *rows[:0:-1]]) + "\n")  # as many bytes
    again = in_parts(made, [1, 2], [0])
    refused([first, *again], made.scenario, "with other rows: the file has changed")


@pytest.mark.parametrize(("kind", "unit"), [("replica", "cloud"), ("chain", "chain"), ("path", "path")])
def test_units_in_several_parts_are_refused(kind, unit, tmp_path):
    made = dataset(tmp_path, kind, ".parquet", [20, 20], 0)
    columns = table(kind, np.random.default_rng(0), 20, 0)
    write(tmp_path / "01.parquet", columns)  # the same units again
    parts = in_parts(made, [0, 1, 2], [0, 1])
    refused(
        parts,
        made.scenario,
        f"{unit} 0 has rows here and in another part; every {unit} must be counted whole",
    )


def test_a_damaged_part_is_no_traceback(tmp_path, capsys):
    made = dataset(tmp_path, "plain", ".csv", [20, 20], 0)
    (part,) = in_parts(made, [0, 2], [0])
    whole = json.loads(part.read_text())
    assert whole["kind"] == "part of an audit"
    for text, said in (
        (part.read_text()[:-200], "is damaged"),
        ("{}", "is no part of an audit"),
        ("[]", "is no part of an audit"),
        ("", "is damaged"),
        (json.dumps({**whole, "schema_version": 99}), "another version"),
        (json.dumps({**whole, "body": {**whole["body"], "coupled": True}}), "is damaged"),
        (json.dumps({key: value for key, value in whole.items() if key != "sha256"}), "is damaged"),
    ):
        bad = tmp_path / "bad.json"
        bad.write_text(text)
        assert lem_safe("merge", bad, made.scenario) == 2
        assert said in capsys.readouterr().err
    assert lem_safe("merge", tmp_path / "none.json", made.scenario) == 2
    assert lem_safe("merge", tmp_path, made.scenario) == 2
    assert lem_safe("merge", made.scenario) == 2
    assert "needs the parts and the scenario" in capsys.readouterr().err


def test_facts_beside_one_file_of_many_are_believed(tmp_path):
    """One filtered cloud among the files: no bound is claimed, in one pass and merged."""
    from lem_safe.files import sha256_of, write_json

    made = dataset(tmp_path, "plain", ".csv", [20, 20], 0)
    second = tmp_path / "01.csv"
    write_json(tmp_path / "01.csv.json", {"file": second.name, "sha256": sha256_of(second), "coupled": True})
    assert audited(made.pattern, made.scenario, None).report.assumes == "coupled cloud: bound not claimed"
    parts = in_parts(made, [0, 1, 2], [1, 0])
    assert merge(parts, made.scenario).report.assumes == "coupled cloud: bound not claimed"


@pytest.mark.parametrize("facts", [{"moved": 0.0}, {"seed": 7}])
def test_what_one_file_forbids_its_data_set_does_not_claim(facts, tmp_path):
    from lem_safe.files import sha256_of, write_json

    made = dataset(tmp_path, "plain", ".csv", [20, 20, 20], 0)
    rules = made.scenario.read_text() + "audit: {tuned_with: [7]}\n"
    made.scenario.write_text(rules)
    second = tmp_path / "01.csv"
    write_json(tmp_path / "01.csv.json", {"file": second.name, "sha256": sha256_of(second), **facts})
    alone = audited(second, made.scenario, None).report
    whole = audited(made.pattern, made.scenario, None).report
    assert whole.assumes == alone.assumes and whole.assumes != "independent samples"
    assert {c.upper_bound for c in whole.constraints} == {None}
    merged = merge(in_parts(made, [0, 1, 2, 3], [2, 0, 1]), made.scenario).report
    assert merged.to_json() == whole.to_json()


def test_a_shard_is_some_of_the_files_of_a_data_set(tmp_path):
    made = dataset(tmp_path, "plain", ".csv", [5] * 7, 0)
    every = [count_shard(made.pattern, made.scenario, (i, 3)).names for i in (1, 2, 3)]
    assert [len(names) for names in every] == [2, 2, 3]
    assert sorted(name for names in every for name in names.values()) == [f"{i:02d}.csv" for i in range(7)]
