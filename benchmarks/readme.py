"""What the README shows: runs the main job and writes its verdict between the markers and its picture under
docs/pictures (`make readme`).
"""

import re
import shutil
import tempfile
from pathlib import Path

from lem_safe.progress import Lines
from lem_safe.runs.runner import run

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(<!-- made by: make readme -->\n```\n).*?(\n```\n<!-- end -->)", re.DOTALL)
PICTURES = {"pairs.png": "impossible_tumours_pairs.png"}


def main() -> None:
    """Rewrites the README's block and pictures from one run of impossible_tumours."""
    with tempfile.TemporaryDirectory() as folder:
        done = run("impossible_tumours", out=Path(folder) / "out", progress=Lines())
        verdict = "\n".join(line.rstrip() for line in done.report.to_text().strip().splitlines())
        for made, kept in PICTURES.items():
            shutil.copy(done.directory / "figures" / made, ROOT / "docs" / "pictures" / kept)
    readme = ROOT / "README.md"
    readme.write_text(BLOCK.sub(lambda m: m[1] + verdict + m[2], readme.read_text()))


if __name__ == "__main__":
    main()
