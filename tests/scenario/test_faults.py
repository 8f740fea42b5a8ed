"""What is wrong with a scenario is told where it is wrong: line, column, key, rule, value, way out; and
everything at once.
"""

import pytest
from scenario_texts import GOOD, changed

from lem_safe.errors import BadInput, Fault
from lem_safe.registry import loads
from lem_safe.scenario import reading


def faults_of(text: str) -> list[Fault]:
    with pytest.raises(BadInput) as caught:
        loads(text)
    return caught.value.faults


CASES = [
    # what is written, what it replaces, line, the text under the caret, key, message
    (
        "centre: [2, 0]",
        "center: [2, 0]",
        5,
        "centre",
        "unsafe.near.centre",
        "unknown key 'centre' - did you mean 'center'?",
    ),
    ("radius: -1", "radius: 0.8", 5, "-1", "unsafe.near.radius", "must be > 0; got -1"),
    ("radius: .inf", "radius: 0.8", 5, ".inf", "unsafe.near.radius", "must be finite; got inf"),
    (
        "radius: '0.8'",
        "radius: 0.8",
        5,
        "'0.8'",
        "unsafe.near.radius",
        "must be a number; got '0.8'; write it without quotes",
    ),
    ("radius: true", "radius: 0.8", 5, "true", "unsafe.near.radius", "must be a number; got true"),
    (
        "center: [2, 0, 0]",
        "center: [2, 0]",
        5,
        "[2, 0, 0]",
        "unsafe.near.center",
        "has 3 dimensions where the energy has 2",
    ),
    ("center: [2, x]", "center: [2, 0]", 5, "x", "unsafe.near.center[1]", "must be a number; got 'x'"),
    (
        "kind: bal,",
        "kind: ball,",
        5,
        "bal",
        "unsafe.near.kind",
        "region kind 'bal' is not known - did you mean 'ball'?",
    ),
    (
        "normal: [0, 0]",
        "normal: [1, 0]",
        6,
        "[0, 0]",
        "unsafe.wall.normal",
        "HalfSpace: normal must not be zero",
    ),
    (
        "[neer, wall]",
        "[near, wall]",
        7,
        "neer",
        "unsafe.both.any[0]",
        "no region is named 'neer' - did you mean 'near'?",
    ),
    (
        "[near, both]",
        "[near, wall]",
        7,
        "both",
        "unsafe.both.any[1]",
        "region 'both' must be defined above this line",
    ),
    ("beta: 1}", "beta: 0.03}", 9, "1}", "constraints[0].beta", "must be < 1; got 1"),
    (
        "set: bth,",
        "set: both,",
        9,
        "bth",
        "constraints[0].set",
        "no region is named 'bth' under unsafe - did you mean 'both'?",
    ),
    (
        "samples: 1e2",
        "samples: 100",
        10,
        "1e2",
        "sampler.samples",
        "must be a whole number; got 100.0; write 100",
    ),
    ("step_size: .nan", "step_size: 1e-2", 10, ".nan", "sampler.step_size", "must be finite; got nan"),
    (
        "steps: 10, stepsize: 1e-2",
        "steps: 10, step_size: 1e-2",
        10,
        "stepsize",
        "sampler.stepsize",
        "did you mean 'step_size'?",
    ),
    (
        "init: {kind: gaussian, mean: [1]}, steps",
        "steps",
        10,
        "[1]",
        "sampler.init.mean",
        "must have 2 numbers",
    ),
    ("init: {kind: data}, steps", "steps", 10, "data", "sampler.init.kind", "kind 'gaussian' has none"),
    ("init: {kind: file, path: no.csv}, steps", "steps", 10, "no.csv", "sampler.init.path", "no such file"),
    ("samples: 100000000000000", "samples: 100", 10, "1000", "sampler.samples", "this machine has"),
    (
        "kind: ensembl}",
        "kind: gate}",
        11,
        "ensembl",
        "filter.kind",
        "filter kind 'ensembl' is not known; known: none, drift",
    ),
    (
        "kind: drift, smoothing: {kind: hinge, width: 0.3}",
        "kind: gate",
        11,
        "drift",
        "filter.kind",
        "has a kink",
    ),
    ("name: a/b", "name: two_balls", 2, "a/b", "name", "must be letters, digits"),
    ("version: 2", "version: 1", 1, "2", "version", "must be 1; got 2"),
    ("version: 1\ncolumns: [a]", "version: 1", 2, "[a]", "columns", "must have 2 names"),
    ("version: 1\ncolumns: [a, a]", "version: 1", 2, "a]", "columns[1]", "'a' is given twice"),
    ("std: [1, b]", "std: 1", 3, "b", "energy.std[1]", "must be a number; got 'b'"),
    ("std: {}", "std: 1", 3, "{}", "energy.std", "must be a number or a list; got an empty mapping"),
    ("std: -1", "std: 1", 3, "-1", "energy.std", "must be > 0"),
    (
        "gate}\naudit: {after_step: 11}",
        "gate}",
        12,
        "11",
        "audit.after_step",
        "must be at most sampler.steps = 10",
    ),
    ("gate}\naudit:", "gate}", 12, "audit", "audit", "must be a mapping of keys to values; got nothing"),
]


@pytest.mark.parametrize(
    ("new", "old", "line", "under", "key", "message"), CASES, ids=[case[0][:40] for case in CASES]
)
def test_one_fault(new: str, old: str, line: int, under: str, key: str, message: str):
    text = changed(old, new)
    found = faults_of(text)
    assert len(found) == 1, [str(f) for f in found]
    (fault,) = found
    assert (fault.line, fault.key) == (line, key)
    assert message in fault.message
    assert fault.source == text.splitlines()[line - 1]
    assert fault.source[fault.column - 1 :].startswith(under)
    shown = str(fault).splitlines()
    assert shown[0].startswith(f"scenario.yaml:{line}:{fault.column}: {key}: ")
    assert shown[2].index("^") == shown[1].index(fault.source) + fault.column - 1


def test_a_missing_key_is_told_at_its_parent_with_an_example():
    (fault,) = faults_of(changed(", radius: 0.8", ""))
    assert (fault.line, fault.column, fault.key) == (5, 3, "unsafe.near")
    assert fault.message == "missing key 'radius'; add it, as in 'radius: 0.8'"


def test_a_duplicate_key_names_both_lines():
    (fault,) = faults_of(changed("  both:", "  near: {kind: ball, center: [0, 0], radius: 1}\n  both:"))
    assert (fault.line, fault.column) == (7, 3)
    assert "'near' is given twice; it stands on line 5 already" in fault.message


def test_a_set_may_be_constrained_once():
    (fault,) = faults_of(changed("beta: 0.03}", "beta: 0.03}\n  - {set: both, beta: 0.1}"))
    assert fault.line == 10 and "is constrained already, by constraints[0]" in fault.message


def test_all_faults_of_a_file_are_told_at_once_grammar_and_meaning_together():
    text = changed("radius: 0.8", "radius: -1")
    for old, new in [
        ("normal: [1, 0]", "normal: [1, 0, 0]"),
        ("set: both", "set: boath"),
        ("steps: 10", "steps: ten"),
        ("kind: gate", "kind: gate, rat: 5"),
        ("std: 1}", "std: 1}\nnaem: x"),
    ]:
        text = changed(old, new, text)
    found = faults_of(text)
    assert [f.line for f in found] == [4, 6, 7, 10, 11, 12]
    assert [f.key for f in found] == [
        "naem",
        "unsafe.near.radius",
        "unsafe.wall.normal",
        "constraints[0].set",
        "sampler.steps",
        "filter.rat",
    ]


def test_a_broken_region_does_not_make_the_regions_that_use_it_faulty():
    assert [f.key for f in faults_of(changed("radius: 0.8", "radius: 0"))] == ["unsafe.near.radius"]


@pytest.mark.parametrize(
    ("where", "offset", "message"),
    [
        ("x0 + __import__('os')", 5, "__import__"),
        ("x0.real > 1", 2, ""),
        ("x0 > x7", 5, "x7"),
        ("sqrt(x0 > 1", 4, ""),
        ("x0 > 1e999", 5, ""),
    ],
)
def test_a_rules_fault_is_shown_inside_the_rule(where: str, offset: int, message: str):
    text = changed("{kind: half_space, normal: [1, 0], offset: 3}", f'{{kind: rule, where: "{where}"}}')
    (fault,) = faults_of(text)
    quote = text.splitlines()[5].index('"') + 2
    assert fault.line == 6 and fault.key == "unsafe.wall.where"
    assert quote <= fault.column <= quote + len(where)
    assert abs(fault.column - (quote + offset)) <= 4, (
        "the caret stands at the offending word, give or take its bracket"
    )
    assert message in fault.message


UNREADABLE = [
    ("", "is empty", 1),
    ("- a\n", "must be a mapping", 1),
    ("a: b: c\n", "a second ': ' on one line", 1),
    ("a: 1\nb: [1, {c: 2}\n", "never closed", 2),
    ("a: 1\nb: [\n", "never closed", 2),
    ("a:\n\tb: 1\n", "tab", 2),
    ("a: 1\n---\nb: 2\n", "second document", 2),
    ("a: &x [1]\nb: *x\n", "anchors and aliases", 1),
    ("a: !!python/object:os.system x\n", "tags are not allowed", 1),
    ("a: " + "[" * 60 + "]" * 60, "at most 50 deep", 1),
    ("a: [" + "1," * 25_000 + "1]", "at most 10,000 values", 1),
    ("a: \x07", "character that YAML does not allow", 1),
    ("a: 'x\n", "", 1),
]


@pytest.mark.parametrize(("text", "message", "line"), UNREADABLE, ids=[u[1] or "quote" for u in UNREADABLE])
def test_what_is_no_scenario_at_all_is_refused_with_its_line(text: str, message: str, line: int):
    (fault,) = faults_of(text)
    assert message in fault.message
    assert fault.line is not None and (fault.line == line or message == "")


def test_numbers_no_machine_holds_are_refused_where_they_stand():
    for number in ("1" * 30, "-" + "9" * 5000, "0x" + "f" * 40):
        (fault,) = faults_of(changed("steps: 10", f"steps: {number}"))
        assert fault.line == 10 and fault.key == "sampler.steps"


def test_keys_must_be_words():
    found = faults_of(changed("  near:", "  1: {kind: ball, center: [0, 0], radius: 1}\n  near:"))
    assert [f.line for f in found] == [5] and "a key must be a plain word; got 1" in found[0].message


def test_a_long_line_is_cut_around_the_fault():
    text = changed("center: [2, 0]", "center: [2, " + " " * 3000 + "x]")
    (fault,) = faults_of(text)
    shown = str(fault).splitlines()
    assert len(shown[1]) < 200 and shown[1][shown[2].index("^")] == "x"


def test_a_file_that_is_no_text_is_refused(tmp_path):
    cases = {"binary": b"\xff\xfe\x00\x01", "huge": b"a" * (reading.MAX_BYTES + 1)}
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(BadInput):
            reading.read(tmp_path / name)
    for name in ("absent.yaml", "."):
        with pytest.raises(BadInput, match="no such file|is a directory"):
            reading.read(tmp_path / name)


def test_the_good_scenario_has_no_fault():
    assert loads(GOOD).name == "two_balls"
