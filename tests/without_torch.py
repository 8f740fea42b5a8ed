"""A process without torch, for tests: what it counts, and what its commands print."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

BLOCKED = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise AssertionError("torch was imported")

sys.meta_path.insert(0, Block())
from barriers.plain.needs import Choice, NeedsTorch
Choice.plain = Choice.again = True
"""
COUNTS = """
import json
import numpy as np
from barriers.arrays import torch
from barriers.sets import build_sets
from lem_safe.auditing import audit
from lem_safe.registry import MAKERS

found = {}
for name, (spec, columns) in json.load(open(sys.argv[1])).items():
    rows = np.load(sys.argv[2])[name]
    try:
        inside = build_sets({"region": spec}, columns, MAKERS)["region"].contains(torch.from_numpy(rows))
        report = audit(rows, {"region": spec}, beta=0.5, columns=columns)
        found[name] = [inside.numpy().nonzero()[0].tolist(), report.constraints[0].violations]
    except NeedsTorch as needed:
        found[name] = str(needed)
print(json.dumps(found))
"""
COMMANDS = """
import contextlib, io, json
from lem_safe.cli import main

found = []
for command in json.load(open(sys.argv[1])):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(command)
    found.append([status, out.getvalue(), err.getvalue()])
print(json.dumps(found))
"""


def without_torch(script: str, *arguments: Path, blocked: bool = True) -> Any:
    """What a script prints, as JSON, in a process where torch cannot be imported; or where it can."""
    code = (BLOCKED if blocked else "import sys\nfrom barriers.plain.needs import NeedsTorch\n") + script
    command = [sys.executable, "-c", code, *map(str, arguments)]
    here = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=here)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
