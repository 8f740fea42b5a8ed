"""Pictures as rows: the sources that ship with libraries, and published sets read from small files of the
same formats.
"""

import io
import tarfile

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from lem_safe.data.images import Cifar10, Dtd, Mnist, NoisePictures, Patches, Svhn, UpscaledDigits
from lem_safe.errors import BadInput


@pytest.fixture
def records():
    """Seven CIFAR-10 records of classes 0 and 1, as bytes."""
    draw = np.random.default_rng(0)
    rows = draw.integers(0, 256, (7, 3073)).astype(np.uint8)
    rows[:, 0] = [0, 1, 0, 1, 1, 0, 1]
    return rows


def archive(path, files):
    with tarfile.open(path, "w:gz") as out:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            entry.size = len(data)
            out.addfile(entry, io.BytesIO(data))
    return path


def test_cifar_is_read_from_the_archive_a_folder_or_one_file(tmp_path, records):
    packed = archive(
        tmp_path / "c.tar.gz",
        {
            "data_batch_1.bin": records[:4].tobytes(),
            "data_batch_2.bin": records[4:].tobytes(),
            "test_batch.bin": records[:2].tobytes(),
            "batches.meta.txt": b"cat\n",
        },
    )
    folder = tmp_path / "cifar-10-batches-bin"
    with tarfile.open(packed) as held:
        held.extractall(tmp_path, filter="data")
    train = Cifar10(packed).pixels(0)
    assert train.shape == (7, 3, 32, 32)
    assert train[3, 2, 31, 0] == pytest.approx(
        2 * float(records[3, 1 + 2 * 1024 + 31 * 32]) / 255 - 1, abs=1e-6
    ), "channel first"
    assert (
        np.array_equal(Cifar10(folder).pixels(0), train)
        and Cifar10(folder).fingerprint() == Cifar10(packed).fingerprint()
    )
    assert np.array_equal(Cifar10(packed, "test").pixels(0), train[:2])
    assert np.array_equal(Cifar10(packed, classes=[1]).pixels(0), train[[1, 3, 4, 6]])
    assert np.array_equal(Cifar10(packed, per_class=1).pixels(0), train[:2])
    assert np.array_equal(Cifar10(folder / "test_batch.bin", "test").pixels(0), train[:2])
    assert Cifar10(packed, "test").fingerprint() != Cifar10(packed).fingerprint()


def test_a_wrong_or_damaged_cifar_file_is_a_fault_in_words(tmp_path, records):
    damaged = archive(tmp_path / "d.tar.gz", {"data_batch_1.bin": records.tobytes()[:-5]})
    pickled = archive(tmp_path / "p.tar.gz", {"data_batch_1": b"\x80\x02."})
    (tmp_path / "n.tar.gz").write_bytes(b"not an archive")
    for path, word in [(damaged, "damaged"), (pickled, "binary version"), (tmp_path / "n.tar.gz", "archive")]:
        with pytest.raises(BadInput, match=word):
            Cifar10(path).load(0)
    with pytest.raises(ValueError, match="classes must be among"):
        Cifar10(archive(tmp_path / "g.tar.gz", {"data_batch_1.bin": records.tobytes()}), classes=[9]).load(0)


def test_svhn_is_read_from_its_matlab_file(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 5)).astype(np.uint8)
    savemat(tmp_path / "test_32x32.mat", {"X": pictures, "y": np.ones((5, 1))})
    found = Svhn(tmp_path / "test_32x32.mat").pixels(0)
    assert found.shape == (5, 3, 32, 32)
    assert found[4, 1, 30, 2] == pytest.approx(2 * float(pictures[30, 2, 1, 4]) / 255 - 1, abs=1e-6)
    savemat(tmp_path / "other.mat", {"Y": pictures})
    savemat(tmp_path / "wrong.mat", {"X": pictures[0]})
    (tmp_path / "no.mat").write_bytes(b"x" * 200)
    for name in ("other.mat", "wrong.mat", "no.mat"):
        with pytest.raises(BadInput, match=name):
            Svhn(tmp_path / name).load(0)


def test_dtd_is_read_from_its_list(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "images" / "dotted").mkdir(parents=True)
    pixels = np.full((80, 120, 3), 200, np.uint8)
    pixels[:, :20] = 0  # cut away: only the middle 80 × 80 is kept
    Image.fromarray(pixels).save(tmp_path / "images" / "dotted" / "a.png")
    (tmp_path / "labels" / "test1.txt").write_text("dotted/a.png\n")
    found = Dtd(tmp_path / "labels" / "test1.txt", 16).pixels(0)
    assert found.shape == (1, 3, 16, 16) and np.allclose(found[0, :, :, 2:], 2 * 200 / 255 - 1, atol=0.02)
    (tmp_path / "labels" / "test2.txt").write_text("dotted/b.png\n")
    with pytest.raises(BadInput, match="b.png"):
        Dtd(tmp_path / "labels" / "test2.txt").load(0)


def test_mnist_is_split_once_and_evenly():
    train, test = Mnist("train"), Mnist("test")
    rows = {
        part: {row.tobytes() for row in source.pixels(0)}
        for part, source in (("train", train), ("test", test))
    }
    assert train.pixels(3).shape == (4000, 1, 28, 28) and test.pixels(0).shape == (1000, 1, 28, 28)
    assert not rows["train"] & rows["test"], "no digit is in both"
    assert Mnist("test", classes=[9]).pixels(0).shape[0] == 100
    upright, inverted = test.pixels(0), Mnist("test", transform="invert").pixels(0)
    assert np.array_equal(inverted, -upright) and upright.min() == -1 and upright.max() == 1
    assert np.array_equal(Mnist("test", transform="flip").pixels(0)[:, :, ::-1], upright)
    assert np.array_equal(Mnist("test", transform="mirror").pixels(0)[..., ::-1], upright)


def test_patches_are_cut_from_the_pictures_and_drawn_by_seed():
    source = Patches("textures", size=24, channels=1, samples=30)
    assert np.array_equal(source.pixels(1), source.pixels(1)) and not np.array_equal(
        source.pixels(1), source.pixels(2)
    )
    assert source.pixels(0).shape == (30, 1, 24, 24)
    colour = Patches("photographs", size=8, channels=3, samples=40).pixels(0)
    assert (np.abs(colour[:, 0] - colour[:, 2]).max() > 0.1) and colour.std(axis=(1, 2, 3)).max() > 0.1
    with pytest.raises(ValueError, match="size must be at most"):
        Patches("textures", size=600).pixels(0)


def test_noise_has_its_law():
    uniform, gaussian = (
        NoisePictures(law, size=16, samples=200).pixels(0) for law in ("uniform", "gaussian")
    )
    n = uniform.size
    assert abs(uniform.var() - 1 / 3) < 4 * (4 / 45 / n) ** 0.5
    assert abs(uniform.mean()) < 4 * (1 / 3 / n) ** 0.5
    assert 0.4 < gaussian.std() < 0.5 and abs(gaussian).max() == 1, "clipped"


def test_digits_are_made_larger_without_leaving_the_range():
    found = UpscaledDigits(size=28).pixels(0)
    assert found.shape == (1797, 1, 28, 28) and found.min() >= -1 and found.max() <= 1
    assert len(UpscaledDigits(size=16, channels=3).columns) == 3 * 16 * 16
