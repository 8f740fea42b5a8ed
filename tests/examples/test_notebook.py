"""The notebook runs from its first cell to its last, in a kernel of its own."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "kept without outputs"
    resources = {"metadata": {"path": str(tmp_path)}}
    done = NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    shown = [out for cell in done.cells for out in cell.get("outputs", [])]
    assert not any(out["output_type"] == "error" for out in shown)
    pictures = [out for out in shown if "image/png" in out.get("data", {})]
    tables = [out for out in shown if "<table" in out.get("data", {}).get("text/html", "")]
    assert len(pictures) == 2 and len(tables) >= 3
