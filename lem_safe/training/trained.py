"""`energy: {kind: trained, ...}`: the specification of a learned energy, trained once and then reused.

The fingerprint covers the content of the data, every setting and the seed; a cached file with that
fingerprint is the energy.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

from typing_extensions import Doc

from barriers.arrays import torch
from barriers.coordinates import Coordinates, identity
from barriers.specification import SpecificationError
from lem_safe.data.source import Dataset, DataSource, digest
from lem_safe.data.typed import Codec, RowCoordinates
from lem_safe.energies.mixture_based import MixtureBase
from lem_safe.energies.mlp import MLP, NETWORKS, Network
from lem_safe.energies.row_energy import RowEnergy
from lem_safe.energies.row_truncation import Truncated
from lem_safe.energies.transported import Transported
from lem_safe.errors import BadInput, Fault
from lem_safe.files import CACHE_VARIABLE, default_cache
from lem_safe.keys import Key
from lem_safe.processes.group import ALONE, Group
from lem_safe.training.checkpoint import FORMAT, describe, load_energy, save_energy
from lem_safe.training.contrastive import Contrastive
from lem_safe.training.default_loss import SHARE_OF_BANDWIDTH, default_loss
from lem_safe.training.journal import Journal
from lem_safe.training.loop import Fit, Progress, fit, quiet
from lem_safe.training.loss import spread_out
from lem_safe.training.losses import LOSSES, Loss
from lem_safe.training.principal import principal
from lem_safe.training.settings import TrainingSettings
from lem_safe.training.truncation import PLAIN, Truncation
from lem_safe.training.whitening import whiten

FILE = "energy.safetensors"
JOURNAL = "training.safetensors"


@dataclass(frozen=True)
class Trained:
    """An energy learned from data: a network with a confining term, trained in whitened coordinates and used
    in the data's units.
    """

    example: ClassVar[dict[str, object]] = {
        "kind": "trained",
        "data": {"kind": "eight_gaussians", "samples": 1000},
        "network": {"kind": "mlp", "hidden": 16, "depth": 2},
        "training": {"steps": 60, "batch_size": 128},
    }

    data: Annotated[DataSource, Doc("The rows to learn from.")]
    network: Annotated[Network, Doc("The network that gives the energy its form.")] = MLP()
    loss: Annotated[
        Loss | None,
        Doc("What training minimises; by default calibrated for columns and denoising for pictures."),
    ] = None
    training: Annotated[
        TrainingSettings, Doc("How the network is trained: the number of steps, the learning rate and so on.")
    ] = TrainingSettings()
    truncated: Annotated[
        Truncation | None,
        Doc(
            "Regions in which no row can be, because of how the data came about: the density of tables is "
            "fitted to what remains outside of them."
        ),
    ] = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns' names, those of the data; SpecificationError where the network takes
        another number.
        """
        columns = self.data.columns
        if getattr(self.data, "codec", None) is not None:
            row_network(self)
        elif self.truncated is not None:
            raise SpecificationError(PLAIN, ("truncated",))
        if self.data.path_shape is not None and not self.network.whitens:
            raise SpecificationError("is for pictures, and the data are paths: use mlp", ("network",))
        self.network.must_fit(len(columns))
        return columns

    @property
    def dimension(self) -> int:
        return self.data.dimension

    def fingerprint(self, seed: int) -> str:
        """64 hexadecimal digits that identify all inputs of training: the data's content, all settings, the
        seed.
        """
        loss = repr(self.loss) if self.loss is not None else f"chosen: {SHARE_OF_BANDWIDTH}"
        cut = () if self.truncated is None else (self.truncated.told(self.data.columns),)
        return digest(
            FORMAT, self.data.fingerprint(), repr(self.network), loss, repr(self.training), str(seed), *cut
        )

    def train(
        self, seed: int, progress: Progress = quiet, journal: Journal | None = None, group: Group = ALONE
    ) -> tuple[Transported, dict[str, Any]]:
        """The frozen energy over data units, and the metadata for its file; a journal makes it resumable.
        group: the processes that train it together.

        Raises BadInput for rows that cannot be whitened, NumericalFailure where training diverges.
        """
        rows = self.data.load(seed)
        if rows.codec is not None:
            return self._train_rows(rows, rows.codec, seed, progress, journal, group)
        coordinates = self._coordinates(rows)
        key = Key(seed).fold("train")
        z = coordinates.inverse(rows.values).float()
        loss = self.loss or default_loss(self.network, *z.shape)
        fresh = self.network.build(z.shape[1], key.fold("weights").generator())
        result = fit(
            fresh,
            z,
            loss,
            self.training,
            key,
            progress=progress,
            journal=journal,
            prepare=self.network.begun if self.network.fitted else None,
            group=group,
        )
        metadata = self._about(rows, result, describe(loss, LOSSES.kind_of(loss)), seed)
        if rows.components is not None:
            metadata["components"] = rows.components
            metadata["shape"] = list(self.data.path_shape or ())
        return Transported(result.energy.requires_grad_(False).eval(), coordinates), metadata

    def _coordinates(self, rows: Dataset) -> Coordinates:
        """Those that the energy is learned in."""
        if rows.components is not None:
            return principal(rows.values, rows.components)
        return whiten(rows.values, rows.columns) if self.network.whitens else identity(len(rows.columns))

    def _train_rows(
        self,
        rows: Dataset,
        codec: Codec,
        seed: int,
        progress: Progress,
        journal: Journal | None,
        group: Group,
    ) -> tuple[Transported, dict[str, Any]]:
        """The same over latent rows of a table: a mixture of products that the network corrects (E.23)."""
        network, key, cut = row_network(self), Key(seed).fold("train"), self._cut(rows, codec, seed)
        loss = Contrastive(None if cut is None else cut.holds)
        generator = key.fold("rows").generator()
        uniforms = torch.rand(rows.values.shape, generator=generator, dtype=torch.float64)
        x = codec.latent(rows.values, uniforms).float()
        fresh = network.build_rows(codec.numbers, codec.sizes, key.fold("weights").generator())
        result = fit(
            fresh,
            x,
            loss,
            self.training,
            key,
            progress=progress,
            journal=journal,
            prepare=partial(network.begun, likelihood=cut),
            group=group,
        )
        about = {"kind": "contrastive"}
        metadata = self._about(rows, result, about, seed) | {"table": codec.to_json()}
        if self.truncated is not None and cut is not None:
            assert isinstance(result.energy, RowEnergy)
            metadata["truncated"] = {"by": self.truncated.by, "share": cut.share(result.energy.base)}
        return Transported(result.energy.requires_grad_(False).eval(), RowCoordinates(codec)), metadata

    def _cut(self, rows: Dataset, codec: Codec, seed: int) -> Truncated | None:
        """The likelihood of rows that are truncated; BadInput where they are not."""
        if self.truncated is None:
            return None
        if (why := self.truncated.refused(codec, rows.values)) is not None:
            raise BadInput(Fault(why, key="energy.truncated.by"))
        return Truncated(self.truncated.holds(codec), Key(seed).fold("truncated").value % 2**62)

    def _about(self, rows: Dataset, result: Fit, loss: dict[str, Any], seed: int) -> dict[str, Any]:
        """The metadata of a file of the energy."""
        return {
            "fingerprint": self.fingerprint(seed),
            "seed": seed,
            "columns": list(rows.columns),
            "rows": rows.values.shape[0],
            "network": describe(self.network, NETWORKS.kind_of(self.network)),
            "loss": loss,
            "training": describe(self.training),
            "held_out": result.held_out,
            "resumed_from_step": result.resumed_from_step,
            "history": [check._asdict() for check in result.history],
        }

    def load_or_train(
        self,
        seed: int,
        cache: Path | None = None,
        progress: Progress = quiet,
        say: Callable[[str], None] = lambda line: None,
        group: Group = ALONE,
    ) -> tuple[Transported, str]:
        """The energy, from the cache where it has been trained before, and its origin: "cached" or "trained".
        A cached file that cannot be used is reported by `say`, in one line, and written anew.

        An interrupted training leaves a journal next to that file, and continues from it bit for bit. group:
        the processes of which this one leads; the others `train_along`.
        """
        path = self.path(seed, cache)
        if (kept := self._kept(path, seed, say)) is not None:
            group.tell(False)
            return kept, "cached"
        _must_be_a_place(path)
        journal = Journal(path.with_name(JOURNAL), self.fingerprint(seed))
        shared = group if group.size > 1 and self._spreads() else ALONE
        group.tell(shared is group)
        energy, metadata = self.train(seed, progress, journal, shared)
        save_energy(energy, path, metadata)
        journal.close()
        return energy, "trained"

    def train_along(self, seed: int, group: Group) -> None:
        """Takes part in what `load_or_train` does in process 0."""
        if group.hear():
            self.train(seed, group=group)

    def _spreads(self) -> bool:
        """Whether several processes can evaluate the energy together; a default loss of columns or pictures
        always can.
        """
        return self.loss is None or spread_out(self.loss)

    def _kept(self, path: Path, seed: int, say: Callable[[str], None]) -> Transported | None:
        """The energy in a file of the cache; None where there is none that is this one's."""
        if not path.exists():
            return None
        try:
            saved = load_energy(path)
            if saved.columns != self.data.columns:
                raise BadInput(Fault("is an energy of other columns", str(path)))
            if saved.metadata.get("fingerprint", self.fingerprint(seed)) != self.fingerprint(seed):
                raise BadInput(Fault("is an energy of other data or settings", str(path)))
        except BadInput as bad:
            say(f"the cache cannot be used, so the energy is trained again: {bad.faults[0]}")
            return None
        return saved.energy

    def path(self, seed: int, cache: Path | None = None) -> Path:
        """The file of this energy in the cache, whether it exists or not."""
        return (cache or default_cache()) / self.fingerprint(seed)[:32] / FILE


def row_network(made: Trained) -> MixtureBase:
    """The network of a table with columns of other types than numbers; SpecificationError where another one,
    a loss or a smoothing is asked for, which know numbers alone.
    """
    why = "this table has categories, dates, missing cells or settings of its columns"
    if not isinstance(made.network, MixtureBase):
        raise SpecificationError(f"{why}: use network: {{kind: mixture_base}}", ("network",))
    if made.loss is not None:
        raise SpecificationError(
            f"{why}, which are learned by comparison with a mixture; leave loss out", ("loss",)
        )
    if made.training.smoothing:
        raise SpecificationError(
            f"{why}, to which no noise is added; leave smoothing out", ("training", "smoothing")
        )
    return made.network


def _must_be_a_place(path: Path) -> None:
    """Makes the directory of a file of the cache; BadInput where nothing can be written there, said before
    anything is trained.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            Fault(f"cannot be made ({error.strerror}); set {CACHE_VARIABLE}", str(path.parent))
        ) from None
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise BadInput(Fault(f"cannot be written to; set {CACHE_VARIABLE}", str(path.parent)))
    for name in (path, path.with_name(JOURNAL)):
        if name.is_dir() and not name.is_symlink():
            raise BadInput(Fault("is a directory where the cache keeps a file; remove it", str(name)))
