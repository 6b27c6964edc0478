"""Recurrent networks: a whole sequence as one operation, with a hand-fused gradient.

A sequence is (N, T, C): N samples, T steps, C features; a state is (N, H).  A step that `condition`
(N, T) marks False leaves a sample's state as it was.  With `reverse` time runs from the last step
to the first; results stay at their own steps.

Each op stands here twice.  Its *definition* is the paper's formula for one step, made of ops: it
gives gradients of higher order.  The op itself is fused, and tested to agree with it.  Inside,
all is feature-major, (features, N), so that each gate is a block of rows, contiguous in memory.
One column [x; 1; h] per step, times the weights [w; b; u], gives all gates in one product.
"""


from typing import Any

from ..node import op
from .elementwise import relu, sigmoid, tanh
from .linear import affine, matmul
from .unrolled import OuterProducts, blocks, columns_of, defined, gradient_of, times


def _squash(z: Any) -> None:
    """tanh(a / 2) becomes the logistic function σ(a) = ½ tanh(½ a) + ½, in place."""
    z *= 0.5
    z += 0.5

# --- long short-term memory ---


def _lstm_step(x: Any, w: Any, u: Any, b: Any, h: Any, c: Any) -> tuple[Any, Any]:
    z, size = affine(x, w, b) + matmul(h, u), h.shape[-1]  # (N, 4H)
    i, f, g, o = [z[:, k : k + size] for k in range(0, 4 * size, size)]
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


_lstm = defined(_lstm_step, states=2)


@op(
    outputs=("y", "h", "c"), keeps=("columns", "gates", "cells"),
    samples=({}, {"reverse": True}),
    shapes=(
        ((2, 3, 2), (2, 8), (2, 8), (8,), (2, 2), (2, 2)),
        ((2, 3, 2), (2, 4), (1, 4), (4,), (2, 1), (2, 1), (2, 3)),
    ),
    needs="x (N, T, C), w (C, 4H), u (H, 4H), b (4H,), h and c (N, H), condition (N, T)",
)  # fmt: skip
def lstm(
    xp: Any, x: Any, w: Any, u: Any, b: Any, h: Any, c: Any, *condition: Any, reverse: bool = False
) -> Any:
    """Long short-term memory over a sequence: every h, then the last h and c.

    [i, f, g, o] = x w + h u + b,  c ← σ(f) c + σ(i) tanh(g),  h ← σ(o) tanh(c)
    (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).
    """
    (n, count, _), size = x.shape, h.shape[-1]
    columns = columns_of(xp, x, h, reverse)  # (T + 1, C + 1 + H, N)
    weights = xp.concatenate([w.T, b[:, None], u.T], axis=1)  # (4H, C + 1 + H)
    for gate in (weights[: 2 * size], weights[3 * size :]):
        gate *= 0.5  # so that one tanh serves all gates
    gates = xp.empty((count, 4 * size, n), dtype=x.dtype)
    cells = xp.empty((count + 1, size, n), dtype=x.dtype)
    cells[0] = c.T
    y = xp.empty((n, count, size), dtype=x.dtype)
    for s, t in times(count, reverse):
        z, c, h = gates[s], cells[s + 1], columns[s + 1, -size:]  # (4H, N), (H, N), (H, N)
        xp.matmul(weights, columns[s], out=z)
        xp.tanh(z, out=z)
        _squash(z[: 2 * size])
        _squash(z[3 * size :])
        i, f, g, o = blocks(z, size)
        xp.multiply(f, cells[s], out=c)
        c += i * g
        xp.multiply(o, xp.tanh(c), out=h)
        if condition:
            c[...] = xp.where(condition[0][:, t], c, cells[s])
            h[...] = xp.where(condition[0][:, t], h, columns[s, -size:])
        y[:, t] = h.T
    return y, columns[count, -size:].T.copy(), cells[count].T.copy(), columns, gates, cells


@op(outputs=("gx", "gw", "gu", "gb", "gh0", "gc0"), samples=())
def lstm_grad(
    xp: Any, gy: Any, gh: Any, gc: Any, y: Any, hn: Any, cn: Any, columns: Any, gates: Any,
    cells: Any, x: Any, w: Any, u: Any, b: Any, h0: Any, c0: Any, *condition: Any,
    reverse: bool = False,
) -> Any:  # fmt: skip
    """The gradient of lstm for all its inputs, back through time (Werbos 1990)."""
    size = h0.shape[-1]
    weights = xp.concatenate([w, b[None], u])  # (C + 1 + H, 4H)
    total = OuterProducts(xp, columns, 4 * size)
    gx = xp.empty(x.shape, dtype=x.dtype)
    back = xp.empty(columns.shape[1:], dtype=x.dtype)  # (C + 1 + H, N)
    back[-size:], dc = gh.T, gc.T
    for s, t in reversed(times(x.shape[1], reverse)):
        dz, (i, f, g, o) = total.slot(s), blocks(gates[s], size)  # (4H, N), (H, N) each
        di, df, dg, do = blocks(dz, size)
        dh = back[-size:] + gy[:, t].T
        if condition:
            on = condition[0][:, t]  # (N,)
            past = xp.where(on, 0, dh), xp.where(on, 0, dc)
            dh, dc = xp.where(on, dh, 0), xp.where(on, dc, 0)
        tanh_c = xp.tanh(cells[s + 1])
        dc = dc + dh * o * (1 - tanh_c * tanh_c)
        xp.subtract(1, gates[s], out=dz)  # σ' = σ (1 - σ), tanh' = 1 - tanh²
        dz *= gates[s]
        di *= dc * g
        df *= dc * cells[s]
        xp.multiply(dc * i, 1 - g * g, out=dg)
        do *= dh * tanh_c
        dc = dc * f
        xp.matmul(weights, dz, out=back)
        if condition:
            back[-size:] += past[0]
            dc += past[1]
        gx[:, t] = back[: x.shape[-1]].T
        total.done(s)
    return gx, *total.split(x.shape[-1]), back[-size:].T.copy(), dc.T.copy()


lstm.means(_lstm)
lstm_grad.vjp_of(gradient_of(_lstm, results=3, keeps=3))
lstm.vjp_joint(
    lambda g, z, x, w, u, b, h, c, *condition, reverse: (
        *lstm_grad(*g, *z, x, w, u, b, h, c, *condition, reverse=reverse),
        *(None,) * len(condition),
    )
)  # fmt: skip

# --- gated recurrent unit ---


def _gru_step(x: Any, w: Any, u: Any, b: Any, h: Any) -> tuple[Any]:
    p, q, size = affine(x, w, b[0]), affine(h, u, b[1]), h.shape[-1]  # (N, 3H) each
    z = sigmoid(p[:, :size] + q[:, :size])
    r = sigmoid(p[:, size : 2 * size] + q[:, size : 2 * size])
    n = tanh(p[:, 2 * size :] + r * q[:, 2 * size :])
    return (z * h + (1 - z) * n,)


_gru = defined(_gru_step, states=1)


@op(
    outputs=("y", "h"), keeps=("columns", "gates"),
    samples=({}, {"reverse": True}),
    shapes=(
        ((2, 3, 2), (2, 6), (2, 6), (2, 6), (2, 2)),
        ((2, 4, 2), (2, 3), (1, 3), (2, 3), (2, 1), (2, 4)),
    ),
    needs="x (N, T, C), w (C, 3H), u (H, 3H), b (2, 3H), h (N, H), condition (N, T)",
)  # fmt: skip
def gru(
    xp: Any, x: Any, w: Any, u: Any, b: Any, h: Any, *condition: Any, reverse: bool = False
) -> Any:
    """Gated recurrent unit over a sequence: every h, then the last.

    p = x w + b₀,  q = h u + b₁,  z = σ(p_z + q_z),  r = σ(p_r + q_r),  n = tanh(p_n + r q_n),
    h ← z h + (1 - z) n  (Cho et al. 2014, with r behind the product, as in cuDNN).
    """
    (n, count, width), size = x.shape, h.shape[-1]
    columns = columns_of(xp, x, h, reverse)  # (T + 1, C + 1 + H, N)
    w, u = xp.concatenate([w, b[:1]]).T, xp.concatenate([b[1:], u]).T  # (3H, C + 1), (3H, 1 + H)
    gates = xp.empty((count, 4 * size, n), dtype=x.dtype)  # z, r, n and q_n
    q = xp.empty((3 * size, n), dtype=x.dtype)
    y = xp.empty((n, count, size), dtype=x.dtype)
    for s, t in times(count, reverse):
        p, h = gates[s, : 3 * size], columns[s + 1, -size:]  # (3H, N), (H, N)
        xp.matmul(w, columns[s, : width + 1], out=p)
        xp.matmul(u, columns[s, width:], out=q)
        both, last = p[: 2 * size], p[2 * size :]
        both += q[: 2 * size]
        both *= 0.5
        xp.tanh(both, out=both)
        _squash(both)
        gates[s, 3 * size :] = q[2 * size :]
        last += p[size : 2 * size] * q[2 * size :]
        xp.tanh(last, out=last)
        xp.subtract(columns[s, -size:], last, out=h)  # z h + (1 - z) n = n + z (h - n)
        h *= p[:size]
        h += last
        if condition:
            h[...] = xp.where(condition[0][:, t], h, columns[s, -size:])
        y[:, t] = h.T
    return y, columns[count, -size:].T.copy(), columns, gates


@op(outputs=("gx", "gw", "gu", "gb", "gh0"), samples=())
def gru_grad(
    xp: Any, gy: Any, gh: Any, y: Any, hn: Any, columns: Any, gates: Any, x: Any, w: Any, u: Any,
    b: Any, h0: Any, *condition: Any, reverse: bool = False,
) -> Any:  # fmt: skip
    """The gradient of gru for all its inputs, back through time."""
    size, width = h0.shape[-1], x.shape[-1]
    w, u = xp.concatenate([w, b[:1]]), xp.concatenate([b[1:], u])  # (C + 1, 3H), (1 + H, 3H)
    of_w = OuterProducts(xp, columns[:, : width + 1], 3 * size)
    of_u = OuterProducts(xp, columns[:, width:], 3 * size)
    gx = xp.empty(x.shape, dtype=x.dtype)
    dh = gh.T
    for s, t in reversed(times(x.shape[1], reverse)):
        dp, dq = of_w.slot(s), of_u.slot(s)  # (3H, N)
        (dz, dr, dn), (z, r, n, q) = blocks(dp, size), blocks(gates[s], size)
        dh = dh + gy[:, t].T
        if condition:
            on = condition[0][:, t]  # (N,)
            past, dh = xp.where(on, 0, dh), xp.where(on, dh, 0)
        xp.multiply(dh * (1 - z), 1 - n * n, out=dn)
        xp.multiply(dh * (columns[s, -size:] - n), z * (1 - z), out=dz)
        xp.multiply(dn * q, r * (1 - r), out=dr)
        dq[: 2 * size] = dp[: 2 * size]
        xp.multiply(dn, r, out=dq[2 * size :])
        dh = dh * z + xp.matmul(u, dq)[1:]
        if condition:
            dh += past
        gx[:, t] = xp.matmul(w, dp)[:width].T
        of_w.done(s)
        of_u.done(s)
    gw, gu = of_w.total.T, of_u.total.T
    return gx, gw[:width], gu[1:], xp.stack([gw[width], gu[0]]), dh.T.copy()


gru.means(_gru)
gru_grad.vjp_of(gradient_of(_gru, results=2, keeps=2))
gru.vjp_joint(
    lambda g, z, x, w, u, b, h, *condition, reverse: (
        *gru_grad(*g, *z, x, w, u, b, h, *condition, reverse=reverse),
        *(None,) * len(condition),
    )
)  # fmt: skip

# --- the simple network ---


def _rnn_step(x: Any, w: Any, u: Any, b: Any, h: Any, activation: str = "tanh") -> tuple[Any]:
    z = affine(x, w, b) + matmul(h, u)
    return (tanh(z) if activation == "tanh" else relu(z),)


_rnn = defined(_rnn_step, states=1)


@op(
    outputs=("y", "h"), keeps=("columns",),
    samples=({}, {"reverse": True, "activation": "relu"}),
    shapes=(
        ((2, 3, 2), (2, 2), (2, 2), (2,), (2, 2)),
        ((2, 3, 2), (2, 1), (1, 1), (1,), (2, 1), (2, 3)),
    ),
    needs="x (N, T, C), w (C, H), u (H, H), b (H,), h (N, H), condition (N, T)",
)  # fmt: skip
def rnn(
    xp: Any, x: Any, w: Any, u: Any, b: Any, h: Any, *condition: Any, reverse: bool = False,
    activation: str = "tanh",
) -> Any:  # fmt: skip
    """h ← tanh(x w + h u + b), or relu, over a sequence (Elman 1990): every h, then the last."""
    (n, count, _), size = x.shape, h.shape[-1]
    columns = columns_of(xp, x, h, reverse)  # (T + 1, C + 1 + H, N)
    weights = xp.concatenate([w, b[None], u]).T  # (H, C + 1 + H)
    y = xp.empty((n, count, size), dtype=x.dtype)
    for s, t in times(count, reverse):
        h = columns[s + 1, -size:]  # (H, N)
        xp.matmul(weights, columns[s], out=h)
        if activation == "tanh":
            xp.tanh(h, out=h)
        else:
            xp.maximum(h, 0, out=h)
        if condition:
            h[...] = xp.where(condition[0][:, t], h, columns[s, -size:])
        y[:, t] = h.T
    return y, columns[count, -size:].T.copy(), columns


@op(outputs=("gx", "gw", "gu", "gb", "gh0"), samples=())
def rnn_grad(
    xp: Any, gy: Any, gh: Any, y: Any, hn: Any, columns: Any, x: Any, w: Any, u: Any, b: Any,
    h0: Any, *condition: Any, reverse: bool = False, activation: str = "tanh",
) -> Any:  # fmt: skip
    """The gradient of rnn for all its inputs, back through time."""
    size = h0.shape[-1]
    weights = xp.concatenate([w, b[None], u])  # (C + 1 + H, H)
    total = OuterProducts(xp, columns, size)
    gx = xp.empty(x.shape, dtype=x.dtype)
    dh = gh.T
    for s, t in reversed(times(x.shape[1], reverse)):
        dz, h = total.slot(s), columns[s + 1, -size:]  # (H, N)
        dh = dh + gy[:, t].T
        xp.multiply(dh, 1 - h * h if activation == "tanh" else h > 0, out=dz)
        if condition:
            dz *= condition[0][:, t]
        back = xp.matmul(weights, dz)  # (C + 1 + H, N)
        if condition:
            back[-size:] += xp.where(condition[0][:, t], 0, dh)
        dh = back[-size:]
        gx[:, t] = back[: x.shape[-1]].T
        total.done(s)
    return gx, *total.split(x.shape[-1]), dh.T.copy()


rnn.means(_rnn)
rnn_grad.vjp_of(gradient_of(_rnn, results=2, keeps=1))
rnn.vjp_joint(
    lambda g, z, x, w, u, b, h, *condition, reverse, activation: (
        *rnn_grad(*g, *z, x, w, u, b, h, *condition, reverse=reverse, activation=activation),
        *(None,) * len(condition),
    )
)  # fmt: skip
