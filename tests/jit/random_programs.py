"""Random programs: operations of the table on what was computed so far, with shared parts.

A value is exact (small whole numbers, halves, truth values) or smooth (what `tanh`, `softmax` and
their like give).  Operations that jump, such as comparisons, are applied to exact values alone: so
two ways to compute a program agree bit for bit on its exact values, and nearly on the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import autograd as ag
from autograd import Tensor, gradients
from autograd.dtypes import is_float

__all__ = ["Choose", "Program", "random_program"]

Choose = Callable[[int], int]
"""A number below n: by chance, or by hypothesis, which can make it smaller."""

SIZES = (1, 2, 3, 5, 7, 4, 2, 3, 1, 16, 17, 33)
OTHERS = (
    *["bool", "int64", "int32", "uint8"] * 3,
    "int8",
    "int16",
    "uint16",
    "uint32",
    "uint64",
    "float16",
)
"""Dtypes that a value may have besides the program's own."""
LARGEST = 6000
"""Elements that a value may have."""
EXACT = 2.0**14
"""Exact values stay below this on the numbers that a program is made with; others are like them."""
SMOOTH = 64.0


@dataclass(frozen=True)
class Given:
    """What a program begins with: an "argument", a "leaf" that it may assign, or a "number".

    What is `scattered` lies in every second place of a larger array, backwards.
    """

    kind: str
    shape: tuple[int, ...]
    dtype: str
    scattered: bool = False

    def draw(self, random: np.random.Generator) -> Any:
        """Small whole numbers; of a number, half of one."""
        if self.kind == "number":
            return float(random.integers(-4, 5)) / 2
        if self.dtype == "bool":
            return random.random(self.shape) < 0.5
        low = 0 if self.dtype.startswith("u") else -3
        return random.integers(low, 4, self.shape).astype(self.dtype)

    def place(self, data: Any) -> Tensor:
        """A tensor of these data, as it lies in memory."""
        if not self.scattered or not self.shape:
            return Tensor(np.broadcast_to(data, self.shape), dtype=self.dtype)
        room = np.zeros([2 * n for n in self.shape], self.dtype)
        view = room[tuple(slice(None, None, -2) for _ in self.shape)]
        view[...] = data
        return Tensor.of(view)


@dataclass(frozen=True)
class Line:
    """One operation: its name in `OPERATIONS`, the places of its operands, what it is told."""

    name: str
    inputs: tuple[int, ...]
    told: tuple[Any, ...] = ()


@dataclass
class Program:
    """Lines that compute one value each, what is given first, and what is returned.

    With `differentiated` the gradients of all floats that were given follow, of the sum of what is
    returned; with `stored` they stay in `.grad` of the leaves.  `assigned` are pairs of a leaf and
    what it becomes at the end, of the whole or of a part.
    """

    given: list[Given]
    lines: list[Line] = field(default_factory=list)
    returned: list[int] = field(default_factory=list)
    exact: list[bool] = field(default_factory=list)
    """Of all values, those that were given first."""
    differentiated: bool = False
    stored: bool = False
    assigned: list[tuple[int, int, Any]] = field(default_factory=list)

    def run(self, given: Sequence[Any]) -> list[Any]:
        """The values returned, and gradients."""
        values = list(given)
        for line in self.lines:
            found = OPERATIONS[line.name](*[values[i] for i in line.inputs], *line.told)
            values.append(found)
        results = [values[i] for i in self.returned]
        found = list(results)
        points = [x for x in given if isinstance(x, Tensor) and x.requires_grad]
        ends = [y for y in results if isinstance(y, Tensor) and y.requires_grad and y.size]
        if self.differentiated and ends and points:
            if self.stored:
                total = sum_of([y.astype("float64").sum() for y in ends])
                total.backward()
            else:
                weights = [Tensor(np.ones(y.shape), dtype=y.dtype) for y in ends]
                found += [
                    g for g in gradients(ends, points, weights, allow_unused=True) if g is not None
                ]
        for leaf, value, at in self.assigned:
            values[leaf].assign(values[value], at)
        return found

    def __str__(self) -> str:
        told = [f"%{i} = {g.kind} {g.dtype} {g.shape}" for i, g in enumerate(self.given)]
        told += [
            f"%{i} = {line.name}({', '.join(f'%{k}' for k in line.inputs)}; {line.told})"
            for i, line in enumerate(self.lines, len(self.given))
        ]
        told += [f"%{a}[{at}] <- %{b}" for a, b, at in self.assigned]
        how = "differentiated " * self.differentiated + "stored" * self.stored
        return "\n".join([*told, f"return {self.returned} {how}"])


def sum_of(tensors: Sequence[Tensor]) -> Tensor:
    """One after the other."""
    total = tensors[0]
    for x in tensors[1:]:
        total = total + x
    return total


# --- operations ---


def _halved(x: Any) -> Any:
    return (x * 0.5).floor()


def _bell(x: Any) -> Any:
    return (-(x * x) * 0.125).exp()


def _joined(*xs: Any) -> Any:
    return ag.concatenate(list(xs[:-1]), axis=xs[-1])


def _hot(x: Any, axis: int) -> Any:
    return ag.one_hot(x.argmax(axis=axis), x.shape[axis])


def _best(x: Any, axis: int) -> Any:
    return x.gather(axis, x.argmax(axis=axis, keepdims=True))


def _rows(x: Any, y: Any) -> Any:
    return ag.embedding(x, y.argmax(axis=-1) % x.shape[0])


def _assigned(leaf: Any, x: Any) -> Any:
    leaf.assign(x)
    return x


def _normed(x: Any) -> Any:
    n = x.shape[-1]
    ones = Tensor(np.ones(n), dtype=x.dtype)
    return ag.ops.normalize.layer_norm(x, ones, ones * 0.5, eps=0.5)


JUMPING: dict[str, Callable[..., Any]] = {
    "abs": lambda x: x.abs(),
    "relu": lambda x: x.relu(),
    "sign": lambda x: x.sign(),
    "halved": _halved,
    "clip": lambda x: x.clip(-2, 3),
    "rest": lambda x: x % 3,
}
"""Exact operations on one exact value, element by element."""
PLAIN: dict[str, Callable[..., Any]] = {
    "neg": lambda x: -x,
    "square": lambda x: x * x,
    "power": lambda x: x**2,
    "double": lambda x: x * 2,
    "turned": lambda x: 1.5 - x,
    "half": lambda x: x * 0.5,
    "eighth": lambda x: x / 8,
    "zero": lambda x: x * 0.0,
    "self": lambda x: x + x,
    "detach": lambda x: x.detach(),
}
"""Those that leave what is exact exact, and what is smooth smooth."""
CURVES: dict[str, Callable[..., Any]] = {
    "tanh": lambda x: x.tanh(),
    "sigmoid": lambda x: x.sigmoid(),
    "sin": lambda x: x.sin(),
    "cos": lambda x: x.cos(),
    "bell": _bell,
    "softplus": lambda x: x.softplus(),
    "gelu": lambda x: ag.gelu(x),
    "erf": lambda x: x.erf(),
    "root": lambda x: (x * x + 1).sqrt(),
    "log": lambda x: (x * x + 1).log(),
    "over": lambda x: 1.0 / (x * x + 1),
    "atan": lambda x: x.atan(),
    "third": lambda x: x / 3,
}
PAIRS: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
}
CHOICES: dict[str, Callable[..., Any]] = {
    "maximum": lambda x, y: x.maximum(y),
    "minimum": lambda x, y: x.minimum(y),
    "less": lambda x, y: x < y,
    "equal": lambda x, y: x == y,
    "at_least": lambda x, y: x >= y,
    "differ": lambda x, y: x != y,
}
REDUCED: dict[str, Callable[..., Any]] = {
    "sum": lambda x, axis, keepdims: x.sum(axis=axis, keepdims=keepdims),
    "mean": lambda x, axis, keepdims: x.mean(axis=axis, keepdims=keepdims),
    "var": lambda x, axis, keepdims: x.var(axis=axis, keepdims=keepdims),
    "logsumexp": lambda x, axis, keepdims: x.logsumexp(axis=axis, keepdims=keepdims),
    "max": lambda x, axis, keepdims: x.max(axis=axis, keepdims=keepdims),
    "min": lambda x, axis, keepdims: x.min(axis=axis, keepdims=keepdims),
    "any": lambda x, axis, keepdims: x.any(axis=axis, keepdims=keepdims),
    "all": lambda x, axis, keepdims: x.all(axis=axis, keepdims=keepdims),
}
ALONG: dict[str, Callable[..., Any]] = {
    "softmax": lambda x, axis: x.softmax(axis=axis),
    "log_softmax": lambda x, axis: x.log_softmax(axis=axis),
    "cumsum": lambda x, axis: x.cumsum(axis=axis),
    "argmax": lambda x, axis: x.argmax(axis=axis),
    "hot": _hot,
    "best": _best,
    "flip": lambda x, axis: x.flip(axis),
    "roll": lambda x, axis: x.roll(1, axis),
}
MOVED: dict[str, Callable[..., Any]] = {
    "reshape": lambda x, shape: x.reshape(shape),
    "transpose": lambda x, axes: x.transpose(axes),
    "broadcast": lambda x, shape: x.broadcast_to(shape),
    "item": lambda x, key: x[key],
    "pad": lambda x, width, value: ag.pad(x, width, value),
    "tril": lambda x: x.tril(),
    "expand": lambda x, axis: ag.expand_dims(x, axis),
    "repeat": lambda x, n, axis: ag.repeat(x, n, axis),
    "astype": lambda x, dtype: x.astype(dtype),
}
OPERATIONS: dict[str, Callable[..., Any]] = {
    **JUMPING, **PLAIN, **CURVES, **PAIRS, **CHOICES, **REDUCED, **ALONG, **MOVED,
    "ratio": lambda x, y: x / (y * y + 1),
    "where": lambda c, x, y: ag.where(c, x, y),
    "and": lambda x, y: x & y,
    "or": lambda x, y: x | y,
    "not": lambda x: ~x,
    "matmul": lambda x, y: x @ y,
    "matmul_turned": lambda x, y: x @ y.mT,
    "outer": lambda x, y: ag.einsum("...i,...j->...ij", x, y),
    "concatenate": _joined,
    "stack": lambda *xs: ag.stack(list(xs[:-1]), axis=xs[-1]),
    "set": lambda x, y, key: x.at[key].set(y),
    "put": lambda x, y, key: x.at[key].add(y),
    "rows": _rows,
    "normed": _normed,
    "assign": _assigned,
}  # fmt: skip


# --- making them ---


class _Maker:
    """Draws lines one by one; each is tried on numbers, which tell its shape, dtype and size."""

    def __init__(self, choose: Choose, wide: bool) -> None:
        self.choose = choose
        self.float = "float64" if wide else "float32"
        self.program = Program([])
        self.values: list[Any] = []
        self.random = np.random.default_rng(choose(1000))

    def one_of(self, things: Any) -> Any:
        things = list(things)
        return things[self.choose(len(things))]

    def some(self, n: int) -> bool:
        """True in one of n cases."""
        return self.choose(n) == n - 1

    def make(self, count: int) -> Program:
        self._give()
        program = self.program
        program.differentiated = self.choose(3) > 0
        program.stored = program.differentiated and self.some(3)
        for given, x in zip(program.given, self.values, strict=True):
            if isinstance(x, Tensor) and is_float(x.dtype) and program.differentiated:
                x.requires_grad_(not program.stored or given.kind == "leaf")
        for _ in range(4 * count):
            if len(program.lines) == count:
                break
            self._line()
        self._assign()
        used = {i for line in program.lines for i in line.inputs}
        given = len(program.given)
        computed = [i for i, x in enumerate(self.values) if i >= given and isinstance(x, Tensor)]
        program.returned = [i for i in computed if i not in used or self.some(8)][-12:]
        return program

    def _give(self) -> None:
        base = [self.one_of(SIZES) for _ in range(self.choose(4) + 1)]
        while math.prod(base) > LARGEST // 8:
            base.pop(0)
        if self.some(25):
            base[-1:] = [2500]
            base[:-1] = [min(n, 2) for n in base[:-1][:1]]
        for i in range(2 + self.choose(4)):
            kind = "argument" if i == 0 or self.choose(2) else "leaf"
            shape = list(base)
            if i:
                shape = shape[self.choose(len(shape) + 1) * self.choose(2) :]
                shape = [1 if self.some(6) else n for n in shape]
                if self.some(5):
                    shape.reverse()
            dtype = self.float
            if i:
                dtype = self.one_of([*[self.float] * 20, *OTHERS])
            self._given(Given(kind, tuple(shape), dtype, self.some(5)))
        if self.some(4):
            self._given(Given("number", (), ""))

    def _given(self, given: Given) -> None:
        self.program.given.append(given)
        self.program.exact.append(True)
        drawn = given.draw(self.random)
        self.values.append(drawn if given.kind == "number" else given.place(drawn))

    # --- one line ---

    def _line(self) -> None:
        makers = [
            self._unary, self._unary, self._curve, self._pair, self._pair, self._pair,
            self._reduced, self._along, self._moved, self._moved, self._indexed, self._joined,
            self._matmul, self._where, self._choice, self._written, self._special,
        ]  # fmt: skip
        made = self.one_of(makers)()
        if made is None:
            return
        line, exact = made
        inputs = [self.values[i] for i in line.inputs]
        if line.name == "assign":
            before = np.array(inputs[0].raw)
        try:
            with np.errstate(all="ignore"):
                z = OPERATIONS[line.name](*inputs, *line.told)
        except (ValueError, TypeError, IndexError):
            return  # what does not fit, such as an operation that truth values do not have
        exact = exact and all(self.program.exact[i] for i in line.inputs)
        size = np.abs(z.raw.astype("float64")).max(initial=0.0)
        most = 512.0 if z.dtype == "float16" else EXACT
        if z.size > LARGEST or not size < (most if exact else SMOOTH):
            if line.name == "assign":
                inputs[0].assign(before)
            return
        self.program.lines.append(line)
        self.program.exact.append(exact)
        self.values.append(z)
        if line.name == "assign":
            self._drop_views(line.inputs[0])

    def _drop_views(self, leaf: int) -> None:
        """Views of a leaf change with it where nothing is compiled: nobody uses them any more."""
        memory = self.values[leaf].raw
        for i, x in enumerate(self.values):
            if i != leaf and isinstance(x, Tensor) and np.may_share_memory(x.raw, memory):
                self.values[i] = None

    def _any(self, test: Callable[[Any], bool] = lambda x: True) -> int | None:
        """The place of a tensor of that kind; late ones more often."""
        fitting = [
            i for i, x in enumerate(self.values) if isinstance(x, Tensor) and x.size and test(x)
        ]
        if not fitting:
            return None
        if self.choose(2):
            fitting = fitting[-4:]
        return fitting[self.choose(len(fitting))]

    def _exact_one(self, test: Callable[[Any], bool] = lambda x: True) -> int | None:
        fitting = [i for i, x in enumerate(self.values) if isinstance(x, Tensor)
                   and self.program.exact[i] and x.size and test(x)]  # fmt: skip
        return self.one_of(fitting) if fitting else None

    def _second(self, i: int, exact: bool = False) -> int | None:
        """A value that can be added to that one."""
        x = self.values[i]

        def fits(k: int, y: Any) -> bool:
            if exact and not self.program.exact[k]:
                return False
            if not isinstance(y, Tensor):
                return y is not None and is_float(x.dtype)
            if is_float(x.dtype) and is_float(y.dtype) and x.dtype != y.dtype:
                return False
            try:
                return math.prod(np.broadcast_shapes(x.shape, y.shape)) <= LARGEST
            except ValueError:
                return False

        fitting = [k for k, y in enumerate(self.values) if fits(k, y)]
        return self.one_of(fitting) if fitting else None

    def _unary(self) -> Any:
        if self.choose(2):
            i = self._any()
            return i if i is None else (Line(self.one_of(PLAIN), (i,)), True)
        i = self._exact_one()
        if i is None:
            return None
        if self.values[i].dtype == bool and self.choose(2):
            return Line("not", (i,)), True
        return Line(self.one_of(JUMPING), (i,)), True

    def _curve(self) -> Any:
        i = self._any(lambda x: is_float(x.dtype))
        return i if i is None else (Line(self.one_of(CURVES), (i,)), False)

    def _pair(self) -> Any:
        i = self._any()
        k = None if i is None else self._second(i)
        if i is None or k is None:
            return None
        if self.some(6) and is_float(self.values[i].dtype):
            return Line("ratio", (i, k)), False
        return Line(self.one_of(PAIRS), (i, k)), True

    def _choice(self) -> Any:
        i = self._exact_one()
        k = None if i is None else self._second(i, exact=True)
        if i is None or k is None:
            return None
        y = self.values[k]
        if isinstance(y, Tensor) and y.dtype == self.values[i].dtype == bool:
            return Line(self.one_of(["and", "or"]), (i, k)), True
        return Line(self.one_of(CHOICES), (i, k)), True

    def _where(self) -> Any:
        c = self._exact_one(lambda x: x.dtype == bool)
        i = self._any()
        k = None if i is None else self._second(i)
        return None if c is None or i is None or k is None else (Line("where", (c, i, k)), True)

    def _axis(self, x: Any) -> int:
        return int(self.choose(2 * x.ndim) - x.ndim)

    def _reduced(self) -> Any:
        name = self.one_of(REDUCED)
        exact = name not in ("mean", "var", "logsumexp")
        if name in ("max", "min", "any", "all"):
            i = self._exact_one()
        else:
            i = self._any(lambda x: exact or is_float(x.dtype))
        if i is None:
            return None
        x = self.values[i]
        axes = [a for a in range(x.ndim) if self.choose(2)]
        axis: Any = tuple(axes)
        if not axes or self.some(4):
            axis = None
        elif len(axes) == 1:
            axis = axes[0] - x.ndim * self.choose(2)
        return Line(name, (i,), (axis, bool(self.choose(2)))), exact

    def _along(self) -> Any:
        name = self.one_of(ALONG)
        if name in ("argmax", "hot", "best"):
            i = self._exact_one(lambda x: x.ndim > 0)
        elif "softmax" in name:
            i = self._any(lambda x: x.ndim > 0 and is_float(x.dtype))
        else:
            i = self._any(lambda x: x.ndim > 0)
        return i if i is None else (
            Line(name, (i,), (self._axis(self.values[i]),)), "softmax" not in name,
        )  # fmt: skip

    def _moved(self) -> Any:
        name = self.one_of(MOVED)
        i = self._exact_one() if name == "astype" else self._any(lambda x: x.ndim > 0)
        if i is None or name == "item":
            return None
        x, told = self.values[i], ()
        if name == "reshape":
            told = (self._factors(x.size),)
        elif name == "transpose":
            axes = list(range(x.ndim))
            told = (tuple([axes.pop(self.choose(len(axes))) for _ in range(x.ndim)]),)
        elif name == "broadcast":
            more = (2,) * self.choose(2)
            told = ((*more, *[3 if n == 1 and self.choose(2) else n for n in x.shape]),)
        elif name == "pad":
            width = tuple([(self.choose(3), self.choose(2)) for _ in x.shape])
            told = (width, float(self.choose(3)) / 2)
        elif name == "expand":
            told = (self.choose(x.ndim + 1),)
        elif name == "repeat":
            told = (2, self._axis(x))
        elif name == "astype":
            told = (self.one_of(["float32", "float64", "int64", "int32", "bool", self.float]),)
        return Line(name, (i,), told), True

    def _factors(self, size: int) -> tuple[int, ...]:
        """A shape with so many elements."""
        shape = []
        for p in (2, 3, 5, 7, 11, 17):
            while size % p == 0 and len(shape) < 4:
                if self.choose(3) == 0:
                    break
                shape.append(p)
                size //= p
        shape.insert(self.choose(len(shape) + 1), size)
        return tuple(shape)

    def _key(self, x: Any) -> tuple[Any, ...]:
        """An index of slices, numbers, new axes and an ellipsis."""
        key: list[Any] = []
        for n in x.shape:
            how = self.choose(7)
            if how == 0 or how == 6:
                key.append(slice(None))
            elif how == 1:
                key.append(self.choose(n) - n * self.choose(2))
            elif how == 2:
                key.append(slice(None, None, -1))
            elif how == 3:
                key.append(slice(self.choose(n), None, 1 + self.choose(2)))
            elif how == 4:
                key.append(slice(0, 1 + self.choose(n)))
            else:
                key += [None, slice(None)]
        if self.some(4):
            at = self.choose(x.ndim + 1)
            plain = [k for k in key if k is not None]
            key = [*plain[:at], Ellipsis]
        return tuple(key)

    def _indexed(self) -> Any:
        i = self._any(lambda x: x.ndim > 0)
        if i is None:
            return None
        x = self.values[i]
        if self.choose(4):
            return Line("item", (i,), (self._key(x),)), True
        places = tuple(self.choose(x.shape[0]) for _ in range(1 + self.choose(4)))
        return Line("item", (i,), (list(places),)), True

    def _joined(self) -> Any:
        i = self._any(lambda x: x.ndim > 0)
        if i is None:
            return None
        x, name = self.values[i], self.one_of(["concatenate", "stack"])
        axis = self._axis(x)

        def fits(y: Any) -> bool:
            if not isinstance(y, Tensor) or y.dtype != x.dtype or y.ndim != x.ndim or not y.size:
                return False
            pairs = enumerate(zip(x.shape, y.shape, strict=True))
            return all(n == m or name != "stack" and k == axis % x.ndim for k, (n, m) in pairs)

        others = [k for k, y in enumerate(self.values) if fits(y)]
        chosen = [i, *[self.one_of(others) for _ in range(self.choose(3))]]
        return Line(name, tuple(chosen), (axis,)), True

    def _matmul(self) -> Any:
        i = self._any(lambda x: x.ndim > 0 and is_float(x.dtype))
        if i is None:
            return None
        x = self.values[i]
        found: list[Line] = []
        for k, y in enumerate(self.values):
            if not isinstance(y, Tensor) or y.dtype != x.dtype or not y.ndim:
                continue
            if x.shape[-1] == y.shape[-2 if y.ndim > 1 else -1]:
                found.append(Line("matmul", (i, k)))
            if x.ndim > 1 and y.ndim > 1 and x.shape[-1] == y.shape[-1]:
                found.append(Line("matmul_turned", (i, k)))
            if x.shape[:-1] == y.shape[:-1]:
                found.append(Line("outer", (i, k)))
        return (self.one_of(found), True) if found else None

    def _written(self) -> Any:
        """A part of a value that is replaced or added to; or a leaf that is assigned."""
        if not self.program.differentiated and self.choose(3) == 0:
            return self._assigned_now()
        i = self._any(lambda x: x.ndim > 0 and is_float(x.dtype))
        if i is None:
            return None
        x = self.values[i]
        key = self._key(x)
        key = tuple([k for k in key if k is not None])
        shape = x.raw[key].shape
        fitting = [
            k for k, y in enumerate(self.values)
            if isinstance(y, Tensor) and y.dtype == x.dtype and y.shape in (shape, ())
        ]  # fmt: skip
        if not fitting:
            return None
        return Line(self.one_of(["set", "put"]), (i, self.one_of(fitting)), (key,)), True

    def _assigned_now(self) -> Any:
        leaves = [i for i, g in enumerate(self.program.given) if g.kind == "leaf"]
        if not leaves:
            return None
        leaf = self.one_of(leaves)
        x = self.values[leaf]
        k = self._exact_one(lambda y: y.shape == x.shape and y.dtype == x.dtype)
        return None if k is None else (Line("assign", (leaf, k)), True)

    def _special(self) -> Any:
        if self.choose(2):
            i = self._any(lambda x: x.ndim > 0 and is_float(x.dtype))
            return None if i is None else (Line("normed", (i,)), False)
        i = self._any(lambda x: x.ndim == 2)
        k = self._exact_one(lambda x: x.ndim in (1, 2))
        return None if i is None or k is None else (Line("rows", (i, k)), True)

    def _assign(self) -> None:
        """What leaves become at the end; nobody reads one of which only a part was assigned."""
        parts: set[int] = set()
        for leaf, given in enumerate(self.program.given):
            x = self.values[leaf]
            if given.kind != "leaf" or self.choose(2):
                continue
            at: Any = ...
            once = all(line.name != "assign" for line in self.program.lines)
            if x.ndim and once and self.some(3):
                at = slice(self.choose(x.shape[0]), None)
            shape = x.raw[at].shape
            fitting = [
                k for k, y in enumerate(self.values)
                if isinstance(y, Tensor) and y.shape == shape and y.dtype == x.dtype
                and k not in parts
            ]  # fmt: skip
            if fitting:
                parts |= {leaf} if at is not ... else set()
                self.program.assigned.append((leaf, self.one_of(fitting), at))
                self._drop_views(leaf)


def random_program(choose: Choose, wide: bool, count: int) -> Program:
    """A program of about `count` lines, in float64 if `wide`, else in float32."""
    return _Maker(choose, wide).make(count)
