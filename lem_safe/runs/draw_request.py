"""A request for more samples from a finished run, with every number chosen."""

from dataclasses import dataclass
from pathlib import Path

from lem_safe.errors import BadInput, Fault
from lem_safe.inputs import read_arrays
from lem_safe.registry import load
from lem_safe.runs.resume import identity
from lem_safe.scenario import Scenario

AGAIN = "run it again in another --out"


@dataclass(frozen=True)
class Request:
    """A request for more samples, with every number chosen."""

    scenario: Scenario
    samples: int
    seed: int
    burn_in: int
    thin: int
    pool: int

    @classmethod
    def of(
        cls, directory: Path, samples: int, seed: int, burn_in: int | None, thin: int | None, pool: int
    ) -> "Request":
        """The request, with defaults from a run directory; BadInput for what cannot be drawn."""
        scenario = finished_scenario(directory)
        steps = len(read_arrays(directory / "trace.npz", AGAIN)["step"]) if burn_in is None else burn_in
        between = max(1, steps // 10) if thin is None else thin
        faults = [
            Fault(f"must be > 0; got {value}", key=name)
            for name, value in (("samples", samples), ("burn_in", steps), ("thin", between), ("pool", pool))
            if value <= 0
        ]
        clouds = scenario.audit.replicas
        if not faults and samples % (pool * clouds):
            of = [f"pool = {pool}"] * (pool > 1) + [f"the {clouds} clouds of audit.replicas"] * (clouds > 1)
            nearest = samples - samples % (pool * clouds) or pool * clouds
            message = f"must be a multiple of {' times '.join(of)}, each with as many rows; take {nearest}"
            faults.append(Fault(message, key="samples"))
        if seed == scenario.seed:
            faults.append(
                Fault(f"{seed} is the run's own, whose samples these would repeat; take another", key="seed")
            )
        if faults:
            raise BadInput(faults)
        return cls(scenario, samples, seed, steps, between, pool)

    @property
    def looks(self) -> list[int]:
        """The steps after which a cloud is recorded."""
        return [self.burn_in + i * self.thin for i in range(self.pool)]

    @property
    def particles(self) -> int:
        """Particles per cloud."""
        return self.samples // self.pool // self.scenario.audit.replicas

    def identity(self, device: str) -> dict[str, str]:
        """What must be equal in a draw and the one it continues."""
        numbers = {
            "samples": self.samples,
            "seed": self.seed,
            "burn-in": self.burn_in,
            "thin": self.thin,
            "pool": self.pool,
        }
        own = identity(self.scenario, device, self.particles)
        return {**own, **{name: str(value) for name, value in numbers.items()}}


def finished_scenario(directory: Path) -> Scenario:
    for name in ("scenario.yaml", "samples.npz", "trace.npz", "run.json"):
        if not (directory / name).is_file():
            raise BadInput(
                Fault(
                    f"holds no finished run ({name} is missing); give the directory of one",
                    file=str(directory),
                )
            )
    return load(directory / "scenario.yaml")
