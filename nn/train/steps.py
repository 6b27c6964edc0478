"""Batches as compiled calls: what `fit`, `evaluate` and `predict` do with each, where that pays.

A step of training (prediction, loss, gradients, the optimizer's step) is one function, which
`autograd.jit` records and compiles.  Where it cannot be compiled the loop does it operation by
operation, with the same numbers but for their last digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import ref

from autograd import Tensor

from ..data import Data

if TYPE_CHECKING:
    from autograd.jit import Jitted

    from ..module import Module
    from .compiled import Compiled

__all__ = ["Steps", "pays"]

OVERHEAD, PER_STEP, PER_WEIGHT = 1.5e-4, 4e-5, 1e-10
"""Seconds that a batch takes uncompiled, about: for itself, for each step in time of a recurrent
layer, and per weight and sample."""

WORTH = 0.3
"""So many seconds without compilation are worth the wait for a compiler."""


def pays(model: Module, batches: int | None, size: int, times: int = 1) -> bool:
    """Whether compiling pays for so many batches of this size; where nobody knows, no.

    Samples have so many steps in time, if the model has recurrent layers (they have `gates`).
    """
    if batches is None:
        return False
    weights = sum(p.size for p in model.parameters())
    recurrent = sum(hasattr(module, "gates") for module in model.modules())
    once = OVERHEAD + PER_STEP * times * recurrent + PER_WEIGHT * weights * size
    return batches * once > WORTH


class Steps:
    """The compiled functions of a model, made when they are first asked for.

    Each takes the tensors of a batch, and returns None where the batch has to go the long way.
    """

    def __init__(self, model: Module, compiled: Compiled | None = None) -> None:
        # no cycle: the model holds what it was compiled with, and that holds these
        self.model, self.compiled = ref(model), ref(compiled) if compiled is not None else None
        self.functions: dict[str, Jitted] = {}
        self.on = False
        """Whether to compile at all, as the loop that runs has decided."""

    def train(self, batch: Data) -> Any:
        """A step of training: (prediction, loss), before the step."""
        return self._run("train", self._train, batch)

    def measure(self, batch: Data) -> Any:
        """(prediction, loss), learning nothing."""
        return self._run("measure", self._measure, batch)

    def predict(self, x: Any) -> Any:
        """The prediction."""
        return self._run("predict", self._predict, Data(x))

    @property
    def path(self) -> str:
        """How the batches of training went: "native", "replay" or "eager"."""
        function = self.functions.get("train")
        last = function.last if function is not None else None
        return last[1].kind if last is not None else "eager"

    @property
    def reason(self) -> str | None:
        """Why training could not be compiled, where it was tried."""
        function = self.functions.get("train")
        return function.reason if function is not None else None

    def _run(self, name: str, function: Callable[..., Any], batch: Data) -> Any:
        if not self.on:
            return None
        jitted = self.functions.get(name) or self._made(name, function)
        if batch.weight is None and batch.y.__class__ is batch.x.__class__ is Tensor:
            found = jitted.attempt(batch.x, batch.y)
        else:
            found = jitted.attempt(*batch)
        return None if found is jitted.MISS else found

    def _made(self, name: str, function: Callable[..., Any]) -> Jitted:
        from autograd.jit import Jitted

        made = self.functions[name] = Jitted(function, strict=False, at_once=True)
        return made

    # --- what is compiled ---

    def _train(self, *batch: Any) -> tuple[Tensor, Tensor]:
        from autograd.jit import finite

        model, compiled = self._model(), self._compiled()
        prediction, loss = self._measure(*batch)
        if not compiled.checked:
            compiled.find_strays(model, loss)
        finite(loss).backward()
        if not compiled.checked:
            compiled.check(model)
        compiled.optimizer.step()
        compiled.optimizer.zero_grad()
        return prediction, loss

    def _measure(self, *batch: Any) -> tuple[Tensor, Tensor]:
        return self._compiled().measure(self._model(), Data(*batch))

    def _predict(self, x: Any) -> Any:
        return self._model()(x)

    def _model(self) -> Module:
        model = self.model()
        assert model is not None
        return model

    def _compiled(self) -> Compiled:
        compiled = self.compiled() if self.compiled is not None else None
        assert compiled is not None
        return compiled
