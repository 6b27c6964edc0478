"""What `nn.Record(every=10)` costs a training: `fit` with it and without, in turns, in one process.

mlp   64-128-128-10, batch 64          cnn   conv 16, pool, conv 32, dense 10, batch 32
lstm  embedding, LSTM of 64, 32 steps  gpt   2 layers of 64, context 32, batch 16

It is the processor's time that counts, not the clock's: what else the machine does weighs less.
A repetition is an epoch without and one with the recorder, either first in its turn, of the same
model, whose training goes on: both do the same work.
"""

from __future__ import annotations

from itertools import cycle, islice
from time import process_time
from typing import Any

import numpy as np

from . import Contestant

__all__ = ["glassgrad"]

BATCHES = {"mlp": 8000, "cnn": 2000, "lstm": 800, "gpt": 400}
SIZES = {"mlp": 64, "cnn": 32, "lstm": 32, "gpt": 16}


def glassgrad(net: str, jit: str) -> Contestant:
    """Our `fit`, "compiled" or "eager"."""
    import autograd
    import nn

    autograd.seed(0)
    compiled, size = jit == "compiled", SIZES[net]
    model, x, y = _model(nn, net, size * (BATCHES[net] if compiled else BATCHES[net] // 4))
    model.compile("adam", nn.SparseCategoricalCrossentropy(from_logits=True), jit=compiled)

    def epoch(*callbacks: Any) -> float:
        begin = process_time()
        history = model.fit(x, y, batch_size=size, verbose=0, callbacks=callbacks)
        taken = process_time() - begin
        if history.path != ("native" if compiled else "eager"):
            raise RuntimeError(f"the batches ran as {history.path}")
        return taken

    epoch(nn.Record())  # compiles what there is to compile
    steps = len(x) // size

    turns = cycle([(False, True), (True, False)])

    def run(k: int) -> dict[str, float]:
        spent = {False: 0.0, True: 0.0}
        for order in islice(turns, k):
            for recorded in order:
                spent[recorded] += epoch(*[nn.Record()][:recorded])
        return {"seconds": spent[True] / (k * steps), "without": spent[False] / (k * steps)}

    return Contestant(run, facts={"steps": 2 * steps})


def _model(nn: Any, net: str, count: int) -> tuple[Any, Any, Any]:
    random = np.random.default_rng(0)
    if net == "mlp":
        hidden = [nn.Dense(128, activation="relu") for _ in range(2)]
        x = random.standard_normal((count, 64), "float32")
        return nn.Sequential([*hidden, nn.Dense(10)]), x, random.integers(0, 10, count)
    if net == "cnn":
        model = nn.Sequential([
            nn.Conv2D(16, 3, activation="relu"), nn.MaxPooling2D(2),
            nn.Conv2D(32, 3, activation="relu"), nn.Flatten(), nn.Dense(10),
        ])  # fmt: skip
        x = random.standard_normal((count, 16, 16, 1), "float32")
        return model, x, random.integers(0, 10, count)
    ids = random.integers(0, 65, (count, 33))
    if net == "lstm":
        layers = [nn.Embedding(65, 64), nn.LSTM(64, return_sequences=True), nn.Dense(65)]
        return nn.Sequential(layers), ids[:, :-1], ids[:, 1:]
    return nn.GPT(65, 32, 64, 2, 4), ids[:, :-1], ids[:, 1:]
