"""The layers of a model as gradients pass them: how much arrives, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite, sqrt
from typing import Any

from autograd.node import Node, history
from autograd.several import part

__all__ = [
    "BLOCKED", "BLOCKS", "EXPLODES", "VANISHES", "Activation", "Around", "Layer", "around",
    "judge_each", "layers_of", "mend", "worst_of",
]  # fmt: skip

VANISHES, EXPLODES = 1e-3, 1e3
"""Gradients fade below, or grow beyond, so much of what they are nearer to the output.

Networks that learn stay well within: a few layers of sigmoids keep 1e-2, residual and ReLU
networks with their usual initialisation 0.1 to 10.
"""

BESIDE = 1e-8
"""The same for a layer that another way leads past: little may arrive there."""

BLOCKED = 0.9
"""The share of dead or saturated units from which a layer counts as blocked."""

ALIASES = ("reshape", "transpose", "astype", "broadcast_to")
"""Operations after which a weight still is that weight."""


BLOCKS: dict[str, Callable[[Any], Any]] = {
    "relu": lambda y: y <= 0,
    "sigmoid": lambda y: (y < 0.02) | (y > 0.98),
    "tanh": lambda y: abs(y) > 0.97,
}
"""Which outputs of an activation let no gradient through, or next to none: of a sigmoid's slope a
twelfth is left there, of that of a tanh a seventeenth."""


@dataclass
class Activation:
    """A function between two layers, and which share of its outputs let no gradient through."""

    name: str
    share: float

    def __str__(self) -> str:
        if self.name == "relu":
            return f"{self.share:.0%} of its ReLU units are dead: 0 for every sample"
        are = "are" if self.name == "gates" else "is"
        return f"its {self.name} {are} {self.share:.0%} saturated"


@dataclass
class Layer:
    """A layer with weights, in depth order.

    `gradient` is the root mean square of the gradient at its output before the activation,
    `weights` that of the weights themselves, `gain` by how much typical gradients grow on the way
    from here to its input: weights' root mean square times the square root of its outputs.

    `verdict` is "healthy", "vanishing", "exploding", "saturated", "dead" or "none", where no
    gradient arrives for no fault of a layer; `cause` and `fix` say why, and what to try.
    """

    name: str
    gradient: float
    weights: float
    gain: float
    follows: set[str] = field(default_factory=set)
    """The layers that it is computed from, with none in between."""
    activations: list[Activation] = field(default_factory=list)
    verdict: str = "healthy"
    cause: str = ""
    fix: str = ""


def rms(raw: Any) -> float:
    """The root mean square, in float64 so that neither 1e-30 nor 1e30 is lost when squared."""
    x = raw.astype("float64")
    return sqrt((x * x).mean().item())


def layers_of(loss: Node, names: dict[Node, str]) -> list[Layer]:
    """The layers that the loss was computed with, in the order of their first use."""
    wide = any(p.ndim > 1 for p in names)
    weights = {p: name for p, name in names.items() if p.ndim > 1 or not wide}
    found: list[Layer] = []
    behind: dict[Node, set[str]] = {}  # the layers that a node is computed from, the last ones
    for node in reversed(history(loss)):
        op = node.op
        behind[node] = set().union(*[behind[x] for x in node.inputs])
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
                found.append(Layer(name, rms(_raw(node._grad)), size, gain, behind[node]))
                if op is part:
                    found[-1].activations += _gates(node.inputs[0])
            behind[node] = {name}
        if not used and found and node.scope:  # what is in no module belongs to the loss
            found[-1].activations += _activation(node)
    return found


def _raw(gradient: Any) -> Any:
    return gradient.raw if isinstance(gradient, Node) else gradient


def _gates(node: Node) -> list[Activation]:
    """Which share of an LSTM's or a GRU's gates lets no gradient through."""
    assert node.op is not None
    if "gates" not in node.op.keeps:
        return []
    gates = abs(node.raw[len(node.op.outputs) + node.op.keeps.index("gates")])
    if node.op.name == "gru":  # behind its gates stands what one of them multiplies
        gates = gates[:, : gates.shape[1] * 3 // 4]
    return [Activation("gates", ((gates < 0.02) | (gates > 0.98)).mean().item())]


def _activation(node: Node) -> list[Activation]:
    """Which share of this node lets no gradient through, if it is an activation."""
    name, y = node.op.name if node.op else "", node.raw
    if name not in BLOCKS:
        return []
    share = BLOCKS[name](y)
    if name == "relu":
        share = (share.reshape(-1, y.shape[-1]) if y.ndim > 1 else share).all(axis=0)
    return [Activation(name, share.mean().item())]


# --- what becomes of it ---


def worst_of(layer: Layer) -> Activation | None:
    return max(layer.activations, key=lambda a: a.share, default=None)


def mend(activation: Activation) -> str:
    if activation.name == "relu":
        return "lower the learning rate, or try he_normal or LeakyReLU"
    also = "" if activation.name == "gates" else ", or try ReLU"
    return f"scale inputs and initial weights down{also}"


@dataclass
class Around:
    """What a layer is compared with: the largest and smallest gradient on the way to the output.

    Of several ways that is the one on which most arrives.  A layer beside which another way leads
    on, as in a residual block, is `passed_by`: there little may arrive, as at the queries of an
    attention that has not learned what to look at.
    """

    largest: float = 0.0
    smallest: float = float("inf")
    passed_by: bool = False

    def vanishes(self, size: float) -> bool:
        """Whether so little is too little."""
        return size < (BESIDE if self.passed_by else VANISHES) * self.largest


def around(layers: list[Layer]) -> list[Around]:
    """The surroundings of each layer."""
    found = [Around() for _ in layers]
    for i in reversed(range(len(layers))):
        name = layers[i].name
        after = [k for k in range(i + 1, len(layers)) if name in layers[k].follows]
        after = after or list(range(i + 1, len(layers)))[:1]
        if after:
            best = max(after, key=lambda k: (isfinite(layers[k].gradient), layers[k].gradient))
            size, next_ = layers[best].gradient, found[best]
            found[i].largest = max(size, next_.largest)
            found[i].smallest = min(size or float("inf"), next_.smallest)
        found[i].passed_by = any(
            k != i and layers[k].follows & layers[i].follows
            and layers[k].gradient > VANISHES * found[i].largest
            for k in range(len(layers))
        )  # fmt: skip
    return found


def judge_each(layers: list[Layer]) -> None:
    """The verdict on each layer, by what arrives at it and what its units let through."""
    rests = around(layers)
    for i in reversed(range(len(layers))):
        layer, rest, worst = layers[i], rests[i], worst_of(layers[i])
        size = layer.gradient
        if worst and worst.share >= BLOCKED and (i < len(layers) - 1 or size == 0):
            layer.verdict = "dead" if worst.name == "relu" else "saturated"
            layer.cause, layer.fix = str(worst), mend(worst)
        elif not isfinite(size) or size > EXPLODES * rest.smallest:
            layer.verdict = "exploding"
            layer.cause, layer.fix = _growth(layers, i)
        elif size == 0 and rest.largest == 0:
            layer.verdict, layer.cause = "none", "no gradient arrives, the loss is flat here"
            layer.fix = "look at the loss, with autograd.why_zero"
        elif rest.vanishes(size):
            layer.verdict = "vanishing"
            layer.cause, layer.fix = _beside(layer) if rest.passed_by else _loss(layers, i)


def _growth(layers: list[Layer], i: int) -> tuple[str, str]:
    fix = "lower the learning rate, start from smaller weights, or compile with clip_norm=1"
    if i == len(layers) - 1:
        return f"|g| is {layers[i].gradient:.1e} at the output already", fix
    gain = max(layers[i + 1 :], key=lambda layer: layer.gain)
    return f"the weights of {gain.name} are large, {gain.weights:.1e}", fix


def _beside(layer: Layer) -> tuple[str, str]:
    cause = f"what reads it lets nothing through, its weights are {layer.weights:.1e}"
    return cause, "scale inputs and initial weights down"


def _loss(layers: list[Layer], i: int) -> tuple[str, str]:
    """Where the gradient that is missing at a layer was lost."""
    blocked = next((x for x in layers[i + 1 :] if x.verdict in ("dead", "saturated")), None)
    if blocked is not None:
        return f"lost further on, {blocked.name} is {blocked.verdict}", blocked.fix
    following = layers[i + 1]
    kept = layers[i].gradient / following.gradient if following.gradient else 0.0
    if kept >= 0.5 and following.verdict == "vanishing":
        return f"lost further on, as at {following.name}", following.fix
    told = f"it keeps {kept:.2g} of {following.name}'s"
    if following.gain < 0.2:
        told += f", whose weights are small, {following.weights:.1e}"
        return told, "start from he_normal or glorot_uniform"
    worst = worst_of(layers[i])
    if worst and worst.share >= 0.5:
        return f"{told}; {worst}", mend(worst)
    kinds = {a.name for layer in layers[i:] for a in layer.activations}
    fix = "use ReLU with he_normal" if kinds & {"sigmoid", "tanh"} else "add skip connections"
    return f"{told}, as others before it: too deep", f"{fix}, or fewer layers"
