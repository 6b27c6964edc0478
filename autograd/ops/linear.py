"""Products of matrices, and the loss that sits on top of them."""

import math
from operator import mul
from typing import Any

from ..node import op
from .index import one_hot
from .reduce import softmax
from .reduce import sum as add_up
from .shape import broadcast_to, reshape, transpose


def _T(x: Any) -> Any:
    """The last two axes exchanged."""
    if x.ndim == 2:
        return transpose(x)
    return transpose(x, axes=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _rows(x: Any) -> Any:
    """(..., n) as a matrix (rows, n)."""
    return x if x.ndim == 2 else reshape(x, shape=(math.prod(x.shape[:-1]), x.shape[-1]))


@op(
    samples=({},) * 6,
    shapes=(
        ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (5, 3, 4)), ((3,), (3, 4)),
        ((2, 3), (3,)), ((3,), (3,)),
    ),
    needs="(..., n, k) @ (..., k, m)",
)  # fmt: skip
def matmul(xp: Any, x: Any, y: Any) -> Any:
    """Matrix product over the last two axes; the others broadcast, and vectors are allowed."""
    if y.ndim == 2 < x.ndim:  # one product over all rows, instead of one per matrix
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        return xp.matmul(rows, y).reshape(*x.shape[:-1], y.shape[-1])
    return xp.matmul(x, y)


def _matmul_x(g: Any, z: Any, x: Any, y: Any) -> Any:
    if y.ndim == 1:
        return reshape(g, shape=(*g.shape, 1)) * y
    if x.ndim == 1:  # g (..., m), y (..., k, m)
        return reshape(matmul(y, reshape(g, shape=(*g.shape, 1))), shape=y.shape[:-1])
    return matmul(g, _T(y))


def _matmul_y(g: Any, z: Any, x: Any, y: Any) -> Any:
    if x.ndim == 1:
        if y.ndim == 1:
            return g * x
        return reshape(x, shape=(*x.shape, 1)) * reshape(g, shape=(*g.shape[:-1], 1, g.shape[-1]))
    if y.ndim == 1:  # g (..., n), x (..., n, k)
        return matmul(transpose(_rows(x)), reshape(g, shape=(math.prod(g.shape),)))
    if y.ndim == 2:  # one product over all rows, instead of one per matrix and a sum
        return matmul(transpose(_rows(x)), _rows(g))
    return matmul(_T(x), g)
matmul.vjp(_matmul_x, _matmul_y)


@op(samples=({},) * 2, shapes=(((2, 3), (3, 4), (4,)), ((5, 2, 3), (3, 4), (4,))),
    needs="(..., k) @ (k, m) + (m,)")  # fmt: skip
def affine(xp: Any, x: Any, w: Any, b: Any) -> Any:
    """x @ w + b for a matrix w: a dense layer, as one operation."""
    z = xp.matmul(x, w) if x.ndim == 2 else matmul.forward(xp, x, w)
    z += b
    return z
affine.vjp(
    lambda g, z, x, w, b: g @ w.T if g.ndim == 2 else matmul(g, w.T),
    lambda g, z, x, w, b: _rows(x).T @ _rows(g),
    lambda g, z, x, w, b: add_up(_rows(g), axis=0) if b.ndim == 1 else g,  # else sum_to does it
)


@op(samples=(), needs="a bias, n weights and n inputs")
def dot(xp: Any, *terms: Any) -> Any:
    """b + w₁ x₁ + … + wₙ xₙ of numbers, given as b, the n weights, then the n inputs.

    A neuron of `Value`s as one operation: it says the same as n products and n sums, in a graph
    a fifteenth the size.
    """
    n = len(terms) // 2
    return sum(map(mul, terms[1 : n + 1], terms[n + 1 :]), terms[0])


def _dot_rule(g: Any, z: Any, *terms: Any) -> tuple[Any, ...]:
    n = len(terms) // 2
    return (g, *[g * x for x in terms[n + 1 :]], *[g * w for w in terms[1 : n + 1]])
dot.vjp_joint(_dot_rule)


@op(samples=({"subscripts": "ij,jk->ik"}, {"subscripts": "bij,bj->b"}, {"subscripts": "ij,kl->il"}),
    shapes=(((2, 3), (3, 4)), ((2, 3, 4), (2, 4)), ((2, 3), (3, 4))))  # fmt: skip
def einsum(xp: Any, *xs: Any, subscripts: str) -> Any:
    """Einstein summation, with explicit output and no label twice in one operand."""
    return xp.einsum(subscripts, *xs, optimize=True)


def _einsum_rule(g: Any, z: Any, *xs: Any, subscripts: str) -> tuple[Any, ...]:
    operands, output = subscripts.split("->")
    labels = operands.split(",")
    gradients = []
    for i, x in enumerate(xs):
        others = [j for j in range(len(xs)) if j != i]
        known = set(output).union(*(labels[j] for j in others))
        kept = "".join(c for c in labels[i] if c in known)
        back = ",".join([output, *(labels[j] for j in others)]) + "->" + kept
        gx = einsum(g, *(xs[j] for j in others), subscripts=back)
        if kept != labels[i]:  # a label that only this operand has was summed over: repeat
            shape = tuple(n if c in known else 1 for c, n in zip(labels[i], x.shape, strict=True))
            gx = broadcast_to(reshape(gx, shape=shape), shape=x.shape)
        if any(m == 1 != n for m, n in zip(gx.shape, x.shape, strict=True)):
            # the others have size 1 there: they were broadcast against this operand
            sizes = zip(gx.shape, x.shape, strict=True)
            gx = broadcast_to(gx, shape=tuple(n if m == 1 else m for m, n in sizes))
        gradients.append(gx)
    return tuple(gradients)
einsum.vjp_joint(_einsum_rule)


@op(samples=({},), shapes=(((4, 3), [2, 0, 1, 2]),), needs="logits (..., classes), labels (...)")
def softmax_cross_entropy(xp: Any, x: Any, index: Any) -> Any:
    """-log softmax(x)[label] per sample, for logits x (..., classes) and integer labels (...)."""
    shifted = x - xp.max(x, axis=-1, keepdims=True)
    chosen = xp.take_along_axis(shifted, index[..., None], -1)[..., 0]
    return xp.log(xp.sum(xp.exp(shifted), axis=-1)) - chosen


@op(samples=({},), shapes=(((4,), (4, 3), [2, 0, 1, 2]),))
def softmax_cross_entropy_grad(xp: Any, g: Any, x: Any, index: Any) -> Any:
    """The gradient of softmax_cross_entropy: g (softmax(x) - one_hot(label)), in one buffer."""
    p = softmax.forward(xp, x, axis=-1)
    rows = p.reshape(-1, x.shape[-1])  # a view
    rows[xp.arange(len(rows)), index.reshape(-1)] -= 1
    p *= g[..., None]
    return p


softmax_cross_entropy_grad.vjp_of(
    lambda g, x, index: reshape(g, shape=(*g.shape, 1))
    * (softmax(x, axis=-1) - one_hot(index, classes=x.shape[-1], dtype=x.dtype))
)
softmax_cross_entropy.vjp(lambda g, z, x, index: softmax_cross_entropy_grad(g, x, index), None)
