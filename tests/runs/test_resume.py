"""What a run must have in common with the one it continues: the noise of its clouds too."""

import json
from pathlib import Path

import pytest
from interrupted import at_moment

from lem_safe import cli
from lem_safe.cloud_keys import NUMBERS
from lem_safe.errors import BadInput
from lem_safe.registry import loads
from lem_safe.runs.draw_request import Request
from lem_safe.runs.resume import NOISE, identity
from lem_safe.runs.unfinished_draw import must_match
from lem_safe.scenario import Scenario

TEXT = """\
version: 1
name: small
energy: {kind: gaussian, mean: [0, 0], std: 1}
unsafe:
  right: {kind: half_space, normal: [1, 0], offset: 0.5}
constraints: [{set: right, beta: 0.2}]
sampler: {kind: langevin, samples: SAMPLES, steps: 20, step_size: 0.05,
          init: {kind: gaussian, mean: [-2, 0], std: 0.3}}
filter: {kind: gate}
audit: {replicas: REPLICAS}
"""


def scenario(samples: int = 50, replicas: int = 3) -> Scenario:
    return loads(TEXT.replace("SAMPLES", str(samples)).replace("REPLICAS", str(replicas)))


def test_only_small_clouds_share_generators() -> None:
    """One cloud, and large ones, have the noise of earlier versions, and are continued from them."""
    assert NOISE in identity(scenario(), "cpu")
    assert NOISE not in identity(scenario(replicas=1), "cpu")
    assert NOISE not in identity(scenario(samples=NUMBERS), "cpu")
    assert NOISE not in identity(scenario(), "cpu", NUMBERS)
    asked = Request(scenario(samples=NUMBERS), 3 * 50, 1, 20, 2, 1)
    assert NOISE in asked.identity("cpu")
    assert NOISE not in Request(scenario(), 3 * NUMBERS, 1, 20, 2, 1).identity("cpu")


@pytest.mark.simulation
@pytest.mark.parametrize("command", ["run", "certify"])
def test_clouds_of_a_version_with_other_noise_are_not_continued(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "s.yaml", tmp_path / "out"
    file.write_text(scenario(replicas=60).to_yaml())
    asked = [command, str(file), "--out", str(out), "--quiet", "--no-report"]
    with monkeypatch.context() as patched:
        at_moment(9, patched)
        assert cli.main(asked) == 130
    begun = json.loads((out / "begun.json").read_text())
    assert begun.pop(NOISE) == "in banks of 128"
    (out / "begun.json").write_text(json.dumps(begun))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert cli.main([*asked, "--resume"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "was begun by another version of lem-safe, which draws other noise for its clouds" in said
    assert "or choose a new --out" in said
    assert before == {path.name: path.read_bytes() for path in out.iterdir()}


def test_nor_is_a_draw_of_such_clouds(tmp_path: Path) -> None:
    now = Request(scenario(), 3 * 50, 1, 20, 2, 1).identity("cpu")
    must_match(now, now, tmp_path)
    with pytest.raises(
        BadInput, match="which draws other noise for its clouds; resume with what it was begun"
    ):
        must_match(now, {name: value for name, value in now.items() if name != NOISE}, tmp_path)
