"""python -m benchmarks.gallery: rewrites the pages of the gallery from results.json; with --data, the files
that its scenarios read.
"""

import argparse
import json

from benchmarks.gallery.data import FILES, FOLDER
from benchmarks.gallery.page import ROOT, pages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", action="store_true", help="write scenarios/gallery/data instead")
    if parser.parse_args().data:
        for name, write in FILES.items():
            write(FOLDER / name)
        return
    found = json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))["benchmarks"]
    for path, text in pages(found["gallery"]["rows"]).items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
