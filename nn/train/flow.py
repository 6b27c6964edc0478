"""How gradients flow back through a model: healthy, or where they are lost, and why.

One backward pass over a few samples with the graph kept, after which every node has its gradient.
The quantity followed is the root mean square of the gradient that arrives at what a layer computes
from its weights, before the activation: what Glorot and Bengio (2010, section 4.2) plot per layer.
It falls or grows by a factor per layer, and the factors multiply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite, sqrt
from typing import TYPE_CHECKING, Any

from autograd import random
from autograd.node import Node, history
from autograd.reverse import observing
from autograd.several import part

from ..data.arrays import quiet
from ..mode import training

if TYPE_CHECKING:
    from ..module import Module

__all__ = ["BLOCKS", "SAMPLES", "Flow", "Layer", "measure", "traced"]

SAMPLES = 256
"""How many samples are looked at."""

VANISHES, EXPLODES = 1e-4, 1e3
"""Gradients fade below, or grow beyond, so much of what they are nearer to the output.

Networks that learn stay well within: a few layers of sigmoids keep 1e-2, residual and ReLU
networks with their usual initialisation 0.1 to 10.
"""

BLOCKED = 0.9
"""The share of dead or saturated units from which a layer counts as blocked."""

BLOCKS: dict[str, Callable[[Any], Any]] = {
    "relu": lambda y: y <= 0,
    "sigmoid": lambda y: (y < 0.02) | (y > 0.98),
    "tanh": lambda y: abs(y) > 0.97,
}
"""Which outputs of an activation let no gradient through, or next to none: of a sigmoid's slope a
twelfth is left there, of that of a tanh a seventeenth."""

ALIASES = ("reshape", "transpose", "astype", "broadcast_to")
"""Operations after which a weight still is that weight."""


@dataclass
class Activation:
    """A function between two layers, and which share of its outputs let no gradient through."""

    name: str
    share: float

    def __str__(self) -> str:
        if self.name == "relu":
            return f"{self.share:.0%} of its ReLU units are dead: 0 for every sample"
        return f"its {self.name} is {self.share:.0%} saturated"


@dataclass
class Layer:
    """A layer with weights, in depth order.

    `gradient` is the root mean square of the gradient at its output before the activation,
    `weights` that of the weights themselves, `gain` by how much typical gradients grow on the way
    from here to its input: weights' root mean square times the square root of its outputs.
    """

    name: str
    gradient: float
    weights: float
    gain: float
    activations: list[Activation] = field(default_factory=list)


@dataclass
class Flow:
    """The verdict: "healthy", "vanishes", "explodes", "blocked", "none" where there is no gradient,
    or "unknown" where there was an error.

    Printed it is one line.  `layers` has the numbers behind it, from the input to the output.
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


# --- what there is ------------------------------------------------------------------------


def rms(raw: Any) -> float:
    """The root mean square, in float64 so that neither 1e-30 nor 1e30 is lost when squared."""
    x = raw.astype("float64")
    return sqrt((x * x).mean().item())


def layers_of(loss: Node, names: dict[Node, str]) -> list[Layer]:
    """The layers that the loss was computed with, in the order of their first use."""
    wide = any(p.ndim > 1 for p in names)
    weights = {p: name for p, name in names.items() if p.ndim > 1 or not wide}
    found: list[Layer] = []
    for node in reversed(history(loss)):
        op = node.op
        if op is None or node._grad is None:
            continue
        if op.name in ALIASES and node.inputs[0] in weights:
            weights[node] = weights[node.inputs[0]]
            continue
        inputs = node.inputs[0].inputs if op is part else node.inputs
        used = [x for x in inputs if x in weights]
        for x in used:
            name = weights[x].rpartition(".")[0] or weights[x]
            if all(name != layer.name for layer in found):
                size = rms(x.raw)
                gain = size * sqrt(x.shape[-1] if x.ndim else 1)
                found.append(Layer(name, rms(_raw(node._grad)), size, gain))
        if not used and found and node.scope:  # what is in no module belongs to the loss
            found[-1].activations += _activation(node)
    return found


def _raw(gradient: Any) -> Any:
    return gradient.raw if isinstance(gradient, Node) else gradient


def _activation(node: Node) -> list[Activation]:
    """Which share of this node lets no gradient through, if it is an activation."""
    name, y = node.op.name if node.op else "", node.raw
    if name not in BLOCKS:
        return []
    share = BLOCKS[name](y)
    if name == "relu":
        share = (share.reshape(-1, y.shape[-1]) if y.ndim > 1 else share).all(axis=0)
    return [Activation(name, share.mean().item())]


# --- what it means ------------------------------------------------------------------------


def judge(layers: list[Layer]) -> Flow:
    """The verdict on these layers."""
    if not layers:
        return Flow("none", layers, cause="no weights lie on the way from the input to the loss")
    sizes = [layer.gradient for layer in layers]
    last = len(layers) - 1
    if sizes[last] == 0:
        worst = _worst(layers[last])
        if worst and worst.share >= BLOCKED:
            return _vanishes(layers, last)
        return Flow("none", layers, cause="the loss is flat here, its gradient is 0 everywhere")
    largest = smallest = sizes[last]
    for i in reversed(range(last + 1)):
        if not isfinite(sizes[i]) or sizes[i] > EXPLODES * smallest:
            return _explodes(layers, i)
        if sizes[i] < VANISHES * largest:
            return _vanishes(layers, i)
        largest, smallest = max(largest, sizes[i]), min(smallest, sizes[i])
    for i, layer in enumerate(layers[:last]):
        worst = _worst(layer)
        if worst and worst.share >= BLOCKED:
            cause = f"{worst}; {_size(layers, i)}"
            return Flow("blocked", layers, layer.name, cause, _mend(worst))
    return Flow("healthy", layers)


def _worst(layer: Layer) -> Activation | None:
    return max(layer.activations, key=lambda a: a.share, default=None)


def _mend(activation: Activation) -> str:
    if activation.name == "relu":
        return "lower the learning rate, or try he_normal or LeakyReLU"
    return "scale inputs and initial weights down, or try ReLU"


def _size(layers: list[Layer], i: int) -> str:
    """|g|, and how it compares with that of the next layer that has one."""
    told = f"|g| {layers[i].gradient:.1e}"
    following = next((layer for layer in layers[i + 1 :] if layer.gradient), None)
    if following is None:
        return told
    return f"{told}, {layers[i].gradient / following.gradient:.2g} of {following.name}'s"


def _vanishes(layers: list[Layer], i: int) -> Flow:
    for k, layer in enumerate(layers[: i + 1]):  # the first dead layer leaves dead ones behind it
        worst = _worst(layer)
        if worst and worst.share >= BLOCKED:
            cause = f"{_size(layers, k)}; {worst}"
            return Flow("vanishes", layers, layer.name, cause, _mend(worst))
    worst = max((w for w in map(_worst, layers[i:]) if w), key=lambda a: a.share, default=None)
    gains = sorted(layer.gain for layer in layers[i + 1 :])
    if worst and worst.share >= 0.5:
        at = next(layer.name for layer in layers[i:] if worst in layer.activations)
        cause, fix = f"in {at} {worst}" if at != layers[i].name else str(worst), _mend(worst)
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
