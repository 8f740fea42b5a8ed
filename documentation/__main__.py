"""python -m documentation: builds the site; exits 1 with what is wrong."""

import logging
import os
import shutil
import sys
import time
from pathlib import Path

from documentation import ROOT, pages, reference, scenarios
from documentation.links import dead_links

ASSEMBLED, REPORTS, SITE = ROOT / "build" / "pages", ROOT / "build" / "reports", ROOT / "site"


def main() -> int:
    began = time.monotonic()
    reports = scenarios.run_all(REPORTS)
    after_runs = time.monotonic()
    shutil.rmtree(ASSEMBLED, ignore_errors=True)
    pages.assemble(ASSEMBLED)
    reference.write(ASSEMBLED / "reference")
    for report in reports:
        report.write(ASSEMBLED / "scenarios")
    shutil.copytree(Path(__file__).parent / "assets", ASSEMBLED / "assets")
    if not built([str(scenarios.place(report.name)) for report in reports]):
        return 1
    dead = dead_links(SITE)
    print(*dead, sep="\n", end="\n" if dead else "")
    print(
        f"{len(list(SITE.rglob('*.html')))} pages in {SITE.relative_to(ROOT)}/, {len(dead)} dead links; "
        f"reports {after_runs - began:.0f} s, pages {time.monotonic() - after_runs:.0f} s"
    )
    return 1 if dead else 0


def built(scenario_pages: list[str]) -> bool:
    """Whether mkdocs builds without a warning."""
    os.environ["NO_MKDOCS_2_WARNING"] = "1"  # an announcement of another version, not of these pages
    from mkdocs.commands.build import build
    from mkdocs.config import load_config
    from mkdocs.exceptions import MkDocsException

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    config = load_config(str(ROOT / "mkdocs.yml"), strict=True)
    config.nav = pages.extended(config.nav or [], scenario_pages)
    config.plugins.on_startup(command="build", dirty=False)
    try:
        build(config)
    except MkDocsException as error:
        print(f"the site was not built: {error}", file=sys.stderr)
        return False
    finally:
        config.plugins.on_shutdown()
    return True


if __name__ == "__main__":
    sys.exit(main())
