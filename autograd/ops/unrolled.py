"""What recurrent operations share: steps in time, what one step reads, sums over all steps."""


from collections.abc import Callable
from typing import Any

from ..several import by_definition
from .elementwise import where
from .shape import concatenate, reshape

ROWS = 512
"""About as many columns, steps × samples, go into one product for the gradient of the weights."""


def times(count: int, reverse: bool) -> list[tuple[int, int]]:
    """(s, t) for each step: the s-th to be computed belongs to time t."""
    return [(s, count - 1 - s if reverse else s) for s in range(count)]


def defined(step: Callable[..., Any], states: int) -> Callable[..., Any]:
    """`step(x, weights, state)` for one time, applied over a sequence: y, then the last state."""

    def definition(x: Any, *rest: Any, reverse: bool = False, **params: Any) -> tuple[Any, ...]:
        at = 3 + states
        weights, state, condition = rest[:3], rest[3:at], rest[at:]
        hs: list[Any] = [None] * x.shape[1]
        for _, t in times(x.shape[1], reverse):
            new = step(x[:, t], *weights, *state, **params)
            if condition:
                on = condition[0][:, t : t + 1]  # (N, 1)
                new = tuple([where(on, a, b) for a, b in zip(new, state, strict=True)])
            state = new
            hs[t] = reshape(state[0], shape=(x.shape[0], 1, state[0].shape[-1]))
        return (concatenate(*hs, axis=1), *state)

    return definition


def gradient_of(definition: Callable[..., Any], results: int, keeps: int) -> Callable[..., Any]:
    """The definition of a fused gradient, whose inputs are the gradients of the results, the
    results, what the op keeps, and the op's inputs."""
    rule = by_definition(definition)

    def gradient(*args: Any, **params: Any) -> tuple[Any, ...]:
        inputs = args[2 * results + keeps :]
        found = rule(args[:results], None, *inputs, **params)
        floats = [(x, gx) for x, gx in zip(inputs, found, strict=True) if x.dtype.kind not in "iub"]
        return tuple([x * 0 if gx is None else gx for x, gx in floats])

    return gradient


def columns_of(xp: Any, x: Any, h: Any, reverse: bool) -> Any:
    """[x; 1; h] of each step, (T + 1, C + 1 + H, N), with only the first h there so far."""
    (n, count, c), size = x.shape, h.shape[-1]
    if not count:
        raise IndexError("a sequence has one step or more")
    columns = xp.empty((count + 1, c + 1 + size, n), dtype=x.dtype)
    for s, t in times(count, reverse):
        columns[s, :c] = x[:, t].T
    columns[:, c] = 1
    columns[0, c + 1 :] = h.T
    return columns


def blocks(z: Any, size: int) -> list[Any]:
    """The gates in z (gates·H, N), as views (H, N)."""
    return [z[k : k + size] for k in range(0, z.shape[0], size)]


class OuterProducts:
    """Sums dz columnᵀ over the steps: the gradient of the weights, by few large products.

    A step's dz is written to `slot(s)`; steps come in falling order.
    """

    def __init__(self, xp: Any, columns: Any, gates: int) -> None:
        self.xp, self.columns, (steps, k, n) = xp, columns, columns.shape
        self.many = max(1, min(steps - 1, ROWS // max(n, 1)))
        self.dz = xp.empty((self.many, gates, n), dtype=columns.dtype)
        self.total = xp.zeros((gates, k), dtype=columns.dtype)
        self.end = steps - 1

    def slot(self, s: int) -> Any:
        """The place of dz (gates, N) of step s."""
        return self.dz[s % self.many]

    def done(self, s: int) -> None:
        """Step s is in its place."""
        if s % self.many:
            return
        rows = [self.dz[: self.end - s], self.columns[s : self.end]]
        dz, columns = [  # (gates, steps·N), (C + 1 + H, steps·N)
            self.xp.transpose(z, (1, 0, 2)).reshape(z.shape[1], -1) for z in rows
        ]
        self.total += self.xp.matmul(dz, columns.T)
        self.end = s

    def split(self, width: int) -> tuple[Any, Any, Any]:
        """The gradients of w (C, gates), u (H, gates) and b (gates,)."""
        total = self.total.T
        return total[:width], total[width + 1 :], total[width]
