"""Energies from files: our own, the published CIFAR-10 network by its names and shapes, and every way in
which a file can be wrong.
"""

import ast
import pickle
import re
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from barriers.coordinates import Coordinates
from lem_safe import registry as catalogue
from lem_safe.checkpoints import Checkpoint, opened
from lem_safe.checkpoints import formats as formats_
from lem_safe.checkpoints.formats import expected, grouped
from lem_safe.data.distributions import EightGaussians
from lem_safe.energies import MLP, Convolutional, Energy, NetworkEnergy, Transported
from lem_safe.energies.images.energy_matching import (
    WALL,
    EncoderLayer,
    EnergyMatching,
    Layout,
    Potential,
    TokenAttention,
)
from lem_safe.energies.images.unet import PixelAttention, attend, embedded
from lem_safe.errors import BadInput
from lem_safe.progress import Silent
from lem_safe.runs.learned_parts import Learner
from lem_safe.training import Denoising, Trained, TrainingSettings, save_energy
from lem_safe.training.checkpoint import describe

F64 = torch.float64
KEYS = Path(__file__).parent / "reference" / "energy_matching_cifar10_keys.txt"
TINY = Layout(image=(1, 8, 4), width=32, multipliers=(1, 2), blocks=1, head=32, tokens=8, heads=2, depth=2)
SCENARIO = """
version: 1
name: from_a_file
energy: {{kind: checkpoint, path: {path}}}
unsafe: {{far: {{kind: half_space, normal: {normal}, offset: 3}}}}
constraints: [{{set: far, beta: 0.1}}]
sampler: {{kind: langevin, samples: 20, steps: 5, step_size: 0.01}}
"""


def published() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the released checkpoint, from the reference list."""
    lines = [line for line in KEYS.read_text().splitlines() if not line.startswith("#")]
    return {name: ast.literal_eval(shape) for name, shape in (line.split(" ", 1) for line in lines)}


def initialised(layout: Layout, seed: int = 0) -> Potential:
    """A network with weights about as large as trained ones, from a seed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        potential = Potential(layout)
    potential = potential.to_empty(device="cpu")
    for name, p in potential.named_parameters():
        if p.dim() > 1:
            nn.init.normal_(p, std=p[0].numel() ** -0.5, generator=generator)
        else:
            nn.init.constant_(
                p, float("norm" in name or ".0.weight" in name) if name.endswith("weight") else 0.01
            )
    return potential.requires_grad_(False)


@pytest.fixture
def tiny(monkeypatch) -> Layout:
    """The same format at a size that takes milliseconds."""
    monkeypatch.setattr(formats_.EnergyMatchingCifar10, "layout", TINY)
    return TINY


def as_released(potential: Potential, path: Path, **changes: object) -> Path:
    """A file with the five entries of the released one."""
    weights = dict(potential.state_dict())
    optimizer = torch.optim.Adam([nn.Parameter(torch.zeros(2))])
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    whole = {
        "net_model": {name: torch.zeros(()).expand(t.shape) for name, t in weights.items()},
        "ema_model": weights,
        "sched": schedule.state_dict(),
        "optim": optimizer.state_dict(),
        "step": 145000,
    }
    torch.save(whole | changes, path)
    return path


def load(path: Path, normal: list[float]) -> object:
    return catalogue.loads(SCENARIO.format(path=path, normal=normal))


def test_the_published_names_and_shapes():
    """All 405, in the released order, and 49,985,796 parameters."""
    reference = published()
    with torch.device("meta"):
        potential = Potential(Layout())
    assert [(name, tuple(t.shape)) for name, t in potential.state_dict().items()] == list(reference.items())
    assert len(reference) == 405 and sum(p.numel() for p in potential.parameters()) == 49_985_796


def test_a_twin_of_the_published_network(tmp_path):
    """Written, opened, read back: same bits; U = V/.01; one pass for ∇U; an estimated ΔU; and its header
    takes no time.
    """
    potential = initialised(Layout())
    path = as_released(potential, tmp_path / "cifar10.pt")
    began = time.perf_counter()
    assert Checkpoint(path).columns == tuple(f"x{i}" for i in range(3072))
    assert time.perf_counter() - began < 5
    energy, twin = Checkpoint(path).load(), EnergyMatching(potential, Layout(), probes=1)
    assert isinstance(energy, EnergyMatching) and energy.laplacian_method == "Hutchinson, 8 probes"
    x = torch.rand(1, 3072, generator=torch.Generator().manual_seed(1)) * 2 - 1
    value, gradient = energy.value_and_gradient(x)
    with torch.no_grad():
        assert torch.equal(value, potential(x.view(1, 3, 32, 32)) / 0.01)
    assert torch.equal(gradient, twin.value_and_gradient(x)[1])
    assert not value.requires_grad and not any(p.requires_grad for p in energy.parameters())
    step = 1e-2 * gradient / gradient.norm()
    with torch.no_grad():
        difference = float(energy(x + step) - energy(x - step)) / 2e-2
    assert difference == pytest.approx(float(gradient.norm()), rel=0.05)
    found = twin.laplacian(x)
    again = twin.laplacian(x)
    assert bool(torch.isfinite(found)) and torch.equal(found, again) and float(found.abs()) > 0


def test_derivatives_of_a_small_twin():
    """In float64: ∇U and the mean of eight probes against torch.func, along directions too; V/.01 plus the
    wall, and nothing inside it.
    """
    potential = initialised(TINY).double()
    energy = EnergyMatching(potential, TINY, probes=8)
    x = torch.randn(2, 32, generator=torch.Generator().manual_seed(0), dtype=F64)
    x[1, 5], x[1, 6] = 7.5, -8.0

    def one(row: torch.Tensor) -> torch.Tensor:
        return (
            potential(row.view(1, 1, 8, 4))[0] / 0.01 + 0.5 * (row.abs() - WALL).clamp(min=0).square().sum()
        )

    H = torch.stack([torch.func.hessian(one)(row) for row in x])
    g = torch.stack([torch.func.grad(one)(row) for row in x])
    torch.testing.assert_close(energy(x), torch.stack([one(row) for row in x]))
    torch.testing.assert_close(energy.value_and_gradient(x)[0], energy(x))
    torch.testing.assert_close(energy.value_and_gradient(x)[1], g)
    V = torch.randn(32, 2, generator=torch.Generator().manual_seed(1), dtype=F64)
    for found, bent in ((energy.laplacian(x), H), (energy.laplacian(x, V), V.T @ H @ V)):
        off = bent - torch.diag_embed(bent.diagonal(dim1=1, dim2=2))
        error = (2 * off.square().sum((1, 2)) / 8).sqrt()
        assert ((found - bent.diagonal(dim1=1, dim2=2).sum(1)).abs() < 5 * error + 1e-6).all()
    with torch.no_grad():
        torch.testing.assert_close(energy(x[:1]), potential(x[:1].view(1, 1, 8, 4)) / 0.01)
        far = 1e6 * torch.nn.functional.normalize(
            torch.randn(4, 32, dtype=F64, generator=torch.Generator().manual_seed(3))
        )
        assert (energy(far) > 1e11).all()  # V is bounded; the wall is what makes e^{−U} integrable


def test_the_transformer_is_torchs_own():
    """Our encoder layer under torch's weights and names: post-norm, GELU, heads split alike."""
    theirs = nn.TransformerEncoderLayer(24, 4, 96, activation="gelu", batch_first=True, dropout=0.0).double()
    ours = EncoderLayer(24, 4).double()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    x = torch.randn(3, 7, 24, generator=torch.Generator().manual_seed(0), dtype=F64)
    torch.testing.assert_close(ours(x), theirs(x))
    assert [name for name, _ in TokenAttention(24, 4).named_parameters()] == [
        n for n, _ in theirs.self_attn.named_parameters()
    ]


def test_attention_over_pixels_reads_q_k_v_head_by_head():
    """Channels of the joint projection are (head, q k v, channel): a naive twin, pixel by pixel."""
    layer = PixelAttention(64, 32).double()
    x = torch.randn(2, 64, 3, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    flat = x.flatten(2)
    joint = layer.qkv(layer.norm(flat))
    out = []
    for head in range(2):
        q, k, v = joint[:, 96 * head : 96 * (head + 1)].split(32, 1)
        weight = torch.softmax(torch.einsum("bct,bcs->bts", q, k) / 32**0.5, -1)
        out.append(torch.einsum("bts,bcs->bct", weight, v))
    expected = flat + layer.proj_out(torch.cat(out, 1))
    torch.testing.assert_close(layer(x, torch.zeros(1, 1, dtype=F64)).flatten(2), expected)
    q = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(1), dtype=F64)
    torch.testing.assert_close(attend(q, 2 * q, q), nn.functional.scaled_dot_product_attention(q, 2 * q, q))


def test_the_embedding_of_time():
    """Cosines first, frequencies from 1 down to 10⁻⁴ᐟ… of the half width."""
    found = embedded(0.5, 8, torch.zeros(1, dtype=F64))[0]
    ω = torch.tensor([10_000 ** -(i / 4) for i in range(4)], dtype=F64)
    torch.testing.assert_close(found, torch.cat([(0.5 * ω).cos(), (0.5 * ω).sin()]), rtol=1e-6, atol=1e-7)


def test_weights_alone_and_safetensors_are_read_too(tiny, tmp_path):
    potential = initialised(tiny)
    torch.save(dict(potential.state_dict()), tmp_path / "flat.pt")
    torch.save(
        {"ema_model": dict(potential.state_dict())}, tmp_path / "old.pt", _use_new_zipfile_serialization=False
    )
    save_file(
        {name: t.contiguous() for name, t in potential.state_dict().items()}, tmp_path / "flat.safetensors"
    )
    x = torch.rand(3, 32, generator=torch.Generator().manual_seed(0))
    whole = EnergyMatching(potential, tiny)
    expected, weights = whole(x), whole.state_dict()
    for name in ("flat.pt", "old.pt", "flat.safetensors"):
        for read in (
            Checkpoint(tmp_path / name).load(),
            Checkpoint(tmp_path / name, "energy_matching_cifar10").load(),
        ):
            found = read.state_dict()
            assert set(found) == set(weights) and all(
                torch.equal(found[key], weights[key]) for key in weights
            ), name
            # where in memory a weight lies may change the order of a sum, so its last digit
            torch.testing.assert_close(read(x), expected, rtol=1e-5, atol=1e-5)


def expanded(text: str) -> set[str]:
    """Every name that a shell makes of braces: the first pair, its parts, and what follows."""
    begin = text.find("{")
    if begin < 0:
        return {text}
    depth, cuts = 0, [begin]
    for at in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if (text[at] == "," and depth == 1) or depth == 0:
            cuts.append(at)
        if depth == 0:
            break
    parts = [text[i + 1 : j] for i, j in zip(cuts, cuts[1:], strict=False)]
    after = expanded(text[cuts[-1] + 1 :])
    return {text[:begin] + name + rest for part in parts for name in expanded(part) for rest in after}


def test_grouped_names_are_all_there(tiny):
    """The published network's, in one line each, are expanded to what they were; a planted fault (four names
    and a count) is seen.
    """
    names = list(expected(Layout()))
    for some in (names, names[::3], ["a", "a.b", "a.c.0", "d.c.0"]):
        back = set().union(*(expanded(part) for part in re.split(r", ", grouped(some))))
        assert back == set(some)
    assert len(grouped(names)) < sum(map(len, names)) / 4
    assert expanded(", ".join(names[:4]) + " and 401 more") != set(names)


def test_a_wrong_file_says_which_tensors(tiny, tmp_path):
    """Missing, unexpected and misshaped at once, by name, with the file; when the scenario loads, so exit
    status 2.
    """
    potential = initialised(tiny)
    weights = dict(potential.state_dict())
    partial = {name: t for name, t in weights.items() if not name.startswith("transformer_encoder.layers.1.")}
    bent = partial | {"final_linear.bias": torch.zeros(2), "head.weight": torch.zeros(3)}
    path = as_released(potential, tmp_path / "partial.pt", ema_model=bent)
    with pytest.raises(BadInput) as caught:
        load(path, [1.0] + [0.0] * 31)
    text = str(caught.value)
    assert f"{path}: must hold exactly the {len(weights)} tensors of this network; 12 missing: " in text
    missing = text.split("12 missing: ")[1].splitlines()[0]
    assert missing == (
        "transformer_encoder.layers.1.{self_attn.{in_proj_weight,in_proj_bias,out_proj.{weight,bias}},"
        "{linear1,linear2,norm1,norm2}.{weight,bias}}"
    )
    assert expanded(missing) == set(weights) - set(partial)
    assert "1 unexpected: head.weight" in text
    assert "1 of another shape: final_linear.bias is (2,), not (1,)" in text
    assert len(caught.value.faults) == 3


def test_only_the_average_of_the_weights_is_used(tiny, tmp_path):
    """A file with net_model alone is refused by name rather than read."""
    path = tmp_path / "net.pt"
    torch.save({"net_model": dict(initialised(tiny).state_dict()), "step": 3}, path)
    with pytest.raises(
        BadInput, match="must hold 'ema_model', or its .* tensors themselves; found net_model"
    ):
        Checkpoint(path).load()


def test_numbers_that_are_not_finite_are_refused(tiny, tmp_path):
    weights = dict(initialised(tiny).state_dict()) | {"out.2.bias": torch.tensor([torch.nan])}
    torch.save(weights, tmp_path / "nan.pt")
    with pytest.raises(BadInput, match="must hold finite numbers; out.2.bias do not"):
        Checkpoint(tmp_path / "nan.pt").load()


class Trojan:
    def __reduce__(self):
        return (open, (str(Path(__file__).parent / "never"), "w"))


def test_no_code_in_a_file_is_run(tmp_path):
    for name, write in (("zip.pt", torch.save), ("bare.pkl", lambda o, p: p.write_bytes(pickle.dumps(o)))):
        path = tmp_path / name
        write({"ema_model": Trojan()}, path)
        with pytest.raises(BadInput, match="code in a file is never run"):
            opened(path)
    assert not (Path(__file__).parent / "never").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.pt", b"weights, honestly", "is not a checkpoint file: neither safetensors nor"),
        ("rows.csv", b"x,y\n1,2\n3,4\n", "is no checkpoint file|neither safetensors nor"),
        ("empty.pt", b"", "neither safetensors nor a complete file"),
        ("cut.safetensors", b"\x10\x00\x00\x00\x00\x00\x00\x00{", "not a complete safetensors file"),
        ("cut.pt", b"PK\x03\x04 and no more", "neither safetensors nor a complete file"),
    ],
)
def test_files_that_are_nothing(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=message) as caught:
        Checkpoint(tmp_path / name).columns  # noqa: B018  # a property that reads
    assert str(tmp_path / name) in str(caught.value)


def test_a_file_of_something_else(tmp_path):
    save_file({"w": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(
        BadInput, match="is none of lem_safe, energy_matching_cifar10: it holds w; say which with format:"
    ):
        Checkpoint(tmp_path / "foreign.safetensors").load()
    with pytest.raises(BadInput, match="no such file"):
        Checkpoint(tmp_path / "absent.pt").load()


# ---- our own
# ----------------------------------------------------------------------------------------------------

QUICK = Trained(
    EightGaussians(samples=300),
    MLP(hidden=8, depth=2),
    Denoising(0.3),
    TrainingSettings(steps=20, batch_size=32),
)


@pytest.fixture
def trained(tmp_path) -> tuple[Path, Transported]:
    energy, metadata = QUICK.train(0)
    save_energy(energy, tmp_path / "mine.safetensors", metadata | {"columns": ["speed", "load"]})
    return tmp_path / "mine.safetensors", energy


def test_our_own_file_is_the_energy_that_was_trained(trained):
    path, energy = trained
    x = torch.randn(9, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    back = Checkpoint(path).load()
    for a, b in zip(back.value_and_gradient(x), energy.value_and_gradient(x), strict=True):
        assert torch.equal(a, b)
    assert Checkpoint(path).columns == ("speed", "load") and Checkpoint(path, "lem_safe").dimension == 2


def test_a_scenario_from_a_file(trained):
    """Columns come from the file, the fingerprint from its content, and a composition may hold several."""
    path, energy = trained
    scenario = load(path, [1.0, 0.0])
    first = scenario.fingerprint()
    spec = scenario.energy
    assert catalogue.columns(spec) == ("speed", "load")
    learner = Learner(0, Silent())
    found = learner.make({"kind": "composed", "energies": [spec, spec], "weights": [1.0, 0.5]}, "energy")
    assert isinstance(found, Energy) and learner.origin == "checkpoint" and learner.parts == []
    x = torch.randn(9, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    torch.testing.assert_close(found(x), 1.5 * energy(x))
    other, metadata = QUICK.train(1)
    save_energy(other, path, metadata)
    assert load(path, [1.0, 0.0]).fingerprint() != first


def test_a_convolutional_energy_goes_through_a_file(tmp_path):
    settings = Convolutional([1, 4, 6], [3, 5], depth=2, hidden=7, activation="softplus")
    inner = settings.build(24, torch.Generator().manual_seed(0)).requires_grad_(False)
    energy = Transported(inner, Coordinates(torch.zeros(24, dtype=F64), 0.5 * torch.eye(24, dtype=F64)))
    save_energy(
        energy,
        tmp_path / "e.safetensors",
        {"network": describe(settings, "convolutional"), "columns": [f"p{i}" for i in range(24)]},
    )
    back = Checkpoint(tmp_path / "e.safetensors").load()
    assert isinstance(back, Transported) and isinstance(back.inner, NetworkEnergy)
    x = torch.randn(5, 24, generator=torch.Generator().manual_seed(1))
    for a, b in zip(back.value_and_gradient(x), energy.value_and_gradient(x), strict=True):
        assert torch.equal(a, b)
