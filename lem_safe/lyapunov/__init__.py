"""KL as a Lyapunov function: when a run should stop, what it converges to, and how far away it is. One file
per quantity.
"""

from lem_safe.distances.wasserstein import noise_floor, wasserstein2
from lem_safe.energies.log_sobolev import Constant, holley_stroock
from lem_safe.lyapunov.bias import Bias, gaussian_bias, step_bias, step_size_for
from lem_safe.lyapunov.constants import (
    fisher_floor,
    fisher_information,
    kl_at_most,
    langevin_budget,
    log_sobolev,
    measured_constant,
)
from lem_safe.lyapunov.density import (
    FlowTrack,
    divergence_volume,
    hessian,
    jacobian_volume,
    langevin_kl,
    track_flow,
)
from lem_safe.lyapunov.generator import Mean, generator_means
from lem_safe.lyapunov.log import Log, Look
from lem_safe.lyapunov.mixing import effective_sample_size, split_rhat
from lem_safe.lyapunov.monitors import Monitor
from lem_safe.lyapunov.normal import Normal, fitted, flow_variance, isotropic, langevin_variance, normal_kl
from lem_safe.lyapunov.ratio import Balance, balance, imbalance, upward_crossing
from lem_safe.lyapunov.stein import Stein, stein_discrepancy
from lem_safe.lyapunov.stop import Beginning, Stop, Stopped, outcome
from lem_safe.lyapunov.stopping import STOPS

__all__ = [
    "STOPS",
    "Balance",
    "Beginning",
    "Bias",
    "Constant",
    "FlowTrack",
    "Log",
    "Look",
    "Mean",
    "Monitor",
    "Normal",
    "Stein",
    "Stop",
    "Stopped",
    "balance",
    "divergence_volume",
    "effective_sample_size",
    "fisher_floor",
    "fisher_information",
    "fitted",
    "flow_variance",
    "gaussian_bias",
    "generator_means",
    "hessian",
    "holley_stroock",
    "imbalance",
    "isotropic",
    "jacobian_volume",
    "kl_at_most",
    "langevin_budget",
    "langevin_kl",
    "langevin_variance",
    "log_sobolev",
    "measured_constant",
    "noise_floor",
    "normal_kl",
    "outcome",
    "split_rhat",
    "step_bias",
    "stein_discrepancy",
    "step_size_for",
    "track_flow",
    "upward_crossing",
    "wasserstein2",
]
