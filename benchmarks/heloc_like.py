"""A synthetic table with the columns of HELOC, whose own rows may not be given away, and a label.

The distributions are made up, with the codes −8 and −7 in the places of numbers that credit files have. The
published rules about HELOC hold in most of its rows, as they do in HELOC's own.
"""

import numpy as np
from jaxtyping import Float

NAMES = """
ExternalRiskEstimate MSinceOldestTradeOpen MSinceMostRecentTradeOpen AverageMInFile NumSatisfactoryTrades
NumTrades60Ever2DerogPubRec NumTrades90Ever2DerogPubRec PercentTradesNeverDelq MSinceMostRecentDelq
MaxDelq2PublicRecLast12M MaxDelqEver NumTotalTrades NumTradesOpeninLast12M PercentInstallTrades
MSinceMostRecentInqexcl7days NumInqLast6M NumInqLast6Mexcl7days NetFractionRevolvingBurden
NetFractionInstallBurden NumRevolvingTradesWBalance NumInstallTradesWBalance
NumBank2NatlTradesWHighUtilization PercentTradesWBalance RiskPerformance
"""
Column = Float[np.ndarray, "n"]


def heloc_like(n: int, seed: int = 0) -> list[list[str]]:
    """A header, and n rows as text."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    made = {**_trades(rng, z), **_delinquencies(rng, z), **_inquiries(rng, z)}
    burden, recent = made["NetFractionRevolvingBurden"], made["MSinceMostRecentTradeOpen"]
    made["ExternalRiskEstimate"] = _whole(72 + 9 * z + 3 * rng.normal(size=n), 33, 94)
    made["PercentTradesWBalance"] = _whole(55 + 0.3 * burden + 15 * rng.normal(size=n), 0, 100)
    odds = 1.4 * z - 0.02 * (burden - 35) + 0.01 * recent
    made["RiskPerformance"] = (rng.random(n) < 1 / (1 + np.exp(odds))).astype(float)
    names = NAMES.split()
    return [names, *([f"{v:.0f}" for v in row] for row in np.stack([made[name] for name in names], 1))]


def _whole(x: Column, low: float, high: float) -> Column:
    return np.clip(np.rint(x), low, high)


def _trades(rng: np.random.Generator, z: Column) -> dict[str, Column]:
    n = len(z)
    total = _whole(np.exp(3.0 + 0.35 * z + 0.5 * rng.normal(size=n)), 1, 104)
    oldest = _whole(np.exp(5.2 + 0.2 * z + 0.5 * rng.normal(size=n)), 4, 800)
    late = 3 * (rng.random(n) < 0.02)  # a few rows that break the rule about the two
    shares = {
        "NumSatisfactoryTrades": 0.92,
        "NumTradesOpeninLast12M": 0.12,
        "NumRevolvingTradesWBalance": 0.25,
        "NumInstallTradesWBalance": 0.1,
        "NumBank2NatlTradesWHighUtilization": 0.06,
    }
    install = _whole(68 + 22 * rng.normal(size=n), 0, 200)
    return {
        "NumTotalTrades": total,
        "MSinceOldestTradeOpen": oldest,
        "MSinceMostRecentTradeOpen": _whole(np.minimum(oldest + late, rng.gamma(0.8, 12.0, n)), 0, 380),
        "AverageMInFile": _whole(oldest * (0.25 + 0.35 * rng.random(n)), 4, 380),
        "PercentInstallTrades": _whole(33 + 14 * rng.normal(size=n), 0, 100),
        "NetFractionRevolvingBurden": _whole(35 - 18 * z + 15 * rng.normal(size=n), 0, 232),
        "NetFractionInstallBurden": np.where(rng.random(n) < 0.3, -8.0, install),
        **{name: rng.binomial(total.astype(int), share).astype(float) for name, share in shares.items()},
    }


def _delinquencies(rng: np.random.Generator, z: Column) -> dict[str, Column]:
    n = len(z)
    bad = _whole(rng.poisson(np.exp(-0.6 - 0.9 * z)), 0, 19)
    worse = rng.binomial(bad.astype(int), 0.6)
    never = _whole(100 - 7 * bad - rng.exponential(3.0, n), 0, 100)
    last = _whole(6 - bad + rng.normal(size=n), 0, 9)
    return {
        "NumTrades60Ever2DerogPubRec": bad,
        "NumTrades90Ever2DerogPubRec": np.minimum(bad + (rng.random(n) < 0.02), worse),
        "PercentTradesNeverDelq": never,
        "MSinceMostRecentDelq": np.where(never >= 99, -7.0, _whole(rng.gamma(1.2, 15.0, n), 0, 83)),
        "MaxDelq2PublicRecLast12M": last,
        "MaxDelqEver": _whole(np.minimum(last + rng.integers(0, 3, n), 8 - bad / 3), 2, 8),
    }


def _inquiries(rng: np.random.Generator, z: Column) -> dict[str, Column]:
    n = len(z)
    many = _whole(rng.poisson(np.exp(0.3 - 0.3 * z)), 0, 60)
    return {
        "NumInqLast6M": many,
        "NumInqLast6Mexcl7days": rng.binomial(many.astype(int), 0.95).astype(float),
        "MSinceMostRecentInqexcl7days": np.where(many == 0, -7.0, _whole(rng.exponential(3.0, n), 0, 24)),
    }
