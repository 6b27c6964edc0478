"""Operations in NumPy's words, for the derivative as code."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any

from ..jit.formula import Put, index, literal, subscript
from ..node import Node, Op
from ..ops.index import HERE
from .vocabulary import FUNCTIONS, returned

__all__ = ["SPECIAL", "WORDS", "results", "words"]

WORDS = {
    "matmul": "x @ y",
    "affine": "x @ w + b",
    "detach": "x",
    "to": "x",
    "clip": "np.clip(x, low, high)",
    "xlogy": "x * np.log(np.where(x == 0, 1, y))",
    "gelu": "x * normal_cdf(x)",
    "mean": "np.mean(x, axis=axis, keepdims=keepdims)",
    "var": "np.var(x, axis=axis, keepdims=keepdims, ddof=ddof)",
    "std": "np.std(x, axis=axis, keepdims=keepdims, ddof=ddof)",
    "norm": "np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))",
    "log_softmax": "x - logsumexp(x, axis=axis, keepdims=True)",
    "softmax_cross_entropy": "logsumexp(x, axis=-1) - "
    "np.take_along_axis(x, index[..., None], axis=-1)[..., 0]",
    "softmax_cross_entropy_grad": "g[..., None] * (softmax(x) - "
    "(index[..., None] == np.arange(x.shape[-1])))",
    "putitem": "put(g, at, shape)",
    "setitem": "setitem(x, y, at)",
    "additem": "additem(x, y, at)",
    "winners": "winners(x, at)",
    "gather": "x[along(index, axis)]",
    "putalong": "put(g, along(index, axis), shape)",
    "scatter_add": "additem(x, y, along(index, axis))",
    "embedding": "x[index]",
    "putrows": "put(g, index, shape)",
    "argsort": "np.argsort(x, axis=axis, kind='stable')",
    "conv_affine": "conv(x, w, stride=stride, padding=padding, dilation=dilation, groups=groups)"
    " + b",
    "fft": "as_pairs(np.fft.fft(as_complex(x), axis=axis))",
    "ifft": "as_pairs(np.fft.ifft(as_complex(x), axis=axis))",
    "rfft": "as_pairs(np.fft.rfft(x, axis=axis))",
    "irfft": "np.fft.irfft(as_complex(x), n, axis=axis)",
    "inv": "np.linalg.inv(x)",
    "solve": "np.linalg.solve(a, b)",
    "det": "np.linalg.det(x)",
    "slogdet": "np.linalg.slogdet(x)",
    "cholesky": "np.linalg.cholesky((x + np.swapaxes(x, -1, -2)) / 2)",
    "eigh": "np.linalg.eigh((x + np.swapaxes(x, -1, -2)) / 2)",
    "svd": "np.linalg.svd(x, full_matrices=False)",
    "qr": "np.linalg.qr(x)",
}
"""What NumPy, and our vocabulary of NumPy functions, has one line for, though the op's own forward
is longer: it is made for speed, for 16-bit numbers, for infinities.

Beside the op's inputs and params, `at` is the index that a pattern and its arrays make, and `shape`
that of the result.  What has no line here, no function of its name in the vocabulary and no
forward that is one expression of NumPy's is imported from where it was defined.
"""

EXACT = ("autograd.ops.shape", "autograd.ops.index")
"""Where ops move and choose elements, which half precision does as well as any other."""

NATIVE = ("add", "power", "matmul", "affine", "clip")
"""What NumPy, and the engine, compute in float16."""

SIZES = ("size", "stride", "padding", "dilation")
"""Params that have a number per axis of a window, or one for all."""

HALF = ("float16", "bfloat16")

Ast = ast.expr


def words(node: Node, told: list[Ast], params: dict[str, Ast]) -> str | None:
    """An operation in NumPy's words, where it has some."""
    op = node.op
    assert op is not None
    if not _ours(op):
        return None
    half = [x.is_array and str(getattr(x.raw, "dtype", "")) in HALF for x in node.inputs]
    if op.__module__ in EXACT or not any(half):
        return _words(node, told, params)
    name = node.inputs[half.index(True)].raw.dtype.name
    if name == "float16" and op.name in NATIVE:
        return _words(node, told, params)
    wide = [ast.parse(f"({ast.unparse(x)}).astype(np.float32)", mode="eval").body if h else x
            for x, h in zip(told, half, strict=True)]  # fmt: skip
    text = _words(node, wide, params)
    if text is None:
        return None
    kind = "np.float16" if name == "float16" else f"({ast.unparse(told[half.index(True)])}).dtype"
    back = f"[m.astype({kind}) for m in {text}]" if results(node) else f"({text}).astype({kind})"
    return ast.unparse(ast.parse(back))


def results(node: Node) -> tuple[str, ...]:
    """The names of what the words for an operation return; none where that is one result."""
    op = node.op
    assert op is not None
    if op.name in FUNCTIONS and _ours(op):
        return returned(op.name)
    return (*op.outputs, *(() if op.name in WORDS else op.keeps))


def _ours(op: Op) -> bool:
    """Whether it is the engine's, and not one of the user's that has a name of the vocabulary."""
    return op.__module__.startswith(("autograd.", "nn."))


def _words(node: Node, told: list[Ast], params: dict[str, Ast]) -> str | None:
    op = node.op
    assert op is not None
    if op.name in SPECIAL:
        text = SPECIAL[op.name](node, told, params)
        if text is not None:
            return text
    if op.name not in WORDS:
        return _call(node, told, params) if op.name in FUNCTIONS else None
    names: dict[str, Any] = {"shape": literal(tuple(getattr(node, "shape", ())))}
    if "pattern" in params:
        names["at"] = _index(node, told[len(op.inputs) - 1 :])
    names |= dict(zip(op.inputs, told, strict=False)) | params
    names |= {key: _one(value) for key, value in params.items() if key in SIZES}
    put = Put(names).visit(ast.parse(WORDS[op.name], mode="eval").body)
    return ast.unparse(ast.fix_missing_locations(_shortened(put)))


def _call(node: Node, told: list[Ast], params: dict[str, Ast]) -> str:
    """A call of the function in the vocabulary that has the op's name."""
    op = node.op
    assert op is not None
    given = dict(zip(op.inputs, told, strict=False))
    takes = inspect.signature(FUNCTIONS[op.name]).parameters
    call = ast.Call(ast.Name(op.name), [], [])
    for name in takes:
        if name in given and not call.keywords and name != "condition":
            call.args.append(given[name])
        elif name in given or name in params:
            value = given[name] if name in given else params[name]
            call.keywords.append(ast.keyword(name, _one(value) if name in SIZES else value))
    while call.args and _same(call.args[-1], [*takes.values()][len(call.args) - 1].default):
        call.args.pop()
    return ast.unparse(_shortened(call))


def _shortened(tree: Ast) -> Ast:
    """Calls of our vocabulary without the arguments that say what is so anyway."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func) in FUNCTIONS:
            takes = inspect.signature(FUNCTIONS[ast.unparse(call.func)]).parameters
            call.keywords = [k for k in call.keywords if not _same(k.value, takes[k.arg].default)]  # type: ignore[index]
    return tree


def _same(told: Ast, default: Any) -> bool:
    return isinstance(told, ast.Constant) and told.value == default


def _one(told: Ast) -> Ast:
    """One number, where it stands for each axis."""
    while isinstance(told, ast.Tuple) and len({ast.dump(x) for x in told.elts}) == 1:
        told = told.elts[0]
    return told


def _index(node: Node, arrays: list[Ast]) -> Ast:
    """What stands in the brackets of x[…], as a value."""
    rest = iter(arrays)
    parts = [next(rest) if p is HERE else index(p) for p in node.params["pattern"]]
    if len(parts) == 1 and not isinstance(parts[0], ast.Slice):
        return parts[0]  # type: ignore[return-value]
    return ast.parse(subscript(ast.parse("np.s_", mode="eval").body, parts), mode="eval").body


def _sum_to(node: Node, told: list[Ast], params: dict[str, Ast]) -> str:
    shape, wanted = node.inputs[0].shape, node.params["shape"]
    extra = len(shape) - len(wanted)
    axes = (*range(extra), *(i + extra for i, n in enumerate(wanted) if n != shape[i + extra]))
    summed = f"np.sum({ast.unparse(told[0])}, axis={axes}, keepdims=True)"
    return f"{summed}.reshape({wanted})" if extra else summed


def _moved(node: Node, told: list[Ast], params: dict[str, Ast]) -> str | None:
    """What stays as it is: a reshape to the same shape, a transpose of axes in order; x.T.T."""
    if isinstance(told[0], ast.Attribute) and told[0].attr == "T" and "axes" in params:
        return ast.unparse(told[0].value) if node.params["axes"] is None else None
    axes = node.params.get("axes", ())
    still = node.shape == node.inputs[0].shape if not axes else axes == tuple(range(len(axes)))
    return ast.unparse(told[0]) if still and axes is not None else None


def _ones(node: Node, told: list[Ast], params: dict[str, Ast]) -> str | None:
    """(x == 0).astype(…) * 0 + 1, as rules have it, which also holds where x is not finite."""
    match told:
        case [
            ast.BinOp(
                ast.Call(ast.Attribute(ast.Compare(x, [ast.Eq()], [ast.Constant(0)]), "astype")),
                ast.Mult(),
                ast.Constant(0),
            ),
            ast.Constant(1),
        ]:
            return f"np.ones_like({ast.unparse(x)})"
    return None


def _triangle(node: Node, told: list[Ast], params: dict[str, Ast]) -> str | None:
    assert node.op is not None
    return f"np.{node.op.name}({ast.unparse(told[0])})" if node.params["k"] == 0 else None


def _power(node: Node, told: list[Ast], params: dict[str, Ast]) -> str | None:
    return ast.unparse(told[0]) if node.params["n"] == 1 else None


def _dot(node: Node, told: list[Ast], params: dict[str, Ast]) -> str:
    bias, *rest = told
    n = len(rest) // 2
    products = [ast.BinOp(w, ast.Mult(), x) for w, x in zip(rest[:n], rest[n:], strict=True)]
    return " + ".join([ast.unparse(x) for x in (*products, bias)])


def _gather(node: Node, told: list[Ast], params: dict[str, Ast]) -> str | None:
    """NumPy's own word, which broadcasts the index, where it has nothing to broadcast."""
    x, at = node.inputs[0].shape, node.inputs[1].shape
    axis = node.params["axis"] % len(x)
    if x[:axis] + x[axis + 1 :] != at[:axis] + at[axis + 1 :]:
        return None
    return f"np.take_along_axis({ast.unparse(told[0])}, {ast.unparse(told[1])}, axis={axis})"


def _argsort(node: Node, told: list[Ast], params: dict[str, Ast]) -> str | None:
    """Falling: sorted from behind, so that equal elements stay in order."""
    if not node.params["descending"]:
        return None
    x, axis = ast.unparse(told[0]), node.params["axis"]
    order = f"np.argsort(np.flip({x}, {axis}), axis={axis}, kind='stable')"
    return f"{node.shape[axis] - 1} - np.flip({order}, {axis})"


def _clip(node: Node, told: list[Ast], params: dict[str, Ast]) -> str | None:
    """With one limit that is the larger, or the smaller, of two."""
    low, high = node.params["low"], node.params["high"]
    if low is not None and high is not None:
        return None
    x = ast.unparse(told[0])
    if low is not None:
        return f"np.maximum({x}, {ast.unparse(params['low'])})"
    return x if high is None else f"np.minimum({x}, {ast.unparse(params['high'])})"


SPECIAL: dict[str, Callable[[Node, list[Ast], dict[str, Ast]], str | None]] = {
    "sum_to": _sum_to, "power": _power, "dot": _dot, "gather": _gather, "argsort": _argsort,
    "clip": _clip, "reshape": _moved, "transpose": _moved, "tril": _triangle, "triu": _triangle,
    "add": _ones,
}  # fmt: skip
"""Ops whose words depend on shapes or params; None where those of `WORDS` will do."""
