"""Writes a graph and its backward pass as the text of a function, line by line."""

from __future__ import annotations

import ast
import keyword
import re
from collections import Counter
from collections.abc import Sequence
from types import FrameType
from typing import Any

from ..errors import AutogradError
from ..jit.formula import formula, literal, settled
from ..jit.line_breaks import WIDE, assigned, folded
from ..names import Names
from ..node import Node, history, record_everything
from ..ops.shape import detach, sum_to
from ..several import Bundle, part, parts_of
from .numpy_literals import constant, grouped, identifier, on_host, seed_text, step_of
from .numpy_words import results, words
from .trace.backward import Contribution, backward, seed_of
from .trace.capture import in_order
from .vocabulary import FUNCTIONS, texts

__all__ = ["Writer"]

Taken = dict[Node, dict[int, Node | None]]
"""Of an operation with several results, in a rule, the places of those that are used, and the input
whose gradient such a result begins."""

LIMIT = 3_000
"""The nodes of a computation that is written as code at most."""


class Writer:
    """The text of a graph and its backward pass as a function, and what each line is about."""

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
        self.parts: dict[Node, dict[int, ast.expr]] = {}
        self.used: set[str] = {*keyword.kwlist, *FUNCTIONS, "np", "xp"}
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
        if isinstance(node, Bundle):
            parts = [x for x in self.nodes if x.op is part and x.inputs[0] is node]
            named = {x.params["index"]: self._name(x) for x in parts}
            left = self._unpacked(node, named)
        else:
            left = self._name(node)
        line, where = f"{left} = {self._right(node)}", self.names.where(node)
        self._line(line if where[:1] in ("", "<") else f"{line}  # {where}", [self.place[node]])
        if not isinstance(node, Bundle):
            self.known[node] = ast.Name(left)

    def _unpacked(self, node: Bundle, named: dict[int, str], rest: str = "") -> str:
        """The left-hand side for several results: a name for each, `rest` for those unnamed."""
        assert node.op is not None
        made = results(node)
        places = [*node.op.outputs, *node.op.keeps]
        at = [places.index(name) for name in made] if made else [0]
        told = [named.get(i) or rest or self._free(places[i]) for i in at]
        self.parts[node] = {i: ast.Name(name) for i, name in zip(at, told, strict=True)}
        self.known[node] = ast.Constant(None)  # which nobody reads as a whole
        return ", ".join(told) + "," * (len(made) == 1)

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
        self.known[node] = self.parts[bundle][node.params["index"]]

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
                    self._stand_in(x, parts.get(node, {}).get(i) or self._zeros(node, i))
                    for i, x in enumerate(g)
                ]
            else:
                arriving = self._stand_in(g, self._d(node), type(node))
            pulled = self._pulled(node, arriving)
            taken = self._taken(added, pulled, begun)
            for one in added:
                x, gradient = one.input, pulled[one.position]
                if isinstance(x, Bundle):
                    ((index, inner),) = gradient.items()
                    parts.setdefault(x, {})[index] = self._says(inner)
                    continue
                right, target = self._flat(gradient, [self.place[node]], taken), self._d(x)
                if x not in begun and ast.unparse(right) == target:
                    begun.add(x)
                    continue
                text = f"{target} + {grouped(right)}" if x in begun else ast.unparse(right)
                begun.add(x)
                told = f"{target} = {text}  # {node.op.name}"
                self._line(told, [self.place[node], self.place[x]])
        leaves = [x for x in self.nodes if x.op is None and x in begun]
        return {ast.unparse(self.known[x]): self._d(x) for x in leaves}

    def _taken(self, added: list[Contribution], pulled: Sequence[Any], begun: set[Node]) -> Taken:
        """Of operations with several results those that are used, and the input whose gradient
        each begins, where it does."""
        wanted = [pulled[one.position] for one in added if not isinstance(one.input, Bundle)]
        taken: Taken = {}
        for x in history(*[x for x in wanted if isinstance(x, Node)]):
            if x.op is part and x.inputs[0] not in self.parts:
                taken.setdefault(x.inputs[0], {})[x.params["index"]] = None
        met = set(begun)
        for one in added:
            x = pulled[one.position]
            if isinstance(x, Node) and x.op is part and one.input not in met:
                places, i = taken.get(x.inputs[0], {}), x.params["index"]
                if i in places and places[i] is None:
                    places[i] = one.input
            met.add(one.input)
        return taken

    def _zeros(self, node: Node, i: int) -> str:
        return f"np.zeros_like({ast.unparse(self.parts[node][i])})"

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
                    self.known[x] = self.parts[node].get(i, ast.Constant(None))
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
        step = step_of(node)
        if (known := words(node, told, params)) is not None:
            return settled(step, known)
        text, called = formula(step, told, params)
        if called:
            name = own = node.op.name
            if own in FUNCTIONS:  # which the text may need as well
                text, name = re.sub(rf"\b{own}\b", f"{own}_op", text, count=1), f"{own} as {own}_op"
            self.imports[name] = node.op.__module__
            if node.op.outputs:
                self.imports["numpy as xp"] = "backends"
        return text

    def _flat(self, node: Any, about: list[int], taken: Taken) -> ast.expr:
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
            elif isinstance(x, Bundle):
                begins = {i: y for i, y in taken[x].items() if y is not None}
                named = {
                    i: self._d(begins[i]) if i in begins else self._free("t") for i in taken[x]
                }
                right = self._right(x)
                where = [*about, *[self.place[y] for y in begins.values()]]
                self._line(f"{self._unpacked(x, named, '_')} = {right}", where)
            else:
                right = self._right(x)
                if x is not node and uses[x] > 1 and not right.isidentifier():
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
        lines = assigned(f"    {code}") if text else [""]
        if items and len(text) > WIDE - 4:
            start, _, _ = text.partition("{")
            lines = [f"    {start}{{", *[f"        {item}," for item in items], "    }"]
        self.written += lines
        self.about += [about] * len(lines)

    def _whole(self, title: str, leaves: list[str]) -> None:
        """Put the head before the lines, and the functions that they call behind."""
        body = ast.walk(ast.parse("\n".join(["def body():", *self.written])))
        used = {x.id for x in body if isinstance(x, ast.Name)}
        imports, functions = texts([name for name in FUNCTIONS if name in used])
        imports += [f"from {m} import {name}" for name, m in sorted(self.imports.items())]
        by = ", ".join(leaves)
        head = [
            *imports, "", "",
            *folded(f"def {self.name}({', '.join(self.arguments)}):", " " * 8).split("\n"),
            f"    '''{title}, and its gradient by {by}.'''"
            if len(by) < WIDE - 40
            else f"    '''{title}, and its gradient by {len(leaves)} leaves.'''",
        ]  # fmt: skip
        behind = "".join([f"\n\n{text}" for text in functions]).splitlines()
        self.text = "\n".join([*head, *self.written, *behind]) + "\n"
        self.about = [*[[] for _ in head], *self.about, *[[] for _ in behind]]
