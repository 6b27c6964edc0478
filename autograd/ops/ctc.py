"""The recursion of connectionist temporal classification (Graves et al. 2006)."""

from typing import Any

from ..node import op
from .elementwise import exp, where
from .precision import is_half, wide
from .reduce import sum as add_up
from .shape import astype, concatenate, pad, reshape

NEVER = -1e30
"""log 0 as a number that can be subtracted from itself; its double is one still."""


@op(samples=({}, {}), shapes=(((2, 4, 5), (2, 5)), ((1, 3, 1), (1, 1))),
    needs="log-probabilities of the states (N, T, S), and of passing over one (N, S)")  # fmt: skip
def ctc_alphas(xp: Any, e: Any, skips: Any) -> Any:
    """(N, T, S): log of the probability of all paths that are in a state at a time (eq. 5-7).

    A path begins in one of the first two states.  At each time it stays, moves to the next state
    or, where `skips` is 0 and not `NEVER`, to the one after that.  e[n, t, s] is the
    log-probability of what state s says at time t.
    """
    dtype = e.dtype
    e, skips = xp.maximum(wide(e), NEVER), wide(skips)
    n, t, s = e.shape
    a = xp.full((n, t, s + 2), NEVER, dtype=e.dtype)  # two states more, in which no path is
    a[:, 0, 2:4] = e[:, 0, :2]
    for i in range(1, t):
        before = a[:, i - 1]  # (N, S + 2)
        stay, move, skip = before[:, 2:], before[:, 1:-1], before[:, :-2] + skips
        top = xp.maximum(xp.maximum(stay, move), skip)
        ways = xp.exp(stay - top) + xp.exp(move - top) + xp.exp(skip - top)
        a[:, i, 2:] = top + xp.log(ways) + e[:, i]
    a = a[:, :, 2:]
    return xp.where(a > NEVER / 2, a, _never(dtype)).astype(dtype)


def _never(dtype: Any) -> float:
    """What stands for log 0 in a result."""
    return -6e4 if dtype.name == "float16" else NEVER


def _ctc_alphas_rule(g: Any, z: Any, e: Any, skips: Any) -> tuple[Any, Any]:
    """Back in time: a state passes on to those before it what it has, by their shares in it."""
    n, t, s = e.shape
    reachable = z > _never(e.dtype) / 2
    if is_half(e):
        g, z, e, skips = [astype(x, dtype="float32") for x in (g, z, e, skips)]
    g, z = where(reachable, g, 0), where(reachable, z, NEVER)
    sums, before = z[:, 1:] - e[:, 1:], z[:, :-1]  # (N, T - 1, S): log Σ over ways; one of them
    k = 2 if s > 1 else 1
    stay = exp(before - sums)
    move = exp(before[..., :-1] - sums[..., 1:])  # (N, T - 1, S - 1): the share of s in s + 1
    skip = exp(before[..., :-k] + reshape(skips, shape=(n, 1, s))[..., k:] - sums[..., k:])
    next_move, next_skip = _widened(move, 0, 1), _widened(skip, 0, k)  # (N, T - 1, S)
    beyond = g[:, 0, :k] * 0  # (N, k): no state is there
    reach = g[:, t - 1]  # (N, S)
    reached = [reshape(reach, shape=(n, 1, s))]
    for i in range(t - 2, -1, -1):
        padded = concatenate(reach, beyond, axis=1)  # (N, S + k)
        reach = g[:, i] + stay[:, i] * reach + next_move[:, i] * padded[:, 1 : s + 1]
        reach = reach + next_skip[:, i] * padded[:, k:]
        reached.append(reshape(reach, shape=(n, 1, s)))
    reached.reverse()
    back = concatenate(*reached, axis=1)  # (N, T, S)
    return back, add_up(_widened(skip, k, 0) * back[:, 1:], axis=1)
ctc_alphas.vjp_joint(_ctc_alphas_rule)


def _widened(x: Any, before: int, behind: int) -> Any:
    """x (N, T, S) with states of 0 around."""
    return pad(x, width=((0, 0), (0, 0), (before, behind)))
