"""The derivative as code: a recorded computation and its backward pass as plain NumPy.

    >>> from autograd import Tensor, source
    >>> w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> x = Tensor([3.0, 4.0], name="x")
    >>> loss = ((w * x).tanh()).sum()
    >>> print(source(loss))
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def loss_and_gradients(w, x):
        '''loss, and its gradient by w.'''
        v2 = w * x
        v3 = np.tanh(v2)
        loss = np.sum(v3)
    <BLANKLINE>
        d_loss = np.ones_like(loss)
        d_v3 = np.broadcast_to(d_loss, (2,))  # sum
        d_v2 = d_v3 * (1 - v3 * v3)  # tanh
        d_w = d_v2 * x  # mul
    <BLANKLINE>
        return loss, {'w': d_w}

One line per operation forward, one per contribution backward, in the order in which the engine
takes them; the right-hand sides are the ops' own formulas and rules.  What `jit` makes of a
function, with algebra done and dead code removed, is another text: `jitted.python`.
"""

from __future__ import annotations

import ast
import keyword
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import backends

from ..errors import AutogradError
from ..jit.formula import formula, literal
from ..jit.python_text import WIDE, folded
from ..names import Names
from ..node import Node, history, record_everything
from ..ops.shape import detach, sum_to
from ..several import Bundle, part, parts_of
from .numpy_words import (
    constant,
    grouped,
    identifier,
    on_host,
    seed_text,
    step_of,
    words,
)  # fmt: skip
from .trace.backward import backward, seed_of
from .trace.capture import in_order

__all__ = ["Source", "source"]

host = backends.get("numpy")

LIMIT = 3_000
"""The nodes of a computation that is written as code at most."""


def source(f: Any, *args: Any) -> Source:
    """The gradient of a recorded result, or of a function called with these arguments, as code.

    The result must be one number.  `str()` is the text, a module with one function, which takes
    the leaves of the graph as NumPy arrays and returns (result, gradients by name); `run()` calls
    it with the leaves' data.  What NumPy has no words for is imported from the op's module.

    Raises AutogradError where the graph is too large to be read.
    """
    root = f if isinstance(f, Node) else f(*args)
    if not isinstance(root, Node) or not root.requires_grad or root.is_array and root.size != 1:  # type: ignore[attr-defined]
        raise AutogradError(
            "source: needs one number that was computed from what requires a gradient, got "
            f"{type(root).__name__} {getattr(root, 'shape', '')}. Reduce it: .sum() or .mean()."
        )
    return Source(root, sys._getframe(1))


class Source:
    """The text of a derivative.

    `lines` says for each line of the text which nodes of the graph it is about, as their places in
    the order of `GraphTrace.nodes`; `arguments` are the arrays that the function is called with.
    Variables of `frame` lend their names.
    """

    def __init__(self, root: Node, frame: FrameType | None = None) -> None:
        with host.errstate(all="ignore"):  # what is not finite is written, not warned of
            writer = _Writer(root, frame)
        self.text, self.lines = writer.text, writer.about
        self.name, self.arguments = writer.name, writer.arguments

    @property
    def function(self) -> Callable[..., Any]:
        """The function that the text defines."""
        space: dict[str, Any] = {}
        exec(compile(self.text, f"<{self.name}>", "exec"), space)
        made: Callable[..., Any] = space[self.name]
        return made

    def run(self) -> Any:
        """(result, gradients by name), for the data that the leaves have had."""
        return self.function(**self.arguments)

    def __str__(self) -> str:
        return self.text


class _Writer:
    """Writes a graph and its backward pass as a function, line by line."""

    def __init__(self, root: Node, frame: FrameType | None) -> None:
        self.nodes = in_order(root)
        if len(self.nodes) > LIMIT:
            raise AutogradError(
                f"source: the graph has {len(self.nodes):,} nodes, more than the {LIMIT:,} that "
                "anybody would read. Take fewer samples, or a part of the network."
            )
        self.place = {node: i for i, node in enumerate(self.nodes)}
        self.names = Names(self.nodes, frame)
        self.known: dict[Node, ast.expr] = {}
        self.used: set[str] = {*keyword.kwlist, "np", "xp"}
        self.arguments: dict[str, Any] = {}
        self.imports: dict[str, str] = {}
        self.written: list[str] = []
        self.about: list[list[int]] = []
        title = identifier(self.names.title(root) or "result")
        self.name = f"{title}_and_gradients"
        for node in self.nodes:
            self._forward(node)
        gradients = self._backward(root)
        told = [f"{name!r}: {d}" for name, d in gradients.items()]
        self._line("", [])
        self._line(f"return {self._says(root)}, {{{', '.join(told)}}}", [self.place[root]], told)
        self._whole(title, list(gradients))

    # --- forward ---

    def _forward(self, node: Node) -> None:
        if node.op is None:
            self._leaf(node)
            return
        if node.op is part:
            self._part(node)
            return
        name = ast.Name(self._name(node))
        right = self._right(node)
        line = f"{ast.unparse(name)} = {right}"
        where = self.names.where(node)
        self._line(line if where[:1] in ("", "<") else f"{line}  # {where}", [self.place[node]])
        self.known[node] = name

    def _leaf(self, node: Node) -> None:
        """Given data: an argument, or a small constant written out."""
        named = self.names.given(node) or self.names.variable(node)
        written = None if node.requires_grad or named else constant(node.raw)
        if written is None:
            name = self._name(node)
            self.arguments[name] = on_host(node.raw)
            written = ast.Name(name)
        self.known[node] = written

    def _part(self, node: Node) -> None:
        (bundle,) = node.inputs
        of = ast.Subscript(self.known[bundle], ast.Constant(node.params["index"]))
        self.known[node] = of

    def _name(self, node: Node) -> str:
        title = self.names.given(node) or self.names.variable(node)
        if title is None:
            title = "x" if node.op is None else f"v{self.place[node]}"
        return self._free(title)

    # --- backward ---

    def _backward(self, root: Node) -> dict[str, str]:
        """Lines for each contribution; the leaves' gradients by their names."""
        seed = seed_of(root)
        self._line("", [])
        self._line(f"{self._d(root)} = {seed_text(root, self._says(root))}", [self.place[root]])
        begun = {root}
        parts: dict[Node, dict[int, str]] = {}
        for node, g, added in backward(root, seed, self.nodes):
            if node.op is None or node.op is detach or not added:
                continue
            if isinstance(node, Bundle):
                arriving: Any = [
                    self._stand_in(
                        x, parts.get(node, {}).get(i) or f"np.zeros_like({self._says(node)}[{i}])"
                    )
                    for i, x in enumerate(g)
                ]
            else:
                arriving = self._stand_in(g, self._d(node), type(node))
            pulled = self._pulled(node, arriving)
            for one in added:
                x, gradient = one.input, pulled[one.position]
                if isinstance(x, Bundle):
                    ((index, inner),) = gradient.items()
                    parts.setdefault(x, {})[index] = self._says(inner)
                    continue
                right, target = self._flat(gradient, [self.place[node]]), self._d(x)
                text = f"{target} + {grouped(right)}" if x in begun else ast.unparse(right)
                begun.add(x)
                told = f"{target} = {text}  # {node.op.name}"
                self._line(told, [self.place[node], self.place[x]])
        leaves = [x for x in self.nodes if x.op is None and x in begun]
        return {ast.unparse(self.known[x]): self._d(x) for x in leaves}

    def _stand_in(self, raw: Any, told: str, kind: type | None = None) -> Node:
        """A leaf for a gradient that a line above has computed."""
        made: Any = (kind or Bundle.kind).of(raw)  # type: ignore[attr-defined]
        self.known[made] = ast.parse(told, mode="eval").body
        return made  # type: ignore[no-any-return]

    def _pulled(self, node: Node, g: Any) -> Sequence[Any]:
        """What the rules record, fed nodes."""
        op, inputs = node.op, node.inputs
        assert op is not None
        with record_everything():
            result: Any = node
            if isinstance(node, Bundle):
                result = parts_of(node)
                for i, x in enumerate(result):
                    self.known[x] = ast.Subscript(self.known[node], ast.Constant(i))
            if op.joint is not None:
                pulled = list(op.joint(g, result, *inputs, **node.params))
            else:
                pulled = [
                    rule(g, result, *inputs, **node.params) if rule and x.requires_grad else None
                    for x, rule in zip(inputs, op.rules, strict=True)
                ]
            for i, (x, gx) in enumerate(zip(inputs, pulled, strict=True)):
                if isinstance(gx, Node) and x.is_array and gx.shape != x.shape:
                    pulled[i] = sum_to(gx, shape=x.shape)
        return pulled

    def _d(self, node: Node) -> str:
        """The variable of a node's gradient."""
        return "d_" + re.sub(r"\W+", "_", self._says(node)).strip("_")

    # --- expressions ---

    def _right(self, node: Node) -> str:
        """A node's own operation, on its inputs' names."""
        assert node.op is not None
        params = {key: self._param(key, value) for key, value in node.params.items()}
        told = [self.known[x] for x in node.inputs]
        if (known := words(node, told, params)) is not None:
            return known
        text, called = formula(step_of(node), told, params)
        if called:
            self.imports[node.op.name] = node.op.__module__
            if node.op.outputs:
                self.imports["numpy as xp"] = "backends"
        return text

    def _flat(self, node: Any, about: list[int]) -> ast.expr:
        """All that a rule recorded as one expression; what is used twice has a line of its own."""
        if not isinstance(node, Node):
            return ast.parse(repr(node), mode="eval").body
        new = [x for x in history(node) if x not in self.known]
        uses = Counter(x for n in new for x in n.inputs)
        for x in reversed(new):
            if x.op is None:
                self._leaf(x)
            elif x.op is part:
                self._part(x)
            else:
                right = self._right(x)
                if x is not node and (uses[x] > 1 or isinstance(x, Bundle)):
                    name = self._free("t")
                    self._line(f"{name} = {right}", about)
                    right = name
                self.known[x] = ast.parse(right, mode="eval").body
        return self.known[node]

    def _param(self, key: str, value: Any) -> ast.expr:
        written = literal(value)
        if written is None:
            name = self._free(key)
            self.arguments[name] = value
            written = ast.Name(name)
        return written

    def _says(self, node: Node) -> str:
        return ast.unparse(self.known[node])

    def _free(self, wish: str) -> str:
        """An identifier like this that nothing has yet."""
        name = found = identifier(wish)
        i = 2
        while found in self.used or f"d_{found}" in self.used:
            found, i = f"{name}_{i}", i + 1
        self.used |= {found, f"d_{found}"}
        return found

    # --- the text ---

    def _line(self, text: str, about: list[int], items: Sequence[str] = ()) -> None:
        """Write a line; a long one as several, its `items` below each other, without comment."""
        code = text.partition("  # ")[0] if len(text) > WIDE - 4 else text
        lines = folded(f"    {code}", " " * 8).split("\n") if text else [""]
        if items and len(text) > WIDE - 4:
            start, _, _ = text.partition("{")
            lines = [f"    {start}{{", *[f"        {item}," for item in items], "    }"]
        self.written += lines
        self.about += [about] * len(lines)

    def _whole(self, title: str, leaves: list[str]) -> None:
        """Put the head before the lines."""
        imports = [
            "import numpy as np",
            *[f"from {m} import {name}" for name, m in sorted(self.imports.items())],
        ]
        by = ", ".join(leaves)
        head = [
            *imports, "", "",
            *folded(f"def {self.name}({', '.join(self.arguments)}):", " " * 8).split("\n"),
            f"    '''{title}, and its gradient by {by}.'''"
            if len(by) < WIDE - 40
            else f"    '''{title}, and its gradient by {len(leaves)} leaves.'''",
        ]  # fmt: skip
        self.text = "\n".join([*head, *self.written]) + "\n"
        self.about = [*[[] for _ in head], *self.about]
