"""How gradients flow back through a model: healthy, or where they are lost, and why.

One backward pass over a few samples with the graph kept, after which every node has its gradient.
The quantity followed is the root mean square of the gradient that arrives at what a layer computes
from its weights, before the activation: what Glorot and Bengio (2010, section 4.2) plot per layer.
It falls or grows by a factor per layer, and the factors multiply.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from autograd import names, random
from autograd.reverse import observing

from ..data.arrays import quiet
from ..mode import training
from .layers import (
    BLOCKED,
    EXPLODES,
    Layer,
    around,
    judge_each,
    layers_of,
    mend,
    worst_of,
)

if TYPE_CHECKING:
    from ..module import Module

__all__ = ["SAMPLES", "Flow", "Layer", "measure", "traced"]

SAMPLES = 256
"""How many samples are looked at."""


@dataclass
class Flow:
    """The verdict: "healthy", "vanishes", "explodes", "blocked", "none" where there is no gradient,
    or "unknown" where there was an error.

    Printed it is one line.  `layers` has the numbers behind it, from the input to the output, with
    a verdict on each; `table()` shows them.
    """

    verdict: str
    layers: list[Layer]
    at: str = ""
    cause: str = ""
    fix: str = ""

    def __str__(self) -> str:
        if self.verdict == "healthy":
            sizes = [layer.gradient for layer in self.layers]
            ends = f"|g| {sizes[0]:.1e} at {self.layers[0].name}"
            if len(sizes) > 1:
                ends += f", {sizes[-1]:.1e} at {self.layers[-1].name}"
            return f"gradient flow: healthy ({ends})"
        place = f" at {self.at}" if self.at else ""
        fix = f"; {self.fix}" if self.fix else ""
        return f"gradient flow: {self.verdict}{place}: {self.cause}{fix}"

    def table(self) -> str:
        """A line per layer: its gradient, how that compares with the next one's, its weights, its
        verdict, and where that is not "healthy" the likely cause and what to try."""
        rows = [("layer", "|g|", "of next", "weights", "verdict", "")]
        for i, layer in enumerate(self.layers):
            following = next((x.gradient for x in self.layers[i + 1 :] if x.gradient), None)
            ratio = "" if following is None else f"{layer.gradient / following:.2g}"
            told = f"{layer.cause}; {layer.fix}" if layer.cause else ""
            rows.append((
                layer.name, f"{layer.gradient:.1e}", ratio, f"{layer.weights:.1e}", layer.verdict,
                told,
            ))  # fmt: skip
        return f"{self}\n{names.table(rows)}"


def measure(model: Module, compiled: Any, batch: Any) -> Flow:
    """The verdict on this model with this batch, as in training: with the batch's own statistics.

    It leaves no trace: gradients, running statistics and the random stream stay as they are.  An
    error is the verdict too, and no reason to lose the training that came before.
    """
    try:
        with traced(model, compiled, batch) as loss:
            return judge(layers_of(loss, {p: name for name, p in model.named_parameters()}))
    except Exception as error:
        why = str(error).partition("\n")[0]
        return Flow("unknown", [], cause=f"it could not be judged, {type(error).__name__}: {why}")


@contextmanager
def traced(model: Module, compiled: Any, batch: Any) -> Iterator[Any]:
    """The loss of a batch as in training, whose graph is kept, and has all its gradients.

    Afterwards gradients, running statistics and the random stream are what they were.
    """
    parameters = model.parameters()
    before = [p._grad for p in parameters]
    buffers = [(b, b.raw.copy(), b.order) for b in model.buffers]
    for p in parameters:
        p._grad = None
    token = observing.set(None)
    try:
        with training(True), quiet(), random.using(random.Generator(0)):
            _, loss = compiled.measure(model, batch)
            loss.backward(retain_graph=True)
        yield loss
    finally:
        observing.reset(token)
        for p, gradient in zip(parameters, before, strict=True):
            p._grad = gradient
        for buffer, raw, order in buffers:
            buffer.assign(raw)
            buffer.order = order


# --- what it means ------------------------------------------------------------------------


def judge(layers: list[Layer]) -> Flow:
    """The verdict on these layers, and on each of them."""
    judge_each(layers)
    if not layers:
        return Flow("none", layers, cause="no weights lie on the way from the input to the loss")
    sizes = [layer.gradient for layer in layers]
    last = len(layers) - 1
    if sizes[last] == 0:
        worst = worst_of(layers[last])
        if worst and worst.share >= BLOCKED:
            return _vanishes(layers, last)
        return Flow("none", layers, cause="the loss is flat here, its gradient is 0 everywhere")
    for i, rest in reversed(list(enumerate(around(layers)))):
        if not isfinite(sizes[i]) or sizes[i] > EXPLODES * rest.smallest:
            return _explodes(layers, i)
        if rest.vanishes(sizes[i]):
            return _vanishes(layers, i)
    for i, layer in enumerate(layers[:last]):
        worst = worst_of(layer)
        if worst and worst.share >= BLOCKED:
            cause = f"{worst}; {_size(layers, i)}"
            return Flow("blocked", layers, layer.name, cause, mend(worst))
    return Flow("healthy", layers)


def _size(layers: list[Layer], i: int) -> str:
    """|g|, and how it compares with that of the next layer that has one."""
    told = f"|g| {layers[i].gradient:.1e}"
    following = next((layer for layer in layers[i + 1 :] if layer.gradient), None)
    if following is None:
        return told
    return f"{told}, {layers[i].gradient / following.gradient:.2g} of {following.name}'s"


def _vanishes(layers: list[Layer], i: int) -> Flow:
    for k, layer in enumerate(layers[: i + 1]):  # the first dead layer leaves dead ones behind it
        worst = worst_of(layer)
        if worst and worst.share >= BLOCKED:
            cause = f"{_size(layers, k)}; {worst}"
            return Flow("vanishes", layers, layer.name, cause, mend(worst))
    if around(layers)[i].passed_by:
        told = f"|g| {layers[i].gradient:.1e}; {layers[i].cause}"
        return Flow("vanishes", layers, layers[i].name, told, layers[i].fix)
    worst = max((w for w in map(worst_of, layers[i:]) if w), key=lambda a: a.share, default=None)
    gains = sorted(layer.gain for layer in layers[i + 1 :])
    if worst and worst.share >= 0.5:
        at = next(layer.name for layer in layers[i:] if worst in layer.activations)
        cause, fix = f"in {at} {worst}" if at != layers[i].name else str(worst), mend(worst)
    elif gains and gains[len(gains) // 2] < 0.2:
        cause = f"the weights of {layers[i + 1].name} are small, {layers[i + 1].weights:.1e}"
        fix = "start from he_normal or glorot_uniform"
    else:
        steps = len(layers) - 1 - i
        kept = (layers[i].gradient / layers[-1].gradient) ** (1 / steps)
        kinds = {a.name for layer in layers[i:] for a in layer.activations}
        cause = f"too deep, each of {steps} layers keeps {kept:.2g} of it"
        fix = "use ReLU with he_normal" if kinds & {"sigmoid", "tanh"} else "add skip connections"
        fix += ", or fewer layers"
    return Flow("vanishes", layers, layers[i].name, f"{_size(layers, i)}; {cause}", fix)


def _explodes(layers: list[Layer], i: int) -> Flow:
    fix = (
        "lower the learning rate, start from smaller weights (he_normal, glorot_uniform), "
        "or compile with clip_norm=1"
    )
    if not isfinite(layers[i].gradient):
        return Flow("explodes", layers, layers[i].name, f"|g| is {layers[i].gradient}", fix)
    steps = len(layers) - 1 - i
    grows = (layers[i].gradient / layers[-1].gradient) ** (1 / steps)
    gain = max(layers[i + 1 :], key=lambda layer: layer.gain)
    cause = (
        f"{_size(layers, i)}; each of {steps} layers multiplies it by {grows:.2g}, "
        f"the weights of {gain.name} are large, {gain.weights:.1e}"
    )
    return Flow("explodes", layers, layers[i].name, cause, fix)
