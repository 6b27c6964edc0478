"""Recurrent networks: x (N, T, C), a state (N, H); time runs on, and back in the gradient.

A step that `condition` (N, T) marks False leaves a sample's state as it was.
"""

import numpy as np

from .activations import sigmoid


def times(x, reverse):
    """The steps of a sequence in order."""
    return range(x.shape[1])[::-1] if reverse else range(x.shape[1])


def before(states, first, t, reverse):
    """The state that step t began with."""
    t = t + 1 if reverse else t - 1
    return states[:, t] if 0 <= t < states.shape[1] else first


def where_on(condition, t, new, old):
    """What is new, where the condition holds at time t."""
    return new if condition is None else np.where(condition[:, t, None], new, old)


def lstm(x, w, u, b, h, c, condition=None, reverse=False):
    """Long short-term memory: every h, the last h and c, and every step's gates and cells.

    [i, f, g, o] = x w + h u + b,  c ← σ(f) c + σ(i) tanh(g),  h ← σ(o) tanh(c)
    """
    y, cells = [np.zeros((*x.shape[:2], h.shape[1]), x.dtype) for _ in range(2)]
    gates = np.zeros((*x.shape[:2], w.shape[1]), x.dtype)
    for t in times(x, reverse):
        i, f, g, o = np.split(x[:, t] @ w + h @ u + b, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        new = f * c + i * g
        h = where_on(condition, t, o * np.tanh(new), h)
        c = where_on(condition, t, new, c)
        y[:, t], cells[:, t], gates[:, t] = h, c, np.hstack([i, f, g, o])
    return y, h, c, gates, cells


def lstm_grad(gy, gh, gc, y, gates, cells, x, w, u, b, h0, c0, condition=None, reverse=False):
    """The gradients of `lstm`, back through time."""
    gx, gw, gu, gb = [np.zeros_like(v) for v in (x, w, u, b)]
    for t in times(x, not reverse):
        i, f, g, o = np.split(gates[:, t], 4, axis=1)
        h, c = before(y, h0, t, reverse), before(cells, c0, t, reverse)
        tanh = np.tanh(cells[:, t])
        dh = gh + gy[:, t]
        dc = gc + dh * o * (1 - tanh**2)
        di, df, dg, do = dc * g, dc * c, dc * i, dh * tanh
        dz = np.hstack([di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)])
        dz = where_on(condition, t, dz, 0)
        gw, gu, gb = gw + x[:, t].T @ dz, gu + h.T @ dz, gb + dz.sum(axis=0)
        gx[:, t] = dz @ w.T
        gh, gc = where_on(condition, t, dz @ u.T, dh), where_on(condition, t, dc * f, gc)
    gh0, gc0 = gh, gc
    return gx, gw, gu, gb, gh0, gc0


def gru(x, w, u, b, h, condition=None, reverse=False):
    """Gated recurrent unit: every h, the last, and every step's gates.

    z = σ(x w_z + h u_z),  r = σ(x w_r + h u_r),  n = tanh(x w_n + r (h u_n)),  h ← z h + (1 - z) n
    """
    y = np.zeros((*x.shape[:2], h.shape[1]), x.dtype)
    gates = np.zeros((*x.shape[:2], 4 * h.shape[1]), x.dtype)
    for t in times(x, reverse):
        pz, pr, pn = np.split(x[:, t] @ w + b[0], 3, axis=1)
        qz, qr, qn = np.split(h @ u + b[1], 3, axis=1)
        z, r = sigmoid(pz + qz), sigmoid(pr + qr)
        n = np.tanh(pn + r * qn)
        h = where_on(condition, t, z * h + (1 - z) * n, h)
        y[:, t], gates[:, t] = h, np.hstack([z, r, n, qn])
    return y, h, gates


def gru_grad(gy, gh, y, gates, x, w, u, b, h0, condition=None, reverse=False):
    """The gradients of `gru`, back through time."""
    gx, gw, gu, gb = [np.zeros_like(v) for v in (x, w, u, b)]
    for t in times(x, not reverse):
        z, r, n, qn = np.split(gates[:, t], 4, axis=1)
        h = before(y, h0, t, reverse)
        dh = gh + gy[:, t]
        dn = where_on(condition, t, dh * (1 - z) * (1 - n**2), 0)
        dr = dn * qn * r * (1 - r)
        dz = where_on(condition, t, dh * (h - n) * z * (1 - z), 0)
        dp, dq = np.hstack([dz, dr, dn]), np.hstack([dz, dr, dn * r])
        gw, gu = gw + x[:, t].T @ dp, gu + h.T @ dq
        gb = gb + np.stack([dp.sum(axis=0), dq.sum(axis=0)])
        gx[:, t] = dp @ w.T
        gh = where_on(condition, t, dh * z + dq @ u.T, dh)
    gh0 = gh
    return gx, gw, gu, gb, gh0


def rnn(x, w, u, b, h, condition=None, reverse=False, activation="tanh"):
    """h ← tanh(x w + h u + b), or max(·, 0): every h, then the last."""
    y = np.zeros((*x.shape[:2], h.shape[1]), x.dtype)
    for t in times(x, reverse):
        z = x[:, t] @ w + h @ u + b
        new = np.tanh(z) if activation == "tanh" else np.maximum(z, 0)
        y[:, t] = h = where_on(condition, t, new, h)
    return y, h


def rnn_grad(gy, gh, y, x, w, u, b, h0, condition=None, reverse=False, activation="tanh"):
    """The gradients of `rnn`, back through time."""
    gx, gw, gu, gb = [np.zeros_like(v) for v in (x, w, u, b)]
    for t in times(x, not reverse):
        dh = gh + gy[:, t]
        slope = 1 - y[:, t] ** 2 if activation == "tanh" else y[:, t] > 0
        dz = where_on(condition, t, dh * slope, 0)
        h = before(y, h0, t, reverse)
        gw, gu, gb = gw + x[:, t].T @ dz, gu + h.T @ dz, gb + dz.sum(axis=0)
        gx[:, t] = dz @ w.T
        gh = where_on(condition, t, dz @ u.T, dh)
    gh0 = gh
    return gx, gw, gu, gb, gh0
