"""`Observer`: who looks on at the steps of an optimizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from autograd import Tensor

from .flat import Stretch

if TYPE_CHECKING:
    from .optimizer import Optimizer

__all__ = ["Observer"]


class Observer(Protocol):
    """Who looks at the steps of an optimizer, as its `observer`; `nn.Record` does.

    `fit` asks whether the next step is `due` to be seen, and shows what was computed in it.
    """

    next: int
    """No step before this one is shown."""

    def due(self, optimizer: Optimizer) -> bool:
        """Whether gradients have to be at hand after the next step of `fit`."""

    def see(self, run: Any, loss: Tensor, batch: Any) -> None:
        """A batch of `fit` that was due is done; gradients are still there."""

    def before(
        self, optimizer: Optimizer, gradients: list[list[Stretch]], loss: Any = None
    ) -> None:
        """A step is about to be taken, with these gradients, before they are clipped.

        A compiled step only computes them then, and leaves them in the same arrays until the next,
        and the loss in one more; it does not say when it is done.
        """

    def after(self, optimizer: Optimizer) -> None:
        """The step has been taken."""

    def cancel(self) -> None:
        """A compiled step was not taken after all."""

    def end(self) -> None:
        """The training has ended, or was left by an error."""
