"""Exponents, shares and the picture of growth."""

from pathlib import Path

import pytest

from benchmarks import growth
from benchmarks.growth_page import curve, draw, exponent, section


def rows() -> list[dict[str, object]]:
    """Times that grow with the power .5 of n, and linearly for the QP and the Laplacian."""
    found: list[dict[str, object]] = [
        {"part": axis, "filter": kind, "size": size, "ms": 2.0 * size**0.5}
        for axis in growth.AXES
        for kind in growth.KINDS
        for size in (10, 100, 1000, 10_000)
    ]
    for size in (2_000, 20_000, 200_000, 2_000_000):
        times = {"constraints first": 2e-5 * size, "particles first": 4e-5 * size, "products": 1e-5 * size}
        found.append({"part": "qp", "m": 3, "size": size, **times})
        found.append({"part": "laplacian", "d": 2, "size": size, "laplacian": size, "products": size / 2})
    shares = {"products": 0.5, "activations": 0.1, "noise": 0.1, "others": 0.2, "python": 0.1}
    for n, kind in growth.PROFILED:
        found.append({"part": "profile", "size": n, "filter": kind, **shares})
    return found


def test_the_exponent_is_that_of_the_largest_sizes() -> None:
    assert exponent(*curve(rows(), "ms", part="n", filter="gate")) == pytest.approx(0.5)
    assert exponent([1, 10, 100, 1000], [5, 5, 50, 500]) == pytest.approx(1)


def test_the_section_has_exponents_and_ratios() -> None:
    text = "\n".join(section(rows()))
    assert text.count("(0.50)") == len(growth.AXES) * len(growth.KINDS)
    assert "| 3 | 4.0 | 40.0 | 1.00 | 20.0 | 2.00 | 4.00 |" in text
    assert "| 65,536, drift | 50 % | 10 % | 10 % | 20 % | 10 % |" in text


def test_shares_are_of_all_the_time() -> None:
    shares = growth.shared({"aten::mm": 30.0, "aten::addmm": 10.0, "step": 20.0, "aten::copy_": 40.0})
    assert shares == {"products": 0.4, "activations": 0, "noise": 0, "python": 0.2, "others": 0.4}


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    draw(rows(), tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes()[:4] == b"\x89PNG"


def test_a_small_size_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "AXES", {"m": (3,), "R": (2,)})
    monkeypatch.setattr(growth, "PARTICLES", {"m": 64, "R": 64})
    monkeypatch.setattr(growth, "KINDS", ("none", "gate"))
    monkeypatch.setattr(growth, "WARM", 2)
    monkeypatch.setattr(growth, "ROUNDS", 1)
    found = [r for axis in ("m", "R") for r in growth.measure(axis)]
    assert [r["filter"] for r in found] == [*growth.KINDS] * 2
    assert all(r["ms"] > 0 for r in found)
