"""Inverses, determinants and factorisations of matrices, which are the last two axes.

Half precision is computed in float32.  The rules of the factorisations divide by differences of
eigenvalues or singular values.  Where two are equal their vectors are not unique, and have no
gradient: it is NaN, unless the result does not depend on these vectors.

Sources: Giles 2008, "An extended collection of matrix derivative results" (inv, solve, det, eigh);
Murray 2016, eq. 8-10 (cholesky); Townsend 2016 (svd); Walter & Lehmann 2010 and Roberts & Roberts
2020 (qr); Higham 2005 and Mathias 1996 (expm).
"""

import math
from typing import Any

from ..node import op
from .elementwise import where
from .linear import _T
from .precision import like, wide
from .reduce import _ones
from .reduce import sum as add_up
from .shape import concatenate, tril, triu

SQUARE: tuple[dict[str, Any], ...] = ({},) * 3
SHAPES = (((3, 3),), ((2, 3, 3),), ((1, 1),))
TALL_AND_WIDE = (((3, 3),), ((2, 4, 3),), ((2, 3, 4),), ((3, 1),), ((1, 3),))


def _symmetric(x: Any) -> Any:
    return (x + _T(x)) / 2


def _column(x: Any) -> Any:
    """(...) as (..., 1, 1)."""
    return x[..., None, None]


def _reciprocal(x: Any, used: Any) -> Any:
    """1 / x; where x is 0 that is 0, or NaN where it is used."""
    safe = where(x == 0, 0, 1 / where(x == 0, 1, x))
    return where((x == 0) & (used > 0), float("nan"), safe)


def _reciprocals_of_differences(s: Any, used: Any) -> Any:
    """F_ij = 1 / (s_j - s_i), and 0 on the diagonal."""
    gap = s[..., None, :] - s[..., :, None]
    diagonal = tril(triu(_ones(gap)))
    return _reciprocal(gap, (used[..., None, :] + used[..., :, None]) * (1 - diagonal))


# --- equations ---


@op(samples=SQUARE, shapes=SHAPES, domain=(-1, 1), needs="square matrices (..., n, n)")
def inv(xp: Any, x: Any) -> Any:
    """The inverse of each matrix."""
    return like(x, xp.linalg.inv(wide(x)))[0]
inv.vjp(lambda g, z, x: -_T(z) @ g @ _T(z))


@op(samples=({},) * 4, domain=(-1, 1),
    shapes=(((3, 3), (3, 2)), ((2, 3, 3), (3, 1)), ((3, 3), (2, 3, 2)), ((2, 1, 3, 3), (4, 3, 1))),
    needs="(..., n, n) and (..., n, k)")  # fmt: skip
def solve(xp: Any, a: Any, b: Any) -> Any:
    """The matrix x with a @ x = b."""
    batch = _broadcast(a.shape[:-2], b.shape[:-2])
    spread = [xp.broadcast_to(wide(m), batch + m.shape[-2:]) for m in (a, b)]
    return like(a, xp.linalg.solve(*spread))[0]


def _broadcast(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that two broadcast to."""
    n = max(len(one), len(other))
    pairs = zip((1,) * (n - len(one)) + one, (1,) * (n - len(other)) + other, strict=True)
    return tuple(b if a == 1 else a for a, b in pairs)
solve.vjp(
    lambda g, z, a, b: -solve(_T(a), g) @ _T(z),
    lambda g, z, a, b: solve(_T(a), g),
)


# --- determinants ---


@op(samples=SQUARE, shapes=SHAPES, domain=(-1, 1), needs="square matrices (..., n, n)")
def det(xp: Any, x: Any) -> Any:
    """The determinant of each matrix."""
    return like(x, xp.linalg.det(wide(x)))[0]


@op(samples=({},) * 2, shapes=SHAPES[:2], domain=(-1, 1), needs="square matrices (..., n, n)")
def cofactor(xp: Any, x: Any) -> Any:
    """det(x) · inv(x)ᵀ, also of a singular matrix: the gradient of the determinant.

    With x = U S Vᵀ it is det(U) det(V) · U diag(Π of the other singular values) Vᵀ.
    """
    u, s, vh = xp.linalg.svd(wide(x), full_matrices=False)
    n = x.shape[-1]
    others = s[..., None, :] * (1 - xp.eye(n, dtype=s.dtype)) + xp.eye(n, dtype=s.dtype)
    sign = xp.linalg.det(u) * xp.linalg.det(vh)
    z = xp.matmul(u * xp.prod(others, axis=-1)[..., None, :], vh)
    return like(x, sign[..., None, None] * z)[0]
cofactor.vjp_of(lambda x: _column(det(x)) * _T(inv(x)))
det.vjp(lambda g, z, x: _column(g) * cofactor(x))


@op(outputs=("sign", "logabs"), samples=SQUARE, shapes=SHAPES, domain=(-1, 1),
    needs="square matrices (..., n, n)")  # fmt: skip
def slogdet(xp: Any, x: Any) -> Any:
    """Sign and log |·| of the determinant of each matrix: 0 and -inf where it is singular."""
    return like(x, *xp.linalg.slogdet(wide(x)))
slogdet.vjp_joint(lambda g, z, x: (_column(g[1]) * _T(inv(x)),))


# --- factorisations ---


@op(samples=SQUARE, shapes=SHAPES, domain=(-1, 1), needs="positive definite matrices (..., n, n)")
def cholesky(xp: Any, x: Any) -> Any:
    """The lower triangle L with L @ Lᵀ = x, of the symmetric part (x + xᵀ) / 2 of each matrix."""
    x_ = wide(x)
    return like(x, xp.linalg.cholesky((x_ + xp.swapaxes(x_, -1, -2)) / 2))[0]


def _cholesky_rule(g: Any, z: Any, x: Any) -> Any:
    p = _T(z) @ tril(g)
    p = (tril(p) + tril(p, k=-1)) / 2  # Φ: the lower triangle, with half its diagonal
    s = solve(_T(z), _T(solve(_T(z), _T(p))))  # L⁻ᵀ Φ(Lᵀ g) L⁻¹
    return _symmetric(s)
cholesky.vjp(_cholesky_rule)


@op(outputs=("values", "vectors"), samples=SQUARE, shapes=SHAPES, domain=(-1, 1),
    needs="square matrices (..., n, n)")  # fmt: skip
def eigh(xp: Any, x: Any) -> Any:
    """Eigenvalues, ascending, and eigenvectors, as columns, of the symmetric part (x + xᵀ) / 2."""
    x_ = wide(x)
    return like(x, *xp.linalg.eigh((x_ + xp.swapaxes(x_, -1, -2)) / 2))


def _eigh_rule(g: Any, z: Any, x: Any) -> Any:
    (gw, gv), (w, v) = g, z
    inner = _reciprocals_of_differences(w, add_up(gv * gv, axis=-2)) * (_T(v) @ gv)
    return (_symmetric((v @ inner + v * gw[..., None, :]) @ _T(v)),)
eigh.vjp_joint(_eigh_rule)


@op(outputs=("u", "s", "vh"), samples=({},) * 5, shapes=TALL_AND_WIDE, domain=(-1, 1),
    needs="matrices (..., m, n)")  # fmt: skip
def svd(xp: Any, x: Any) -> Any:
    """u (..., m, k), s (..., k), descending, and vh (..., k, n): u · s @ vh = x; k = min(m, n)."""
    return like(x, *xp.linalg.svd(wide(x), full_matrices=False))


def _svd_rule(g: Any, z: Any, x: Any) -> Any:
    (gu, gs, gvh), (u, s, vh) = g, z
    v, gv = _T(vh), _T(gvh)
    m, k, n = u.shape[-2], s.shape[-1], v.shape[-2]
    row, column = s[..., None, :], s[..., :, None]
    used = add_up(gu * gu, axis=-2) + add_up(gv * gv, axis=-2)
    f = _reciprocals_of_differences(s * s, used)
    p, q = _T(u) @ gu, _T(v) @ gv
    inner = f * (p - _T(p)) * row + column * (f * (q - _T(q)))
    gx = (u @ inner + u * gs[..., None, :]) @ vh
    over = _reciprocal(row, used[..., None, :])
    if m > k:  # what leaves the span of u
        gx = gx + ((gu - u @ p) * over) @ vh
    if n > k:
        gx = gx + (u * over) @ _T(gv - v @ q)
    return (gx,)
svd.vjp_joint(_svd_rule)


@op(outputs=("q", "r"), samples=({},) * 5, shapes=TALL_AND_WIDE, domain=(-1, 1),
    needs="matrices (..., m, n)")  # fmt: skip
def qr(xp: Any, x: Any) -> Any:
    """q (..., m, k), of orthonormal columns, and r (..., k, n), a triangle, with q @ r = x."""
    return like(x, *xp.linalg.qr(wide(x)))


def _qr_rule(g: Any, z: Any, x: Any) -> Any:
    (gq, gr), (q, r) = g, z
    m, n = x.shape[-2:]
    if m >= n:
        return (_qr_tall(gq, triu(gr), q, r),)
    left, right = (Ellipsis, slice(None, m)), (Ellipsis, slice(m, None))  # x = q @ [r, qᵀ right]
    beside = gr[right]
    gleft = _qr_tall(gq + x[right] @ _T(beside), triu(gr[left]), q, r[left])
    return (concatenate(gleft, q @ beside, axis=-1),)


def _qr_tall(gq: Any, gr: Any, q: Any, r: Any) -> Any:
    mix = r @ _T(gr) - _T(gq) @ q
    mix = tril(mix) + _T(tril(mix, k=-1))
    return _T(solve(r, _T(gq + q @ mix)))  # (gq + q · mix) r⁻ᵀ
qr.vjp_joint(_qr_rule)


# --- the exponential ---

PADE = [
    math.perm(13, k) / math.perm(26, k) / math.factorial(k) for k in range(14)
]
"""The coefficients of the approximant of order 13 / 13, first 1 (Higham 2005, eq. 2.1)."""

THETA = 5.371920351148152
"""Up to this norm it is exact to the last bit of float64 (Higham 2005, table 2.3)."""


SQUARINGS = 16
"""Enough for matrices of norm 350,000."""


@op(samples=SQUARE, shapes=SHAPES, domain=(-1, 1), needs="square matrices (..., n, n)")
def expm(xp: Any, x: Any) -> Any:
    """The matrix exponential Σ xᵏ / k! of each matrix, by scaling and squaring (Higham 2005).

    The number of squarings depends on the data, so all are made and those not needed are left
    out: a device need not tell how many.  Where a matrix would need more, the result is NaN.
    """
    a = wide(x)
    norm = xp.max(xp.sum(abs(a), axis=-2), axis=-1)
    times = xp.ceil(xp.log2(xp.maximum(norm / THETA, 1)))
    a = a / (2**times)[..., None, None]
    one = xp.eye(x.shape[-1], dtype=a.dtype)
    a2 = xp.matmul(a, a)
    a4 = xp.matmul(a2, a2)
    a6 = xp.matmul(a2, a4)
    odd, even = [
        xp.matmul(a6, PADE[12 + i] * a6 + PADE[10 + i] * a4 + PADE[8 + i] * a2)
        + PADE[6 + i] * a6 + PADE[4 + i] * a4 + PADE[2 + i] * a2 + PADE[i] * one
        for i in (1, 0)
    ]  # fmt: skip
    odd = xp.matmul(a, odd)
    z = xp.linalg.solve(even - odd, even + odd)
    times = times[..., None, None]
    for i in range(SQUARINGS):
        root = xp.where(times > i, z, one)  # so that what is left out cannot overflow
        z = xp.where(times > i, xp.matmul(root, root), z)
    return like(x, xp.where(times > SQUARINGS, xp.nan, z))[0]


def _expm_rule(g: Any, z: Any, x: Any) -> Any:
    """The derivative at xᵀ in direction g: exp [[xᵀ, g], [0, xᵀ]], its upper right (Mathias)."""
    n, t = x.shape[-1], _T(x)
    block = concatenate(concatenate(t, g, axis=-1), concatenate(0 * g, t, axis=-1), axis=-2)
    return expm(block)[..., :n, n:]
expm.vjp(_expm_rule)
