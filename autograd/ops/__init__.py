"""Every operation: what it computes, and how gradients flow back through it.

One entry here is the only place to touch to add an op (and, for a method, an alias in
`value.py` or `tensor.py`): recording, broadcasting, higher orders, pictures and tests follow
from the table.

    @elementwise(domain=(-2, 2))
    def tanh(xp, x):
        \"\"\"Hyperbolic tangent.\"\"\"
        return xp.tanh(x)
    tanh.vjp(lambda g, z, x: g * (1 - z * z))

Data is positional, metadata is keyword.  `xp` is a backend's namespace.  A rule receives the
gradient g of the result, the result z and the inputs, and is itself made of operations.
"""

# ruff: noqa: I001  (one name per line would bury what this file says)

from . import (
    attention, convolution, ctc, elementwise, fourier, index, linalg, linear, normalize,
    pooling, random, recurrent, reduce, shape,
)

__all__ = [
    "attention", "convolution", "ctc", "elementwise", "fourier", "index", "linalg", "linear",
    "normalize", "pooling", "random", "recurrent", "reduce", "shape",
]
