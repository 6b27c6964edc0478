"""Functions of functions: gradients, products with the Jacobian, second derivatives.

Each takes a function and gives back what its derivative computes; none touches `.grad`.
Arguments are tensors, values, numbers, arrays, or lists, tuples and dicts of them; gradients come
in the same structure.  All nest, in any order:

    >>> from autograd import Tensor, grad, hessian
    >>> grad(grad(lambda x: x**3))(2.0)
    Tensor(12.0)
    >>> hessian(lambda x: (x**3).sum())(Tensor([1.0, 2.0]))
    Tensor([[ 6.  0.]
            [ 0. 12.]])

A gradient is part of the graph, to be differentiated again, where it was computed from something
outside that requires a gradient; under `no_grad` it never is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from backends import namespaces

from . import names
from .calls import Call, constant, flatten, gradients_of, like, rebuild
from .errors import AutogradError, GraphError, ShapeError
from .functions import stack
from .node import Node, current, enable_grad
from .tensor import Tensor
from .value import Value

__all__ = [
    "grad", "gradients", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp",
]  # fmt: skip


# --- gradients ---


def value_and_grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The function that gives f's value and its gradient by the arguments at `argnums`.

    f returns one number; with `has_aux` it returns (number, anything), and so does the first of
    the two results.  The gradient by one argument has that argument's structure; several
    `argnums` give a tuple of them.  What f does not depend on has gradient 0.

    >>> value_and_grad(lambda w: (w["a"] * w["b"]).sum())({"a": 2.0, "b": 3.0})
    (Tensor(6.0), {'a': Tensor(3.0), 'b': Tensor(2.0)})
    """

    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        run = Call("grad", f, args, argnums, kwargs, has_aux)
        y = run.one_number()
        gradient = run.in_structure(run.pull([y], [constant(y, 1)], run.attached, retain=False))
        value = run.told(run.result)
        return ((value, run.told(run.aux)) if has_aux else value), gradient

    return value_and_gradient


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The gradient of f, as a function of the same arguments: see `value_and_grad`."""
    both = value_and_grad(f, argnums)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


def gradients(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: bool = False,
) -> Any:
    """The gradients of outputs by inputs, tensors of one graph, in the structure of the inputs.

    Of several outputs the sum is differentiated, each weighted by its `grad_outputs` (1 for one
    number).  Inputs may be leaves or computed.  One that the outputs do not depend on is an
    error that names it, or has gradient None with `allow_unused`.

    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> h = x * x
    >>> gradients(h.sum(), [h, x])
    [Tensor([1. 1.]), Tensor([2. 4.])]
    """
    if isinstance(inputs, Iterator):
        inputs = list(inputs)
    ys, xs = _nodes("outputs", outputs), _nodes("inputs", inputs)
    for what, nodes in (("outputs", ys), ("inputs", xs)):
        for node in nodes:
            if not node.requires_grad:
                raise GraphError(
                    f"gradients: {names.describe(node)}, one of the {what}, requires no gradient. "
                    "Create the inputs with requires_grad=True, and compute outside no_grad()."
                )
    if grad_outputs is None:
        for y in ys:
            if isinstance(y, Tensor) and y.size != 1:
                raise ShapeError(
                    f"gradients: {names.describe(y)} is not one number. Reduce it, with .sum() or "
                    ".mean(), or pass grad_outputs=, the gradient of the loss by it."
                )
        gs = [constant(y, 1) for y in ys]
    else:
        gs = like("gradients", grad_outputs, ys, "grad_outputs")
    retain = isinstance(ys[0], Value) if retain_graph is None else retain_graph
    found = gradients_of(ys, gs, xs, create_graph, retain)
    unused = [names.describe(x) for x, g in zip(xs, found, strict=True) if g is None]
    if unused and not allow_unused:
        raise GraphError(
            "gradients: the outputs do not depend on\n  "
            + "\n  ".join(unused)
            + "\nUse it in the computation, or pass allow_unused=True to get None."
        )
    return rebuild(inputs, iter(found))


def _nodes(what: str, tree: Any) -> list[Node]:
    leaves = flatten(tree)
    for leaf in leaves:
        if not isinstance(leaf, Node):
            raise TypeError(f"gradients: {what} must be tensors or values, not {leaf!r:.60}")
    if not leaves:
        raise AutogradError(f"gradients: there are no {what}")
    return leaves


# --- products with the Jacobian ---


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """f(*primals), and the function that pulls a gradient by the result back to the primals.

    `pull(g)` takes what has the result's structure and returns one gradient per primal:
    gᵀ J, where J is the Jacobian.  It may be called any number of times.
    """
    run = Call("vjp", f, primals, range(len(primals)), {})

    def pull(g: Any) -> tuple[Any, ...]:
        gs = like("vjp", g, run.outputs, "gradients")
        create = bool(current().recording) and (run.attached or any(g.requires_grad for g in gs))
        pulled: tuple[Any, ...] = run.in_structure(run.pull(run.outputs, gs, create, retain=True))
        return pulled

    return run.told(run.result), pull


def jvp(f: Callable[..., Any], primals: Any, tangents: Any) -> tuple[Any, Any]:
    """f(*primals), and its derivative along the tangents: J v.

    `primals` and `tangents` are tuples, or for one argument that argument itself.  The product
    gᵀ J is linear in g, and its own transpose is J v: two reverse passes, no second set of rules
    (J. Townsend, "A new trick for calculating Jacobian vector products", 2017).
    """
    run = Call("jvp", f, _tuple(primals), range(len(_tuple(primals))), {})
    vs = like("jvp", tangents, run.variables, "tangents")
    attached = bool(current().recording) and (run.attached or any(v.requires_grad for v in vs))
    seeds = [constant(y, 0) for y in run.outputs]
    for seed in seeds:
        seed.requires_grad = True
    with enable_grad():
        pulled = run.pull(run.outputs, seeds, create_graph=True, retain=True)
    found = gradients_of(pulled, vs, seeds, attached, retain=False)
    ds = [constant(y, 0) if d is None else d for y, d in zip(run.outputs, found, strict=True)]
    return run.told(run.result), rebuild(run.result, iter(ds))


def _tuple(primals: Any) -> tuple[Any, ...]:
    return primals if isinstance(primals, tuple) else (primals,)


# --- Jacobians and second derivatives ---


def jacobian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The function that gives every derivative of f's results by the arguments at `argnums`.

    For a tensor of shape S computed from one of shape T it is a tensor of shape (*S, *T), made
    row by row: one backward pass per element of the result.  Structures nest: the result's
    holds the arguments'.
    """

    def derivatives(*args: Any, **kwargs: Any) -> Any:
        run = Call("jacobian", f, args, argnums, kwargs)
        return rebuild(run.result, (run.in_structure(_rows(run, y)) for y in run.outputs))

    return derivatives


def _rows(run: Call, y: Node) -> list[Any]:
    """∂y/∂x for each variable x of a recorded function."""
    if isinstance(y, Value):
        return run.pull([y], [constant(y, 1)], run.attached, retain=True)
    assert isinstance(y, Tensor)
    rows = []
    for k in range(y.size):
        seed = namespaces[type(y.raw)].zeros(y.size, dtype=y.dtype)
        seed[k] = 1
        seeds = [Tensor.of(seed.reshape(y.shape))]
        rows.append(run.pull([y], seeds, run.attached, retain=True))
    return [
        stack(column).reshape(*y.shape, *x.shape)
        for x, column in zip(run.variables, zip(*rows, strict=True), strict=True)
    ]


def hessian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The function that gives every second derivative of f, which returns one number.

    For an argument of shape T it is a tensor of shape (*T, *T).
    """
    return jacobian(grad(f, argnums), argnums)


def hvp(f: Callable[..., Any], primals: Any, vectors: Any) -> Any:
    """The product of f's Hessian at the primals with the vectors, without forming the Hessian.

    The Hessian is symmetric, so it is the gradient pulled back through f's gradient.  `primals`
    and `vectors` are tuples, as is the result, or for one argument that argument itself.
    """
    args = _tuple(primals)
    _, pull = vjp(grad(f, tuple(range(len(args)))), *args)
    products = pull(vectors if isinstance(primals, tuple) else (vectors,))
    return products if isinstance(primals, tuple) else products[0]
