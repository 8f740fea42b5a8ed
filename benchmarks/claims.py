"""docs/reproduction.md from a finished study of the paper's claims: verdicts, numbers, and the pictures it
shows.

lem-safe reproduce --data-root FOLDER --out DIR
python -m benchmarks.claims DIR
"""

import argparse
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lem_safe.reproduce import CLAIMS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reproduction.md"
BLOCK = re.compile(r"(<!-- made by: python -m benchmarks\.claims -->\n).*?(<!-- end -->)", re.S)
SHOWN = ("fig1", "stopping", "fig2", "table2_cifar")
"""The claims whose pictures the page shows."""


def table(study: Mapping[str, Any]) -> str:
    """Every claim with its verdict, then each with what the paper says, what is found, how far apart they may
    be, and why.
    """
    if any(c["setting"]["quick"] for c in study["claims"]):
        raise ValueError(
            "the study was made with --quick, whose numbers are not to be quoted; run it without"
        )
    marks = {
        "holds": "holds",
        "corrected": "holds as corrected",
        "fails": "**does not hold here**",
        "not run": "not run",
    }
    lines = ["| claim | in the paper | verdict | seconds |", "| --- | --- | --- | --: |"]
    lines += [
        f"| [{c['title']}](#{c['name']}) | {c['where']} | {marks[c['verdict']]} | {c['seconds']:.0f} |"
        for c in study["claims"]
    ]
    there = {c["name"] for c in study["claims"]}
    lines += [
        f"| {claim.title} | {claim.where} | not in this study | |"
        for name, claim in CLAIMS.items()
        if name not in there
    ]
    for c in study["claims"]:
        lines += ["", f'### <a id="{c["name"]}"></a>{c["title"]}', ""]
        lines += [
            f"- *The paper* ({c['where']}): {c['paper']}.",
            f"- *Here*: {c['ours']}",
            f"- *Tolerance*: {c['tolerance']}.",
        ]
        lines += [f"- *Note*: {c['note']}"] if c["note"] else []
        lines += (
            ["", f"![{c['title']}](pictures/{c['name']}.png)"] if c["name"] in SHOWN and c["pictures"] else []
        )
    return "\n".join(lines).replace("..", ".") + "\n"


def write(study: Path, page: Path = PAGE) -> None:
    """The page's block and its pictures, from the folder of a study."""
    facts = json.loads((study / "reproduce.json").read_text(encoding="utf-8"))
    text = table(facts)
    page.write_text(
        BLOCK.sub(lambda m: m[1] + text + m[2], page.read_text(encoding="utf-8")), encoding="utf-8"
    )
    (page.parent / "pictures").mkdir(exist_ok=True)
    for name in SHOWN:
        if (picture := study / "figures" / f"{name}.png").is_file():
            shutil.copyfile(picture, page.parent / "pictures" / picture.name)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path)
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    write(arguments.study, arguments.page)


if __name__ == "__main__":
    main()
