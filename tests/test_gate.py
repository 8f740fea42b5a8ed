"""The gate itself: what it reads of a report, what it prints, and when a skipped test is a failure."""

from pathlib import Path

import gate
import pytest

REPORT = """<testsuites><testsuite>
<testcase classname="tests.a" name="quick" time="0.5"/>
<testcase classname="tests.a" name="slow" time="12.25"/>
<testcase classname="tests.b" name="left_out" time="0"><skipped message="no browser"/></testcase>
</testsuite></testsuites>"""


def test_the_slowest_come_first_and_skipped_ones_are_counted_with_their_reason(tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(REPORT)
    lines = gate.summary(gate.cases(tmp_path / "report.xml")).splitlines()
    assert lines[1].split() == ["12.2", "s", "tests.a::slow"] and lines[2].split()[-1] == "tests.a::quick"
    assert lines[-2:] == ["skipped: 1", "  tests.b::left_out: no browser"]


@pytest.mark.parametrize(("options", "status"), [([], 0), (["--none-skipped"], 1)])
def test_a_skipped_test_is_a_failure_where_that_is_asked(
    options: list[str], status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_part(name: str, *, long: bool, report: Path) -> int:
        report.write_text(REPORT)
        return 0

    monkeypatch.setattr(gate, "run_part", run_part)
    assert gate.main(options) == status
    assert capsys.readouterr().out.count("skipped: 2") == 1


def test_a_failure_in_either_part_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    for failing in gate.PARTS:
        monkeypatch.setattr(gate, "run_part", lambda name, failing=failing, **_: int(name == failing))
        assert gate.main([]) == 1
