"""Elementwise nonlinearities by the name that a network's settings give them."""

from lem_safe.laplacian.elementwise import Elementwise, SiLU, Softplus, Tanh

ACTIVATIONS: dict[str, Elementwise] = {"silu": SiLU(), "softplus": Softplus(), "tanh": Tanh()}
"""Every activation a network can name."""
