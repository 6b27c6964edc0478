"""Loss and backward of micrograd's moons demo: MLP 2-16-16-1, 100 points, hinge loss and L2.

Written once, after the notebook `demo.ipynb` of micrograd (Karpathy 2020), and run with three
engines, ours also compiled: the loss is then a function that `autograd.jit` has recorded. Python's
own random numbers: the processes hold no more objects than they must, since the garbage collector
looks at all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin
from random import Random
from typing import Any

from . import Contestant, repeat

SIZES = [16, 16, 1]


def moons(points: int = 100, noise: float = 0.1) -> tuple[list[list[float]], list[int]]:
    """Two interleaved half circles with labels -1 and 1, as scikit-learn's `make_moons`."""
    random, half = Random(1337), points // 2
    angles = [pi * i / (half - 1) for i in range(half)]
    upper = [(cos(a), sin(a)) for a in angles]
    lower = [(1 - cos(a), 0.5 - sin(a)) for a in angles]
    x = [[a + random.gauss(0, noise), b + random.gauss(0, noise)] for a, b in upper + lower]
    return x, [-1] * half + [1] * half


def expression_for_expression(how: str = "eager") -> Contestant:
    """Micrograd's own `nn`, with our `Value` in the place of its: the same graph, node by node."""
    from micrograd import nn

    from autograd import Value

    nn.Value = Value
    return _contestant(Value, nn.MLP, _history, how)


def glassgrad(how: str = "eager") -> Contestant:
    """Our `nn.scalar`, whose neuron is one op."""
    from autograd import Value
    from nn import scalar

    return _contestant(Value, scalar.MLP, _history, how)


def micrograd() -> Contestant:
    """Micrograd as it comes."""
    from micrograd import engine, nn

    return _contestant(engine.Value, nn.MLP, _reachable)


def demo(number: Callable[[float], Any], mlp: Callable[..., Any]) -> tuple[Any, Callable[[], Any]]:
    """The demo's model, and the function that computes its loss, with a given engine."""
    x, y = moons()
    random = Random(1337)
    model = mlp(2, SIZES)
    for p in model.parameters():
        p.data = random.uniform(-1, 1)

    def loss() -> Any:
        inputs = [list(map(number, row)) for row in x]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * score).relu() for yi, score in zip(y, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        reg_loss = 1e-4 * sum(p * p for p in model.parameters())
        return data_loss + reg_loss

    return model, loss


def _contestant(
    number: Callable[[float], Any],
    mlp: Callable[..., Any],
    count: Callable[[Any], int],
    how: str = "eager",
) -> Contestant:
    model, loss = demo(number, mlp)
    facts: dict[str, Any] = {"nodes": count(loss()), "path": "eager"}
    function = _jitted(loss) if how == "compiled" else loss

    def step() -> Any:
        total = function()
        model.zero_grad()
        total.backward()
        return total

    def answer() -> list[float]:
        """The loss and every parameter's gradient."""
        found = [step().data, *(p.grad for p in model.parameters())]
        if how == "compiled":
            facts["path"] = _path(function)
        return found

    return Contestant(repeat(step), answer, facts)


def _jitted(loss: Callable[[], Any]) -> Any:
    from autograd.jit import jit

    function = jit(loss)
    function()  # as it stands; the next call is recorded
    return function


def _path(function: Any) -> str:
    """How a compiled function of Values has run, which must be as native code."""
    kinds = [program.machine.kind for program in (function.scalars or {}).values()]
    if kinds != ["native"]:
        raise RuntimeError(f"the loss ran as {kinds or 'it stands'}, not as native code")
    return "native"


def _history(root: Any) -> int:
    from autograd.node import history

    return len(history(root))


def _reachable(root: Any) -> int:
    found, stack = {root}, [root]
    while stack:
        new = stack.pop()._prev - found
        found |= new
        stack += new
    return len(found)
