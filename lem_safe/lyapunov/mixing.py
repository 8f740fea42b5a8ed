"""Whether chains have forgotten where they started: split R̂ and the effective sample size, over `m` chains
of `t` draws.

    W = mean variance within half chains,   B/t = variance of their means,   R̂ = √((W(t−1)/t + B/t) / W),
    ESS = mt / (1 + 2Σρ_k),   ρ_k = 1 − (W − mean autocovariance_k)/V⁺,

the sum truncated where the sum of a pair of neighbours is no longer positive, and those sums made
non-increasing (Geyer). Every particle of a run is a chain; the draws are its states at the recorded steps.
Diagnostics, never certificates.
"""

import numpy as np
from jaxtyping import Float


def split_rhat(draws: Float[np.ndarray, "m t"]) -> float:
    """Split R̂ of one quantity; NaN for fewer than 4 draws or zero variance. Near 1 when chains agree; below
    1.01 is the usual advice.
    """
    halves = _halves(draws)
    m, t = halves.shape
    if t < 2 or m < 2:
        return float("nan")
    W, B = halves.var(axis=1, ddof=1).mean(), halves.mean(axis=1).var(ddof=1)
    return float(np.sqrt(((t - 1) / t * W + B) / W)) if W > 0 else float("nan")


def effective_sample_size(draws: Float[np.ndarray, "m t"]) -> float:
    """The number of independent draws with the same precision as the mean of these m × t; NaN for fewer than
    4 draws or zero variance.
    """
    halves = _halves(draws)
    m, t = halves.shape
    if t < 2:
        return float("nan")
    γ = autocovariance(halves)
    W = γ[:, 0].mean() * t / (t - 1)
    V = W * (t - 1) / t + (halves.mean(axis=1).var(ddof=1) if m > 1 else 0.0)
    if not W > 0:
        return float("nan")
    ρ = 1 - (W - γ.mean(axis=0) * t / (t - 1)) / V
    ρ[0] = 1.0
    pairs = ρ[: t // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs < 0)
    kept = np.minimum.accumulate(pairs[: negative[0]] if negative.size else pairs)
    τ = max(
        -1 + 2 * kept.sum(), 1 / np.log10(max(m * t, 10))
    )  # an antithetic chain is worth at most log₁₀ times its length
    return float(m * t / τ)


def autocovariance(chains: Float[np.ndarray, "m t"]) -> Float[np.ndarray, "m t"]:
    """Each chain's autocovariance at every lag, divided by t, by the fast Fourier transform."""
    t = chains.shape[1]
    size = 1 << (2 * t - 1).bit_length()
    spectrum = np.fft.rfft(chains - chains.mean(axis=1, keepdims=True), n=size, axis=1)
    return np.fft.irfft(np.abs(spectrum) ** 2, n=size, axis=1)[:, :t] / t


def _halves(draws: Float[np.ndarray, "m t"]) -> Float[np.ndarray, "k h"]:
    """First and second half of every chain, as chains; an odd draw in the middle is left out."""
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, draws.shape[1] - half :]]).astype(float)
