"""`fit` of 10-64-32-1 with Adam, binary cross-entropy and accuracy: the README's example.

A repetition is an epoch of 200 batches of 32 samples, shuffled; the figure is per batch.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from . import Contestant, threads
from .data import initial_weights, samples

BATCH, BATCHES = 32, 200


def glassgrad() -> Contestant:
    """Our `nn`, operation by operation."""
    return _ours(jit=False)


def compiled() -> Contestant:
    """Our `nn` with compiled steps."""
    return _ours(jit=True)


def _ours(jit: bool) -> Contestant:
    import nn

    def restore(model: Any) -> None:
        for p, w in zip(model.parameters(), initial_weights("small"), strict=True):
            p.assign(w)

    return _contestant(nn.Sequential, nn.Dense, restore, "native" if jit else "eager", jit=jit)


def keras() -> Contestant:
    """Keras 3, on the backend that the environment variable KERAS_BACKEND names."""
    import keras

    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(threads())

    def model(layers: list[Any]) -> Any:
        return keras.Sequential([keras.Input((10,)), *layers])

    def dense(units: int, activation: str, input_shape: tuple[int] | None = None) -> Any:
        return keras.layers.Dense(units, activation)

    return _contestant(model, dense, lambda model: model.set_weights(initial_weights("small")))


def _contestant(
    sequential: Callable[..., Any],
    dense: Callable[..., Any],
    restore: Callable[[Any], None],
    path: str | None = None,
    **options: Any,
) -> Contestant:
    """`path` is how our own batches must run; the options are those of our `compile`."""
    x, y = samples("small", BATCH * BATCHES)

    def compiled() -> Any:
        hidden = dense(64, activation="relu", input_shape=(10,)), dense(32, activation="relu")
        model = sequential([*hidden, dense(1, activation="sigmoid")])
        model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"], **options)
        model.predict(x[:BATCH], verbose=0)  # builds the layers that have no input_shape
        restore(model)
        return model

    model = compiled()
    model.fit(x, y, epochs=1, batch_size=BATCH, verbose=0)  # compiles what there is to compile

    def run(k: int) -> dict[str, float]:
        restore(model)
        begin = perf_counter()
        history = model.fit(x, y, epochs=k, batch_size=BATCH, verbose=0)
        taken = perf_counter() - begin
        if getattr(history, "path", None) != path:
            raise RuntimeError(f"the batches ran as {history.path}, not as {path}")
        return {"seconds": taken / (k * BATCHES)}

    def answer() -> list[float]:
        history = compiled().fit(x, y, epochs=2, batch_size=BATCH, shuffle=False, verbose=0).history
        return [*history["loss"], *history["accuracy"]]

    return Contestant(run, answer, {"steps": BATCHES, "path": path})
