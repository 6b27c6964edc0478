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
takes them; the right-hand sides are the ops' own formulas and rules.  What NumPy has no word for, a
convolution or an LSTM, is a short function of the text's own, behind it (see `vocabulary`).  What
`jit` makes of a function, with algebra done and dead code removed, is another text:
`jitted.python`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import backends

from ..errors import AutogradError
from ..node import Node
from .derivative_text import Writer

__all__ = ["Source", "source"]

host = backends.get("numpy")


def source(f: Any, *args: Any) -> Source:
    """The gradient of a recorded result, or of a function called with these arguments, as code.

    The result must be one number.  `str()` is the text, a module with one function, which takes
    the leaves of the graph as NumPy arrays and returns (result, gradients by name); `run()` calls
    it with the leaves' data.  It imports NumPy alone; only operations of your own, and checkpoints,
    are imported from where they were defined.

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
            writer = Writer(root, frame)
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
        with host.errstate(all="ignore"):
            return self.function(**self.arguments)

    def __str__(self) -> str:
        return self.text.rstrip()
