"""Tables that ship with scikit-learn: what is read from its files is what its loaders give."""

import gzip
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets

from lem_safe.data import shipped
from lem_safe.data.images import mnist
from lem_safe.errors import BadInput


@pytest.fixture(autouse=True)
def _anew() -> None:
    shipped.shipped.cache_clear()


@pytest.mark.parametrize("name", shipped.TABLES)
def test_the_numbers_and_names_are_those_of_the_loader(name: str) -> None:
    found, expected = shipped.shipped(name), shipped._loaded(name)
    assert found.values.dtype == np.float64 and found.values.tobytes() == expected.values.tobytes()
    assert found.columns == expected.columns and found.dropped == expected.dropped


def test_digits_as_images() -> None:
    assert np.array_equal(mnist._digits(), datasets.load_digits().images)


def elsewhere(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Another version's files."""
    spec = ModuleSpec("sklearn", None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    monkeypatch.setattr(shipped, "find_spec", lambda name: spec)


OTHER = {
    "no file": None,
    "another number of rows": "150,4,a,b,c\n" + "5.1,3.5,1.4,0.2,0\n" * 149,
    "another number of columns": "150,4,a,b,c\n" + "5.1,3.5,1.4,0\n" * 150,
    "rows of several lengths": "150,4,a,b,c\n" + "5.1,3.5,1.4,0.2,0\n" * 149 + "1,2\n",
    "words": "150,4,a,b,c\n" + "5.1,3.5,1.4,0.2,setosa\n" * 150,
    "nothing": "",
}


@pytest.mark.parametrize("name", OTHER)
def test_files_that_are_not_as_described_are_left_to_the_loader(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "datasets" / "data" / "iris.csv"
    file.parent.mkdir(parents=True)
    if (text := OTHER[name]) is not None:
        file.write_text(text)
    elsewhere(monkeypatch, tmp_path)
    assert shipped.numbers("iris") is None
    assert shipped.shipped("iris").values.tobytes() == datasets.load_iris().data.tobytes()


def test_a_damaged_archive_is_left_to_the_loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "datasets" / "data" / "digits.csv.gz"
    file.parent.mkdir(parents=True)
    whole = gzip.compress(b"0," * 64 + b"0\n")
    for damaged in (whole[:20], b"no archive", whole[:-6] + b"\0" * 6):
        file.write_bytes(damaged)
        elsewhere(monkeypatch, tmp_path)
        assert shipped.numbers("digits") is None


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(BadInput, match=r"ships with scikit-learn: pip install"):
        shipped.shipped("wine")


def test_another_name() -> None:
    with pytest.raises(ValueError, match="must be one of breast_cancer, wine.*got 'titanic'"):
        shipped.shipped("titanic")
