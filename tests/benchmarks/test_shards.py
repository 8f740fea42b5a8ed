"""The bench of shards: small data sets are counted, killed and summed like large ones; what is not installed
is said to be not run.
"""

import pytest

pytest.importorskip("pyarrow")
from benchmarks import shards


def test_what_is_not_installed_is_said_to_be_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "ENGINES", {"Nowhere": "no_such_engine.dataframe"})
    rows = shards.engines(60)
    assert rows == [{"name": "Nowhere", "rows": 60, "run": False}]
    assert "| Nowhere | not installed, not run |" in shards.section(rows)


@pytest.mark.long
def test_shards_made_one_at_a_time_and_killed_add_up():
    (row,) = shards.stream(600_000, 300_000)
    assert (row["rows"], row["shards"], row["killed"]) == (600_000, 2, 1)
    (merged,) = shards.merged(40_000, 4, 2)
    assert merged["same_bytes"]
    assert "1 process was killed in the middle" in "\n".join(shards.section([row, merged]))
