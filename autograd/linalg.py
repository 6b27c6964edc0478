"""Linear algebra: inverses, determinants, factorisations and the exponential of matrices.

    >>> from autograd import Tensor, linalg
    >>> a = Tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
    >>> linalg.slogdet(a)[1].backward()  # its gradient is the inverse, transposed
    >>> a.grad
    Tensor([[ 0.6 -0.2]
            [-0.2  0.4]])

A matrix is the last two axes of a tensor; axes before these are a batch.  Names, orders of results
and shapes are those of `numpy.linalg`, and all have gradients of any order.  `cholesky`, `eigh`
and `eigvalsh` work on the symmetric part (x + xᵀ) / 2 of what they are given, which is x itself
where x is symmetric: so their gradients are symmetric.

Where there is no gradient:

- `inv`, `solve` and the gradient of `slogdet` need matrices that are not singular, and that of `qr`
  needs independent columns; else there is a `DomainError`, which names the matrix.  `det` has its
  gradient everywhere.
- Eigenvectors and singular vectors are determined up to their sign only, and where two values are
  equal not even so: a gradient that flows through such vectors is NaN, one that flows through the
  values alone is right.  Where values are nearly equal, gradients of their vectors are large.
"""

from __future__ import annotations

from typing import Any

from .errors import ShapeError
from .explain import refuse
from .ops import linalg as l
from .ops.linalg import cholesky, det, eigh, expm, inv, qr, slogdet, svd
from .tensor import Tensor

__all__ = [
    "cholesky", "det", "eigh", "eigvalsh", "expm", "inv", "qr", "slogdet", "solve", "svd",
    "svdvals",
]  # fmt: skip


def solve(a: Any, b: Any) -> Any:
    """The x with a @ x = b, for a (..., n, n) and b (n,) or (..., n, k).

    It is faster and more exact than inv(a) @ b.
    """
    if getattr(b, "ndim", None) is None:
        b = Tensor(b)
    if b.ndim == 0:
        mend = "The right side is a vector (n,) or a matrix (..., n, k)."
        raise refuse(ShapeError, "solve: b is one number", mend, a, b)
    return l.solve(a, b[:, None])[..., 0] if b.ndim == 1 else l.solve(a, b)


def eigvalsh(x: Any) -> Any:
    """The eigenvalues (..., n), ascending, of the symmetric part of each matrix."""
    return eigh(x)[0]


def svdvals(x: Any) -> Any:
    """The singular values (..., min(m, n)), descending, of each matrix."""
    return svd(x)[1]
