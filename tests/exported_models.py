"""Modules saved by torch.export for the tests, and archives with one thing changed."""

import json
import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from lem_safe.checkpoints import Exported
from lem_safe.energies import Energy

ROWS = ({0: torch.export.Dim("n")},)


class Confined(nn.Module):
    """net(x) + ½κ‖x − c‖², [n] or [n, 1]."""

    def __init__(self, net: nn.Module, d: int = 2, column: bool = False):
        super().__init__()
        self.net, self.column = net, column
        self.register_buffer("c", torch.full((d,), 0.25))
        self.k = torch.tensor(1.0)

    def forward(self, x: Tensor) -> Tensor:
        y = self.net(x) + 0.5 * self.k * (x - self.c).square().sum(-1, keepdim=True)
        return y if self.column else y.squeeze(-1)


class Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.norm, self.a, self.b = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, width)
        self.drop = nn.Dropout(0.3)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.drop(self.b(torch.tanh(self.a(self.norm(h)))))


class Convolved(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.out = nn.Conv1d(2, 4, 3, padding=1), nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(nn.functional.gelu(self.conv(x.view(x.shape[0], 2, 4))).flatten(1))


class Prototypes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.means, self.mix = nn.Parameter(torch.randn(5, 2)), nn.Linear(4, 8)

    def forward(self, x: Tensor) -> Tensor:
        far = (x[:, None] - self.means).square().sum(-1)
        waves = self.mix(torch.cat([x.sin(), x.cos()], -1)).mean(-1) * torch.tensor(0.1)
        form = torch.einsum("ni,ij,nj->n", x, torch.eye(2), x)
        return (
            -torch.logsumexp(-far, 1) + waves + form.clamp(max=9.0) - torch.exp(-x.norm(dim=1))
        ).unsqueeze(1)


def mlp(activation: type[nn.Module] = nn.SiLU, d: int = 2) -> nn.Sequential:
    return nn.Sequential(nn.Linear(d, 16), activation(), nn.Linear(16, 16), activation(), nn.Linear(16, 1))


def normalised() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Sigmoid(), nn.Linear(8, 1))


def residual() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 12), Block(12), Block(12), nn.ELU(), nn.Linear(12, 1))


ARCHITECTURES: dict[str, Callable[[], nn.Module]] = {
    "silu": lambda: Confined(mlp()),
    "softplus, [n, 1]": lambda: Confined(mlp(nn.Softplus), column=True),
    "relu": lambda: Confined(mlp(nn.ReLU)),
    "residual": lambda: Confined(residual()),
    "batch normalisation": lambda: Confined(normalised()),
    "convolution of 8 columns": lambda: Confined(Convolved(), d=8),
    "prototypes and waves": lambda: Confined(Prototypes()),
}


def made(name: str, dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)
    return ARCHITECTURES[name]().to(dtype).eval()


def save(module: nn.Module, path: Path, d: int = 2, rows: Any = ROWS, plainly: bool = False) -> Path:
    dtype = next((p.dtype for p in module.parameters()), torch.float32)
    exported = torch.export.export(module, (torch.randn(8, d, dtype=dtype),), dynamic_shapes=rows)
    torch.export.save(exported.run_decompositions({}) if plainly else exported, path)
    return path


@lru_cache
def exported() -> Energy:
    """A float64 network, read from its file."""
    module = made("silu", torch.float64)
    module.k = module.k.double()
    with TemporaryDirectory() as directory:
        return Exported(save(module, Path(directory) / "model.pt2")).load()


def changed(path: Path, to: Path, change: Callable[[dict[str, bytes]], Any], **how: Any) -> Path:
    """The archive at `path` with its members, by name without the first folder, changed in place."""
    with zipfile.ZipFile(path) as archive:
        stem = archive.namelist()[0].split("/")[0]
        members = {n.removeprefix(f"{stem}/"): archive.read(n) for n in archive.namelist()}
    change(members)
    with zipfile.ZipFile(to, "w", **how) as archive:
        for name, content in members.items():
            archive.writestr(name.removeprefix("!") if name.startswith("!") else f"{stem}/{name}", content)
    return to


def in_json(member: str, change: Callable[[Any], Any]) -> Callable[[dict[str, bytes]], None]:
    """A change of what a member holds as JSON."""

    def edit(members: dict[str, bytes]) -> None:
        held = json.loads(members[member])
        change(held)
        members[member] = json.dumps(held).encode()

    return edit
