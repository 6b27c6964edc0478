"""Mixed precision: a model that computes in 16 bits and learns in 32 (Micikevicius et al. 2018).

    model.astype("float16")
    optimizer, scale = Adam(model.parameters()), LossScale()
    for x, y in batches:
        loss = loss_function(model(x.astype("float16")), y)
        scale(loss).backward()
        scale.step(optimizer)
        optimizer.zero_grad()

The optimizer keeps a float32 *master* of each 16-bit parameter, in which small steps add up (§3.1;
see `flat.Flat`).  The loss is multiplied, so that small gradients are not 0 in float16, and the
gradients, in float32, are divided by the same before they are used (§3.2).  bfloat16 has float32's
range and needs no loss scale.  A model that got its 16 bits after its optimizer was bound has to be
bound again: `optimizer.bind(model)`.
"""

from __future__ import annotations

import math
from typing import Any

from autograd import Tensor

from .clipping import norm
from .flat import Stretch
from .optimizer import Optimizer

__all__ = ["LossScale"]


class LossScale:
    """A factor on the loss, as large as it can be: gradients are then far from 0.

    It grows by `growth` after `every` steps in a row whose gradients were finite.  A step with
    one that is infinite or NaN is left out, and the factor is divided by `growth`.  Finding that
    out reads one number from the device at each step.
    """

    def __init__(self, scale: float = 2.0**15, growth: float = 2.0, every: int = 2000) -> None:
        if not (scale > 0 and growth > 1 and every > 0):
            raise ValueError(
                f"LossScale: scale and every must be above 0 and growth above 1, not {scale!r}, "
                f"{every!r} and {growth!r}"
            )
        self.scale, self.growth, self.every = float(scale), growth, every
        self.good = self.skipped = 0

    def __call__(self, loss: Tensor) -> Tensor:
        """The loss to call `backward` on; in float32, for a factor that float16 may not hold."""
        scaled = (loss.astype("float32") if loss.dtype.itemsize == 2 else loss) * self.scale
        scaled.note("scale", self.scale)  # for who wants to know the loss itself
        return scaled

    def step(self, optimizer: Optimizer) -> bool:
        """The optimizer's step with the gradients divided by the factor; whether it was taken."""
        gradients = optimizer.gather()
        if not math.isfinite(norm(gradients)):
            self.scale = max(self.scale / self.growth, 1.0)
            self.good = 0
            self.skipped += 1
            return False
        optimizer.step(self._divided(gradients))
        self.good += 1
        if self.good == self.every:
            self.scale, self.good = self.scale * self.growth, 0
        return True

    def _divided(self, gradients: list[list[Stretch]]) -> list[list[Stretch]]:
        return [[(a, b, g * (1 / self.scale)) for a, b, g in found] for found in gradients]

    def state_dict(self) -> dict[str, Any]:
        """What changes as it runs."""
        return {"scale": self.scale, "good": self.good, "skipped": self.skipped}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.scale = float(state["scale"])
        self.good, self.skipped = int(state["good"]), int(state["skipped"])

    def __repr__(self) -> str:
        return f"LossScale({self.scale:g}, {self.skipped} steps skipped)"
