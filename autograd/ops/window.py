"""Windows that slide over an array: where they lie, and what lies in them.

Arrays are (N, *spatial, C), channels last, with any number of spatial axes.  A window has a
`size` per spatial axis, moves by `stride`, leaves out all but every `dilation`-th element, and
begins `padding = (before, after)` elements outside the array.  A *tap* is one element of the
window: seen from one tap, all windows together are a strided slice of the array.
"""

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

Sizes = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


def places(shape: Sizes, size: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes) -> Sizes:
    """How many windows there are along each spatial axis (Dumoulin & Visin 2016, eq. 15)."""
    return tuple([
        (n + sum(p) - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(shape, size, stride, padding, dilation, strict=True)
    ])


def room(shape: Sizes, padding: Pairs) -> Sizes:
    """The spatial sizes with the padding."""
    return tuple([n + a + b for n, (a, b) in zip(shape, padding, strict=True)])


def interior(shape: Sizes, padding: Pairs) -> tuple[slice, ...]:
    """Where in a padded array (N, *room, C) the array itself lies."""
    inner = [slice(a, a + n) for n, (a, _) in zip(shape, padding, strict=True)]
    return (slice(None), *inner)


def taps(size: Sizes, out: Sizes, stride: Sizes, dilation: Sizes) -> Iterator[tuple[slice, ...]]:
    """For each tap, in C order, what all windows see there: an index of (N, *room, C)."""
    for tap in product(*map(range, size)):
        steps = zip(tap, out, stride, dilation, strict=True)
        yield (slice(None), *[slice(t * d, t * d + (m - 1) * s + 1, s) for t, m, s, d in steps])


def padded(xp: Any, x: Any, padding: Pairs, value: float = 0) -> Any:
    """x (N, *spatial, C) with its padding around it; x itself where there is none."""
    if not any(map(any, padding)):
        return x
    return xp.pad(x, ((0, 0), *padding, (0, 0)), constant_values=value)


def blocks(xp: Any, n: int, out: Sizes, width: int) -> Iterator[tuple[slice, list[slice]]]:
    """Images, and rows of these images, such that `width` numbers per window fit the workspace.

    What is computed for a block then stays in the processor's cache, and an array of all
    windows, many times the size of the input, never exists.
    """
    budget = max(xp.workspace // (4 * width), 1)  # windows at a time
    per_row = max(math.prod(out[1:]), 1)
    images = max(min(budget // max(per_row * out[0], 1), n), 1)
    rows = out[0] if images > 1 else max(min(budget // per_row, out[0]), 1)
    for i in range(0, n, images):
        yield (
            slice(i, min(i + images, n)),
            [slice(r, min(r + rows, out[0])) for r in range(0, out[0], rows)],
        )
