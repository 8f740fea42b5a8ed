"""The operators that a graph may call: ATen's own, by name, from a list in this file.

All are functions of their arguments alone: none reads or writes a file, runs code, draws random numbers, or
changes an argument. A name from a file is only ever looked up in this list.
"""

from collections.abc import Callable, Mapping
from typing import Any

from barriers.arrays import torch

ELEMENTWISE = """
abs.default acos.default asin.default atan.default atan2.default celu.default clamp.default clamp.Tensor
clamp_max.default clamp_min.default cos.default cosh.default elu.default erf.default exp.default expm1.default
gelu.default hardswish.default hardtanh.default leaky_relu.default log.default log1p.default log2.default
log_sigmoid.default logaddexp.default maximum.default minimum.default mish.default neg.default
reciprocal.default relu.default relu6.default rsqrt.default selu.default sigmoid.default sign.default
silu.default sin.default sinh.default softplus.default sqrt.default square.default tan.default tanh.default
add.Tensor add.Scalar sub.Tensor sub.Scalar rsub.Tensor rsub.Scalar mul.Tensor mul.Scalar div.Tensor
div.Scalar pow.Tensor_Scalar pow.Tensor_Tensor pow.Scalar where.self where.ScalarOther where.ScalarSelf
eq.Tensor eq.Scalar ne.Tensor ne.Scalar lt.Tensor lt.Scalar le.Tensor le.Scalar gt.Tensor gt.Scalar ge.Tensor
ge.Scalar logical_and.default logical_or.default logical_not.default
"""
REDUCTIONS = """
sum.default sum.dim_IntList mean.default mean.dim amax.default amin.default logsumexp.default prod.dim_int
norm.ScalarOpt_dim linalg_vector_norm.default var.dim var.correction cumsum.default softmax.int
log_softmax.int _softmax.default _log_softmax.default
"""
PRODUCTS = """
linear.default addmm.default mm.default bmm.default baddbmm.default matmul.default mv.default dot.default
einsum.default conv1d.default conv2d.default convolution.default avg_pool1d.default avg_pool2d.default
layer_norm.default group_norm.default batch_norm.default
"""
SHAPES = """
view.default reshape.default permute.default transpose.int t.default numpy_T.default
unsqueeze.default squeeze.default squeeze.dim squeeze.dims expand.default cat.default stack.default
slice.Tensor select.int flatten.using_ints unflatten.int split.Tensor chunk.default unbind.int movedim.int
movedim.intlist contiguous.default clone.default alias.default flip.default repeat.default narrow.default
diagonal.default index_select.default tril.default triu.default lift_fresh_copy.default detach.default
zeros_like.default ones_like.default full_like.default dropout.default
"""
FACTORIES = frozenset(
    ["eye.default", "zeros.default", "ones.default", "full.default", "arange.default", "arange.start"]
)
"""What makes a tensor of nothing, on the device of the rows."""
ALLOWED = frozenset(f"{ELEMENTWISE} {REDUCTIONS} {PRODUCTS} {SHAPES}".split()) | FACTORIES

CASTS = frozenset(["to.dtype", "to.dtype_layout", "to.device", "_to_copy.default", "type_as.default"])
"""Changes of dtype or device; a floating tensor keeps those of the rows."""
IGNORED = frozenset(["_assert_tensor_metadata.default"])
"""Checks of what was traced, which compute nothing."""
SAME = {"detach_.default": "detach.default", "_unsafe_view.default": "reshape.default"}
"""What is run by another name, which returns the same tensor. torch writes the first for constants made in
`forward`.
"""
NORMALISED = "_native_batch_norm_legit_no_training.default"
"""What decomposition makes of batch normalisation. It does not check the sizes of its arguments and reads
beyond them, so `batch_norm`, which does, is run in its place.
"""
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "dropout.default": {"train": False},
    "batch_norm.default": {"training": False},
}
"""Arguments that must have this value: others draw random numbers, or treat a batch as a whole."""
INTEGERS: Mapping[str, Callable[[int, int], int]] = {
    "_operator.add": lambda a, b: a + b,
    "_operator.sub": lambda a, b: a - b,
    "_operator.mul": lambda a, b: a * b,
}
"""Arithmetic of sizes."""
SIZE = "sym_size.int"
PREFIX = "torch.ops.aten."


def short(target: str) -> str:
    """The name of an operator in the list; a ValueError for one that is not, with the remedy."""
    name = target.removeprefix(PREFIX)
    if target in INTEGERS:
        return target
    known = ALLOWED | CASTS | IGNORED | SAME.keys() | {SIZE, NORMALISED}
    if target.startswith(PREFIX) and name in known:
        return name
    shown, way = target[:100], "write the module with others"
    if target.startswith(PREFIX) and name.split(".")[0].endswith("_") and not name.startswith("_"):
        way = "it works in place: save exported.run_decompositions({}) instead, which removes that"
    elif target.startswith(PREFIX):
        way = "try torch.export.save(exported.run_decompositions(), path), or write the module with others"
    raise ValueError(f"uses the operator {shown}, which is not in the list of those that are run; {way}")


def function_of(name: str) -> Callable[..., Any]:
    """ATen's function of a name in ALLOWED."""
    assert name in ALLOWED  # whatever a file says
    packet, overload = name.split(".")
    found = getattr(getattr(torch.ops.aten, packet, None), overload, None)
    if found is None:
        raise ValueError(f"uses the operator {PREFIX}{name}, which torch {torch.__version__} does not have")
    return found
