"""Functions made of operations: what is worth a name but no entry in the op table.

They take tensors (or, where that makes sense, anything an op takes) and differentiate to any
order because the operations do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import backends

from .errors import DTypeError, ShapeError
from .explain import explain, refuse
from .node import Node, current, op
from .ops import attention as a
from .ops import elementwise as e
from .ops import index as i
from .ops import linear as l
from .ops import reduce as r
from .ops import shape as s

# --- reading arguments ---


def sizes_of(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """`f(2, 3)` and `f((2, 3))` alike."""
    if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
        sizes = tuple(sizes[0])
    return tuple(int(n) for n in sizes)


def axis_of(axis: int, x: Any, name: str, new: int = 0) -> int:
    """An axis of x, with `new` more of them, counted from the front; else an error."""
    ndim: int = x.ndim + new
    if not -ndim <= axis < ndim:
        mend = f"The axes must be between {-ndim} and {ndim - 1}."
        raise refuse(ShapeError, f"{name}: axis {axis} is outside [{-ndim}, {ndim})", mend, x)
    return axis % ndim


def split_index(key: Any, x: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """A NumPy index as a pattern of metadata and the index arrays that go into it."""
    pattern: list[Any] = []
    arrays: list[Any] = []
    item: Any
    for item in key if isinstance(key, tuple) else (key,):
        if isinstance(item, (list, range)):
            item = type(x)(list(item), backend=x.backend)
            if not item.size:
                item = item.astype("int64")
        is_node = isinstance(item, Node)
        if is_node and item.shape == () and item.dtype.kind in "iu":
            item = item.item()
        elif is_node or (hasattr(item, "dtype") and item.shape != ()):
            if item.dtype.kind not in "iub":
                raise refuse(
                    DTypeError,
                    f"index: an index array holds {item.dtype}, not integers or truth values",
                    'Convert it: index.astype("int64"), or compare it to make a mask.',
                    x, item,
                )  # fmt: skip
            arrays.append(item)
            item = i.HERE
        elif hasattr(item, "dtype"):  # one of NumPy's own numbers
            item = item.item()
        pattern.append(item)
    return tuple(pattern), arrays


# --- transfer ---


@op(samples=())
def to(xp: Any, x: Any, *, backend: str) -> Any:
    """The same array on another backend."""
    target = backends.get(backend)
    return x if target is xp else target.from_host(xp.to_host(x))


to.vjp(lambda g, z, x, backend: to(g, backend=backends.name_of(getattr(x, "raw", x))))

# --- shape ---


def swapaxes(x: Any, a: int, b: int) -> Any:
    """Two axes exchanged."""
    order = list(range(x.ndim))
    a, b = axis_of(a, x, "swapaxes"), axis_of(b, x, "swapaxes")
    order[a], order[b] = order[b], order[a]
    return s.transpose(x, axes=tuple(order))


def squeeze(x: Any, axis: int | None = None) -> Any:
    """Without its axes of size 1, or without this one."""
    if axis is None:
        return s.reshape(x, shape=tuple(n for n in x.shape if n != 1))
    axis = axis_of(axis, x, "squeeze")
    if x.shape[axis] != 1:
        mend = "Only axes of size 1 can go. Use reshape to merge axes."
        headline = f"squeeze: axis {axis} has size {x.shape[axis]}, not 1"
        raise refuse(ShapeError, headline, mend, x)
    return s.reshape(x, shape=x.shape[:axis] + x.shape[axis + 1 :])


def expand_dims(x: Any, axis: int) -> Any:
    """With a new axis of size 1."""
    axis = axis_of(axis, x, "expand_dims", new=1)
    return s.reshape(x, shape=(*x.shape[:axis], 1, *x.shape[axis:]))


def flatten(x: Any, start: int = 0) -> Any:
    """The axes from `start` on as one."""
    start = axis_of(start, x, "flatten") if x.ndim else 0
    return s.reshape(x, shape=(*x.shape[:start], math.prod(x.shape[start:])))


def flip(x: Any, axis: Any = None) -> Any:
    """Elements in the opposite order along the axes, all by default."""
    return s.flip(x, axis=axis)


def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    """Elements moved along the axis; those that fall off the end come in at the front."""
    return s.roll(x, shift=shift, axis=axis)


def pad(x: Any, width: Any, value: float = 0.0, mode: str = "constant") -> Any:
    """With `width` elements around it: an int, (before, after), or one such pair per axis.

    `mode` is "constant", "edge" (the outermost element again) or "reflect" (mirrored there).
    """
    if isinstance(width, int):
        width = (width, width)
    if isinstance(width[0], int):
        width = (tuple(width),) * x.ndim
    width = tuple((int(a), int(b)) for a, b in width)
    if len(width) != x.ndim:
        mend = "Give one pair (before, after) per axis, or one int for all."
        raise refuse(ShapeError, f"pad: {len(width)} pairs of widths for {x.ndim} axes", mend, x)
    if mode == "constant":
        return s.pad(x, width=width, value=value)
    if mode not in ("edge", "reflect"):
        raise ValueError(f'pad: unknown mode {mode!r}; choose "constant", "edge" or "reflect"')
    for axis, ((before, after), n) in enumerate(zip(width, x.shape, strict=True)):
        if mode == "reflect" and max(before, after) >= n:
            headline = f"pad: widths {before, after} reflect more than axis {axis} has, {n}"
            raise refuse(ShapeError, headline, f"Use widths below {n}, or mode='edge'.", x)
        places = range(-before, n + after)
        if mode == "edge":
            picked = [min(max(p, 0), n - 1) for p in places]
        else:
            picked = [n - 1 - builtin_abs(n - 1 - builtin_abs(p)) for p in places]
        x = x[(slice(None),) * axis + (picked,)]
    return x


builtin_abs = abs


def tile(x: Any, *counts: Any) -> Any:
    """Copies of x side by side, this many along each axis."""
    counts = sizes_of(counts)
    for axis, n in enumerate(counts, start=x.ndim - len(counts)):
        if axis < 0:
            headline = f"tile: {len(counts)} counts for {x.ndim} axes"
            raise refuse(ShapeError, headline, "Add axes first, with expand_dims.", x)
        if n < 1:
            mend = "Give counts of 1 or more."
            raise refuse(ShapeError, f"tile: {n} copies along axis {axis}", mend, x)
        x = s.concatenate(*[x] * n, axis=axis)
    return x


def repeat(x: Any, n: int, axis: int) -> Any:
    """Each element n times in a row along an axis."""
    axis = axis_of(axis, x, "repeat")
    if n < 0:
        raise refuse(ShapeError, f"repeat: {n} times", "The number of times must be 0 or more.", x)
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    size = x.shape[axis]
    spread = s.broadcast_to(
        s.reshape(x, shape=(*before, size, 1, *after)), shape=(*before, size, n, *after)
    )
    return s.reshape(spread, shape=(*before, size * n, *after))


def concatenate(tensors: Sequence[Any], axis: int = 0) -> Any:
    """Tensors one behind the other along an axis that exists."""
    if not len(tensors):
        raise refuse(ShapeError, "concatenate: there are no tensors", "Give at least one.")
    return s.concatenate(*tensors, axis=axis)


cat = concatenate


def stack(tensors: Sequence[Any], axis: int = 0) -> Any:
    """Tensors of one shape along a new axis."""
    if not len(tensors):
        raise refuse(ShapeError, "stack: there are no tensors", "Give at least one.")
    shapes = {t.shape for t in tensors}
    if len(shapes) > 1:
        mend = "All must have one shape. Use concatenate along an axis in which they differ."
        raise refuse(ShapeError, "stack: the tensors differ in shape", mend, *tensors)
    return s.concatenate(*[expand_dims(t, axis) for t in tensors], axis=axis)


def split(x: Any, sizes: int | Sequence[int], axis: int = 0) -> list[Any]:
    """Pieces along an axis: of this size (the last may be smaller), or of these sizes."""
    axis = axis_of(axis, x, "split")
    n = x.shape[axis]
    if isinstance(sizes, int):
        if sizes < 1:
            raise refuse(ShapeError, f"split: pieces of size {sizes}", "Use 1 or more.", x)
        sizes = [min(sizes, n - start) for start in range(0, n, sizes)]
    if sum(sizes) != n:
        headline = f"split: sizes {list(sizes)} add up to {sum(sizes)}, axis {axis} has {n}"
        mend = "The sizes must cover the axis. One int cuts it into equal pieces."
        raise refuse(ShapeError, headline, mend, x)
    pieces, start = [], 0
    for size in sizes:
        pieces.append(x[(slice(None),) * axis + (slice(start, start + size),)])
        start += size
    return pieces


def diagonal(x: Any, offset: int = 0) -> Any:
    """The diagonal of the last two axes, `offset` above the main one."""
    if x.ndim < 2:
        mend = "It needs two axes or more. Use autograd.eye(n) * x to make a diagonal matrix."
        raise refuse(ShapeError, f"diagonal: {x.ndim} axes have no diagonal", mend, x)
    rows, columns = x.shape[-2:]
    n = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    down = [k + max(-offset, 0) for k in range(n)]
    across = [k + max(offset, 0) for k in range(n)]
    return x[..., down, across]


def trace(x: Any, offset: int = 0) -> Any:
    """The sum of the diagonal of the last two axes."""
    return r.sum(diagonal(x, offset), axis=-1)


def outer(x: Any, y: Any) -> Any:
    """x[:, None] * y for vectors."""
    return expand_dims(x, -1) * y


# --- products ---


def einsum(subscripts: str, *operands: Any) -> Any:
    """Einstein summation: `einsum("bij,bjk->bik", x, y)`, with ellipsis and implicit output."""
    labels, output = _subscripts(subscripts, operands)
    operands = tuple(map(_without_repeats, operands, labels))
    labels = ["".join(dict.fromkeys(term)) for term in labels]
    return l.einsum(*operands, subscripts=",".join(labels) + "->" + output)


def _subscripts(subscripts: str, operands: Sequence[Any]) -> tuple[list[str], str]:
    """Labels of each operand and of the output, with every ellipsis written out."""
    ndims = [x.ndim for x in operands]
    text = subscripts.replace(" ", "")
    terms, arrow, output = text.partition("->")
    labels = terms.split(",")
    if len(labels) != len(ndims):
        headline = f"einsum: {text!r} describes {len(labels)} operands, {len(ndims)} are given"
        raise refuse(ShapeError, headline, "Give one per group of labels.", *operands)
    spare = [c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in text]
    hidden = [n - len(term.replace("...", "")) for term, n in zip(labels, ndims, strict=True)]
    for term, n, extra in zip(labels, ndims, hidden, strict=True):
        if extra < 0 or (extra and "..." not in term):
            headline = f"einsum: {term!r} names {n - extra} axes, its operand has {n}"
            raise refuse(ShapeError, headline, "Name each axis, or write ... for some.", *operands)
    dots = spare[: max(hidden, default=0)]
    labels = [
        term.replace("...", "".join(dots[len(dots) - extra :]))
        for term, extra in zip(labels, hidden, strict=True)
    ]
    if arrow:
        return labels, output.replace("...", "".join(dots))
    every = "".join(labels)
    once = sorted(c for c in set(every) if every.count(c) == 1 and c not in dots)
    return labels, "".join(dots) + "".join(once)


def _without_repeats(x: Any, term: str) -> Any:
    """x with two axes of one label replaced by their diagonal, until no label occurs twice."""
    wanted = "".join(dict.fromkeys(term))
    for label in wanted:
        while term.count(label) > 1:
            a = term.index(label)
            b = term.index(label, a + 1)
            order = [k for k in range(x.ndim) if k not in (a, b)]
            x = diagonal(s.transpose(x, axes=(*order, a, b)))
            term = "".join(term[k] for k in order) + label
    return x if wanted == term else s.transpose(x, axes=tuple(term.index(c) for c in wanted))


# --- choosing ---


def gather(x: Any, axis: int, index: Any) -> Any:
    """z[i, j] = x[i, index[i, j]] for axis 1, and so on: PyTorch's gather."""
    return i.gather(x, index, axis=axis_of(axis, x, "gather"))


def scatter_add(x: Any, axis: int, index: Any, y: Any) -> Any:
    """A copy of x with z[i, index[i, j]] += y[i, j] for axis 1, and so on."""
    return i.scatter_add(x, index, y, axis=axis_of(axis, x, "scatter_add"))


def take_along_axis(x: Any, index: Any, axis: int) -> Any:
    """Like `gather`, in NumPy's order of arguments; other axes of size 1 are repeated."""
    axis = axis_of(axis, x, "take_along_axis")
    index = index if isinstance(index, Node) else type(x)(index)
    if index.ndim != x.ndim:
        headline = f"take_along_axis: an index with {index.ndim} axes for {x.ndim}"
        raise refuse(ShapeError, headline, "Add axes with expand_dims.", x, index)
    shape = tuple(
        m if k == axis else n for k, (n, m) in enumerate(zip(x.shape, index.shape, strict=True))
    )
    return i.gather(x, s.broadcast_to(index, shape=shape), axis=axis)


def embedding(x: Any, index: Any) -> Any:
    """For each integer of `index` that row of the table x (rows, …); negative ones are errors."""
    if not _are_labels(index, x.shape[0]):
        raise explain(i.embedding, (x, index), {}, IndexError("an index of no row"))
    return i.embedding(x, index)


def one_hot(labels: Any, classes: int, dtype: Any = "float32") -> Any:
    """A new last axis with 1 at the label and 0 elsewhere."""
    if not _are_labels(labels, classes):
        raise refuse(
            ShapeError,
            f"one_hot: {labels.dtype} labels outside [0, {classes}), or no integers",
            "Labels count the classes from 0; compute the number of classes, or convert them: "
            'labels.astype("int64").',
            labels,
        )
    return i.one_hot(labels, classes=classes, dtype=dtype)


def softmax_cross_entropy(logits: Any, labels: Any) -> Any:
    """-log softmax(logits)[label] per sample, for logits (..., classes) and labels (...)."""
    if labels.shape != logits.shape[:-1] or not _are_labels(labels, logits.shape[-1]):
        fault = IndexError("labels that are no classes")
        raise explain(l.softmax_cross_entropy, (logits, labels), {}, fault)
    return l.softmax_cross_entropy(logits, labels)


def _are_labels(labels: Any, classes: int) -> bool:
    """Integers in [0, classes)?  A negative one would silently count from the end."""
    if labels.dtype.kind not in "iu":
        return False
    if current().watcher is not None:  # a program looks at them as it runs
        return True
    raw = labels.raw
    return not labels.size or bool(raw.min().item() >= 0 and raw.max().item() < classes)


def sort(x: Any, axis: int = -1, descending: bool = False) -> Any:
    """Sorted along an axis, equal elements in their old order."""
    axis = axis_of(axis, x, "sort")
    return i.gather(x, i.argsort(x, axis=axis, descending=descending), axis=axis)


def topk(x: Any, k: int, axis: int = -1) -> tuple[Any, Any]:
    """The k largest along an axis, largest first, and their indices."""
    axis = axis_of(axis, x, "topk")
    if not 0 < k <= x.shape[axis]:
        headline = f"topk: k = {k} is outside [1, {x.shape[axis]}]"
        raise refuse(ShapeError, headline, f"Axis {axis} must have k elements.", x)
    order = i.argsort(x, axis=axis, descending=True)
    first = order[(slice(None),) * axis + (slice(k),)]
    return i.gather(x, first, axis=axis), first


# --- attention ---


def attention(
    q: Any, k: Any, v: Any, mask: Any = None, causal: bool = False, scale: float | None = None
) -> Any:
    """softmax(scale · q kᵀ + mask) v (Vaswani et al. 2017, eq. 1): for each query the mean of the
    values, weighted by how well their keys match it.

    q (..., Tq, D), k (..., Tk, D) and v (..., Tk, E) make (..., Tq, E); `scale` is 1/√D by default.
    `mask` broadcasts to (..., Tq, Tk): truth values, true where a query may see a key, or floats
    that are added to the scores.  `causal` lets no query see a later key; where there are more keys
    than queries, the last of both stand side by side, as when a text is continued.  A query that
    sees no key at all gets 0.
    """
    return a.attention(q, k, v, _scores_mask(mask, q), causal=causal, scale=scale)


def attention_weights(
    q: Any, k: Any, mask: Any = None, causal: bool = False, scale: float | None = None
) -> Any:
    """How much each query looks at each key, (..., Tq, Tk): what `attention` weights values by."""
    return a.attention_weights(q, k, _scores_mask(mask, q), causal, scale)


def _scores_mask(mask: Any, q: Any) -> Any:
    """What to add to the scores: nothing, -inf where truth values are false, or floats as given."""
    if mask is None:
        return 0.0
    mask = mask if isinstance(mask, Node) else type(q)(mask, backend=q.backend)
    if mask.dtype.kind in "iu":
        raise refuse(
            DTypeError,
            f"attention: the mask holds {mask.dtype}, and it is not clear what they mean",
            "Truth values say which keys are seen: mask != 0. Floats are added to the scores.",
            q, mask,
        )  # fmt: skip
    if mask.dtype.kind != "b":
        return mask
    return s.astype(e.where(mask, 0.0, -math.inf), dtype=q.dtype)


def rotary(x: Any, positions: Any, base: float = 10000.0) -> Any:
    """x (..., T, D) turned by its rows' positions (T,), pair by pair (Su et al. 2021, eq. 14).

    The product of two turned rows depends on how far apart they are, not on where they are.
    """
    return a.rotary(x, positions, base=base)


# --- activations ---


def leaky_relu(x: Any, slope: float = 0.01) -> Any:
    """x where positive, else slope · x (Maas et al. 2013)."""
    return e.where(x > 0, x, slope * x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where positive, else α (exp(x) - 1) (Clevert et al. 2016)."""
    return e.where(x > 0, x, alpha * e.expm1(e.clip(x, high=0.0)))


def selu(x: Any) -> Any:
    """Self-normalising ELU (Klambauer et al. 2017, eq. 2)."""
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def gelu(x: Any, approximate: bool = False) -> Any:
    """x Φ(x) (Hendrycks & Gimpel 2016), exact by erf, or with tanh as in GPT-2."""
    if approximate:
        return 0.5 * x * (1 + e.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return e.gelu(x)


def silu(x: Any) -> Any:
    """x σ(x), also called swish (Ramachandran et al. 2017)."""
    return x * e.sigmoid(x)


def mish(x: Any) -> Any:
    """x tanh(softplus(x)) (Misra 2019)."""
    return x * e.tanh(e.softplus(x))


def softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    return x / (1 + e.abs(x))


def hardtanh(x: Any, low: float = -1.0, high: float = 1.0) -> Any:
    """x kept between low and high; unlike `clip`'s, its gradient at either is 0."""
    return e.where(x <= low, low, e.where(x >= high, high, x))


def log_sigmoid(x: Any) -> Any:
    """log σ(x), without overflow."""
    return -e.softplus(-x)
