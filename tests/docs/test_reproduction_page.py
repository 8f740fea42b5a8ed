"""docs/reproduction.md is made of a study's files, never typed, and never of a quick one."""

import json
import re

import pytest

from benchmarks import claims
from lem_safe.reproduce import CLAIMS

CLAIM = {
    "name": "fig1",
    "title": "Fig. 1",
    "where": "§3",
    "paper": "k* = 49",
    "tolerance": "40–60",
    "verdict": "fails",
    "ours": "k* = 39.",
    "note": "",
    "seconds": 3.4,
    "pictures": 1,
    "setting": {"seed": 0, "quick": False},
}


def study(folder, **changes):
    (folder / "figures").mkdir(parents=True)
    (folder / "figures" / "fig1.png").write_bytes(b"picture")
    (folder / "reproduce.json").write_text(json.dumps({"claims": [CLAIM | changes]}))
    return folder


def test_the_page_is_the_studys(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- made by: python -m benchmarks.claims -->\nstale\n<!-- end -->\nafter\n")
    claims.write(study(tmp_path / "study"), page)
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("<!-- end -->\nafter\n") and "stale" not in text
    assert "| [Fig. 1](#fig1) | §3 | **does not hold here** | 3 |" in text and "- *Here*: k* = 39.\n" in text
    assert (tmp_path / "pictures" / "fig1.png").read_bytes() == b"picture"


def test_a_quick_study_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not to be quoted"):
        claims.write(study(tmp_path / "study", setting={"seed": 0, "quick": True}), tmp_path / "page.md")


def test_the_committed_page_names_every_claim_and_has_its_pictures():
    text = claims.PAGE.read_text(encoding="utf-8")
    assert all(claim.title in text for claim in CLAIMS.values())
    shown = re.findall(r"\(pictures/(\w+)\.png\)", text)
    assert "fig1" in shown and all(
        (claims.PAGE.parent / "pictures" / f"{name}.png").is_file() for name in shown
    )
