"""The autograd engine you can see through.

    >>> from autograd import Tensor
    >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> loss = (x * x).sum()
    >>> loss.backward()
    >>> x.grad
    Tensor([2. 4. 6.])

`Value` is a number and `Tensor` an array that remembers how it was computed; every operation is
here as a function of either.  `grad`, `vjp`, `jvp`, `jacobian`, `hessian` and their kind turn
functions into their derivatives; `check.gradcheck` checks them and `view` draws them.
"""

# ruff: noqa: I001  (one name per line would bury what this file says)

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import errors, functions, random
from .create import (
    arange, asarray, eye, from_dlpack, from_numpy, full, linspace, ones, ones_like, zeros,
    zeros_like,
)  # fmt: skip
from .errors import AutogradError, DomainError, DTypeError, GraphError, RuleError, ShapeError
from .functions import (
    attention, attention_weights, cat, concatenate, diagonal, einsum, elu, embedding, expand_dims,
    flatten, flip, gather, gelu, hardtanh, leaky_relu, log_sigmoid, mish, one_hot, outer, pad,
    repeat, roll, rotary, scatter_add, selu, silu, softmax_cross_entropy, softsign, sort, split,
    squeeze, stack, swapaxes, take_along_axis, tile, to, topk, trace,
)  # fmt: skip
from .node import enable_grad, no_grad
from .ops.elementwise import (
    abs, acos, acosh, add, asin, asinh, atan, atan2, atanh, binary_cross_entropy_with_logits,
    ceil, clip, cos, cosh, div, equal, erf, exp, expm1, floor, greater, greater_equal, less,
    less_equal, log, log1p, logical_and, logical_not, logical_or, logical_xor, maximum, minimum,
    mod, mul, neg, not_equal, pow, power, relu, round, sigmoid, sign, sin, sinh, softplus, sqrt,
    sub, tan, tanh, where, xlogy,
)  # fmt: skip
from .ops.index import argsort
from .ops.linear import affine, matmul
from .ops.reduce import (
    all, any, argmax, argmin, cumprod, cumsum, log_softmax, logsumexp, max, mean, min, norm, prod,
    softmax, std, sum, var,
)  # fmt: skip
from .ops.shape import astype, broadcast_to, reshape, transpose, tril, triu
from .random import seed
from .recompute import checkpoint
from .tensor import Tensor
from .transforms import grad, gradients, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .value import Value
from .windows import avg_pool, conv, conv_transpose, max_pool

if TYPE_CHECKING:
    from .jit import jit

permute = transpose

__all__ = [
    # nodes
    "Tensor", "Value", "enable_grad", "no_grad",
    # creation
    "arange", "asarray", "eye", "from_dlpack", "from_numpy", "full", "linspace", "ones",
    "ones_like", "zeros", "zeros_like", "random", "seed",
    # derivatives
    "checkpoint", "grad", "gradients", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp",
    # one element at a time
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh",
    "binary_cross_entropy_with_logits", "ceil", "clip", "cos", "cosh", "div", "equal", "erf", "exp",
    "expm1", "floor", "greater", "greater_equal", "less", "less_equal", "log", "log1p",
    "logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "mod", "mul",
    "neg", "not_equal", "pow", "power", "relu", "round", "sigmoid", "sign", "sin", "sinh",
    "softplus", "sqrt", "sub", "tan", "tanh", "where", "xlogy",
    # along axes
    "all", "any", "argmax", "argmin", "argsort", "cumprod", "cumsum", "log_softmax", "logsumexp",
    "max", "mean", "min", "norm", "prod", "softmax", "sort", "std", "sum", "topk", "var",
    # shape
    "astype", "broadcast_to", "cat", "concatenate", "diagonal", "expand_dims", "flatten", "flip",
    "pad", "permute", "repeat", "reshape", "roll", "split", "squeeze", "stack", "swapaxes", "tile",
    "to", "transpose", "tril", "triu",
    # windows
    "avg_pool", "conv", "conv_transpose", "max_pool",
    # products and choices
    "affine", "attention", "attention_weights", "einsum", "embedding", "gather", "matmul",
    "one_hot", "outer", "rotary", "scatter_add", "softmax_cross_entropy", "take_along_axis",
    "trace",
    # activations
    "elu", "gelu", "hardtanh", "leaky_relu", "log_sigmoid", "mish", "selu", "silu", "softsign",
    # errors
    "AutogradError", "DTypeError", "DomainError", "GraphError", "RuleError", "ShapeError",
    # compilation
    "jit",
    # rooms, and what they are entered for
    "check", "errors", "fft", "functions", "linalg", "verdicts", "view",
    # seeing
    "draw", "draw_dot", "explore", "find_nan", "held", "source", "why_none", "why_zero",
]  # fmt: skip

_LATER = ("check", "expand", "fft", "jit", "linalg", "verdicts", "view")
"""Rooms that are entered when first used, so that importing the engine stays quick."""


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return import_module(f"{__name__}.{name}")
    if name in ("draw", "draw_dot", "explore", "source"):
        return getattr(import_module(f"{__name__}.view"), name)
    if name in ("find_nan", "held", "why_none", "why_zero"):
        return getattr(import_module(f"{__name__}.verdicts"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
