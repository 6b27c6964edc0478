"""`EMA`: a running average of a model's weights, which often generalises better than the last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from autograd import Tensor, no_grad

__all__ = ["EMA"]


class EMA:
    """averageₜ = decay · averageₜ₋₁ + (1 - decay) · weightₜ (Polyak & Juditsky 1992).

        ema = EMA(model, decay=0.999)
        for x, y in batches:
            ...
            optimizer.step()
            ema.update()
        with ema.swapped():
            model.evaluate(x_test, y_test)

    Averaged are the parameters; other tensors, such as running statistics, are the model's own.
    It begins with the weights as they are.  As a callback of `fit`, where the model can be left
    out, it updates after every batch.  Averages of 16-bit weights are kept in float32.
    """

    def __init__(self, model: Any = None, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"EMA: decay must be in [0, 1), not {decay!r}")
        self.decay = decay
        self.averages: dict[str, Tensor] = {}
        self.model = model
        if model is not None and not model.unbuilt():
            self._begin()

    def _begin(self) -> None:
        self.averages = {path: _wide(p) for path, p in self._parameters()}

    def _parameters(self) -> list[tuple[str, Tensor]]:
        if self.model is None:
            raise ValueError("EMA: it has no model yet; use EMA(model), or give it to fit")
        found: list[tuple[str, Tensor]] = self.model.named_parameters()
        return found

    def update(self) -> None:
        """Take in the weights as they are now."""
        parameters = self._parameters()
        if not self.averages:
            self._begin()
        with no_grad():
            for path, p in parameters:
                average, now = self.averages[path], p
                if average.dtype != now.dtype:
                    now = now.astype(average.dtype)
                average.assign(average + (1 - self.decay) * (now - average))

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """In this block the model has the averages for weights."""
        kept = {path: p.detach() for path, p in self._parameters()}
        self.apply()
        try:
            yield
        finally:
            for path, p in self._parameters():
                p.assign(kept[path].raw)

    def apply(self) -> None:
        """Give the model the averages for weights, for good."""
        for path, p in self._parameters():
            if path in self.averages:
                p.assign(self.averages[path].raw.astype(p.raw.dtype))

    def state_dict(self) -> dict[str, Any]:
        """Path → average, as arrays on the host."""
        return {path: average.numpy().copy() for path, average in self.averages.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._begin()
        if wrong := set(state) ^ set(self.averages):
            raise ValueError(f"EMA: the state and the model differ in {', '.join(sorted(wrong))}")
        for path, average in self.averages.items():
            average.assign(state[path])

    # --- as a callback of `fit` ---

    def set_model(self, model: Any) -> None:
        """Average this model, where there was none or another."""
        if model is not self.model:
            self.model, self.averages = model, {}

    def on_train_begin(self, logs: Any) -> None:
        """Begin with the weights as they are, unless it has begun."""
        if not self.averages:
            self._begin()

    def on_train_batch_end(self, batch: int, logs: Any) -> None:
        """Take in the weights."""
        self.update()

    def __repr__(self) -> str:
        return f"EMA(decay={self.decay:g}, {len(self.averages)} parameters)"


def _wide(p: Tensor) -> Tensor:
    """A copy, of 16-bit numbers in float32."""
    return Tensor.of(p.raw.astype("float32") if p.raw.dtype.itemsize == 2 else p.raw.copy())
