"""Pictures to try the drawing on: graphs that people will really look at, and nasty ones."""

from __future__ import annotations

from itertools import pairwise
from math import inf, log10, nan
from random import Random

from autograd.view.picture import Arrow, Box, Cluster, Kind, Picture, Rankdir, Row

__all__ = [
    "SAMPLES",
    "chain",
    "clustered",
    "expression",
    "nasty",
    "random_graph",
    "rnn",
    "scalar_mlp",
]


class Sketch:
    """A picture under construction."""

    def __init__(self, seed: int = 0) -> None:
        self.boxes: list[Box] = []
        self.arrows: list[Arrow] = []
        self.clusters: list[Cluster] = []
        self.shapes: dict[str, str] = {}  # labels of the arrows that leave a box
        self.random = Random(seed)

    def add(
        self, kind: Kind, *lines: Row, cluster: str | None = None, tone: float | None = None
    ) -> str:
        key = str(len(self.boxes))
        self.boxes.append(Box(key, kind, lines, cluster, tone))
        return key

    def join(self, head: str, *tails: str) -> str:
        self.arrows += (Arrow(tail, head, self.shapes.get(tail, "")) for tail in tails)
        return head

    def frame(self, title: str, parent: str | None = None) -> str:
        key = f"frame {len(self.clusters)}"
        self.clusters.append(Cluster(key, title, parent))
        return key

    def picture(self, rankdir: Rankdir = "LR", title: str = "") -> Picture:
        return Picture(tuple(self.boxes), tuple(self.arrows), tuple(self.clusters), rankdir, title)


# ----- graphs of numbers -------------------------------------------------------------------------


class Scalars(Sketch):
    """A tiny engine of numbers, so that the values and gradients on the picture are true."""

    def __init__(self, backward: bool = True) -> None:
        super().__init__()
        self.backward = backward
        self.data: list[float] = []
        self.inputs: list[tuple[tuple[int, float], ...]] = []  # with local derivatives
        self.facts: list[tuple[str, str, Kind, str | None]] = []  # name, op, kind, cluster

    def value(
        self, data: float, name: str = "", kind: Kind = "value", op: str = "",
        inputs: tuple[tuple[int, float], ...] = (), cluster: str | None = None,
    ) -> int:  # fmt: skip
        self.data.append(data)
        self.inputs.append(inputs)
        self.facts.append((name, op, kind, cluster))
        return len(self.data) - 1

    def constant(self, data: float) -> int:
        return self.value(data, kind="constant")

    def plus(self, a: int, b: int, name: str = "", cluster: str | None = None) -> int:
        total = self.data[a] + self.data[b]
        return self.value(total, name, "value", "+", ((a, 1.0), (b, 1.0)), cluster)

    def times(self, a: int, b: int, name: str = "", cluster: str | None = None) -> int:
        x, y = self.data[a], self.data[b]
        return self.value(x * y + 0.0, name, "value", "×", ((a, y), (b, x)), cluster)

    def power(self, a: int, n: int, name: str = "") -> int:
        x = self.data[a]
        return self.value(x**n, name, "value", f"^{n}", ((a, n * x ** (n - 1)),))

    def relu(self, a: int, cluster: str | None = None) -> int:
        x = self.data[a]
        return self.value(max(x, 0.0), "", "value", "relu", ((a, float(x > 0)),), cluster)

    def finish(self, root: int, rankdir: Rankdir, title: str) -> Picture:
        grads = [0.0] * len(self.data)
        grads[root] = 1.0
        for i in reversed(range(len(grads))):
            for j, slope in self.inputs[i]:
                grads[j] += slope * grads[i]
        keys = []
        for i, (name, op, kind, cluster) in enumerate(self.facts):
            cells = (
                f"data {self.data[i]:.4f}",
                f"grad {grads[i]:.4f}" if self.backward else "grad —",
            )
            tone = (log10(abs(grads[i])) if grads[i] else -inf) if self.backward else None
            shown: Kind = "output" if i == root else kind
            keys.append(
                self.add(shown, (name, *cells) if name else cells, cluster=cluster, tone=tone)
            )
            if op:
                pill = self.add("op", op, cluster=cluster)
                self.join(pill, *(keys[j] for j, _ in self.inputs[i]))
                self.join(keys[i], pill)
        return self.picture(rankdir, title)


def neuron() -> Picture:
    """One neuron with two inputs, before its activation."""
    net = Scalars()
    total = net.value(6.8814, "b", "parameter")
    for i, (x, w) in enumerate(((2.0, -3.0), (0.0, 1.0)), start=1):
        product = net.times(net.value(x, f"x{i}", "input"), net.value(w, f"w{i}", "parameter"))
        total = net.plus(product, total)
    return net.finish(total, "LR", "A neuron: x₁w₁ + x₂w₂ + b")


def expression(rankdir: Rankdir = "LR", backward: bool = True) -> Picture:
    """The expression of micrograd's README."""
    net = Scalars(backward)
    plus, times, power, constant = net.plus, net.times, net.power, net.constant
    a, b = net.value(-4.0, "a", "input"), net.value(2.0, "b", "input")
    c = plus(a, b, "c")
    d = plus(times(a, b), power(b, 3), "d")
    c = plus(c, plus(c, constant(1.0)), "c")
    c = plus(c, plus(plus(constant(1.0), c), times(a, constant(-1.0))), "c")
    d = plus(d, plus(times(d, constant(2.0)), net.relu(plus(b, a))), "d")
    b_minus_a = plus(b, times(a, constant(-1.0)))
    d = plus(d, plus(times(constant(3.0), d), net.relu(b_minus_a)), "d")
    e = plus(c, times(d, constant(-1.0)), "e")
    f = power(e, 2, "f")
    g = times(f, constant(0.5), "g")
    g = plus(g, times(constant(10.0), power(f, -1)), "g")
    return net.finish(g, rankdir, "g = f/2 + 10/f")


def scalar_mlp(sizes: tuple[int, ...] = (2, 4, 1), rankdir: Rankdir = "LR") -> Picture:
    """A multilayer perceptron written out number by number, a frame around each neuron."""
    net = Scalars()
    values = [net.value(net.random.gauss(0, 1), f"x{i}", "input") for i in range(sizes[0])]
    for depth, size in enumerate(sizes[1:]):
        layer = net.frame(f"layer {depth}")
        outputs = []
        for i in range(size):
            here = net.frame(f"neuron {i}", layer)
            total = net.value(net.random.gauss(0, 1), "b", "parameter", cluster=here)
            for j, x in enumerate(values):
                w = net.value(net.random.gauss(0, 1), f"w{j}", "parameter", cluster=here)
                total = net.plus(total, net.times(w, x, cluster=here), cluster=here)
            outputs.append(net.relu(total, here) if depth < len(sizes) - 2 else total)
        values = outputs
    return net.finish(values[0], rankdir, "An MLP of single numbers")


# ----- graphs of tensors -------------------------------------------------------------------------


class Tensors(Sketch):
    """Networks of tensors; norms and gradients are made up, `decade` is about their size."""

    def tensor(
        self, kind: Kind, name: str, facts: str, cluster: str | None = None, decade: float = 0.0
    ) -> str:
        tone = decade + self.random.uniform(-0.3, 0.3)
        sizes = (f"norm {self.random.uniform(0.5, 9):.3f}", f"grad {10**tone:.2g}")
        lines = (name, facts, sizes) if kind in ("parameter", "output") else (name, facts)
        return self.add(kind, *lines, cluster=cluster, tone=tone)

    def op(
        self, name: str, cluster: str | None, *inputs: str, shape: str = "", decade: float = 0.0
    ) -> str:
        tone = decade + self.random.uniform(-0.3, 0.3)
        key = self.add("op", name, cluster=cluster, tone=tone)
        self.shapes[key] = shape
        return self.join(key, *inputs)

    def dense(
        self, name: str, x: str, m: int, n: int, act: str = "", parent: str | None = None,
        decade: float = 0.0,
    ) -> str:  # fmt: skip
        here = self.frame(f"{name} · Dense({n})", parent)
        shape = f"(32, {n})"
        w = self.tensor("parameter", f"{name}.weight", f"({m}, {n}) float32", here, decade)
        y = self.op("matmul", here, x, w, shape=shape, decade=decade)
        b = self.tensor("parameter", f"{name}.bias", f"({n},) float32", here, decade)
        y = self.op("add", here, y, b, shape=shape, decade=decade)
        return self.op(act, here, y, shape=shape, decade=decade) if act else y


def mlp(rankdir: Rankdir = "LR") -> Picture:
    """Three dense layers in a Sequential, and a loss."""
    net = Tensors(1)
    x = net.tensor("input", "x", "(32, 64) float32", decade=-3)
    net.shapes[x] = "(32, 64)"
    model = net.frame("model · Sequential")
    y = net.dense("0", x, 64, 64, "relu", model, -2.4)
    y = net.dense("1", y, 64, 32, "relu", model, -1.6)
    y = net.dense("2", y, 32, 10, "", model, -0.8)
    labels = net.tensor("constant", "labels", "(32,) int64")
    y = net.op("cross entropy", None, y, labels)
    net.join(net.tensor("output", "loss", "() float32"), y)
    return net.picture(rankdir, "An MLP on digits: gradients of one step")


def residual(rankdir: Rankdir = "LR") -> Picture:
    """Two residual blocks, each with its skip connection inside."""
    net = Tensors(2)
    y = net.tensor("input", "x", "(32, 64) float32", decade=-2)
    for i in range(2):
        block = net.frame(f"block {i} · Residual")
        h = net.dense("up", y, 64, 256, "gelu", block, i - 2.0)
        h = net.dense("down", h, 256, 64, "", block, i - 1.5)
        y = net.op("add", block, h, y, shape="(32, 64)", decade=i - 1.0)
    net.join(net.tensor("output", "loss", "() float32"), net.op("mean", None, y))
    return net.picture(rankdir, "Residual blocks")


def attention(rankdir: Rankdir = "LR") -> Picture:
    """Self-attention: three projections side by side, in a block with a skip connection."""
    net = Tensors(5)
    x = net.tensor("input", "x", "(8, 16, 64) float32", decade=-2)
    block = net.frame("block · TransformerBlock")
    normed = net.op("layer norm", block, x)
    inner = net.frame("attention · SelfAttention", block)
    q = net.dense("query", normed, 64, 64, "", inner, -1.5)
    k = net.dense("key", normed, 64, 64, "", inner, -1.2)
    v = net.dense("value", normed, 64, 64, "", inner, -0.5)
    scores = net.op("matmul", inner, q, net.op("transpose", inner, k))
    mixed = net.op("matmul", inner, net.op("softmax", inner, scores), v)
    out = net.dense("out", mixed, 64, 64, "", inner, -0.2)
    net.join(net.tensor("output", "y", "(8, 16, 64) float32"), net.op("add", block, out, x))
    return net.picture(rankdir, "Self-attention")


def rnn(steps: int = 5, rankdir: Rankdir = "LR") -> Picture:
    """A recurrent net unrolled: the same weights at every step, one loss."""
    net = Tensors(3)
    w = net.tensor("parameter", "cell.W", "(16, 16) float32", decade=-1)
    u = net.tensor("parameter", "cell.U", "(8, 16) float32", decade=-1)
    h = net.tensor("constant", "h0", "zeros (4, 16)")
    loss = ""
    for t in range(steps):
        here, decade = net.frame(f"cell, step {t}"), -2 + 2 * t / steps
        x = net.tensor("input", f"x[{t}]", "(4, 8) float32")
        a = net.op("matmul", here, x, u, decade=decade)
        b = net.op("matmul", here, h, w, decade=decade)
        h = net.op("tanh", here, net.op("add", here, a, b, decade=decade), decade=decade)
        error = net.op("mse", None, h, decade=decade)
        loss = net.op("add", None, loss, error) if loss else error
    net.join(net.tensor("output", "loss", "() float32"), loss)
    return net.picture(rankdir, "A recurrent network, unrolled")


# ----- graphs that try the layout ----------------------------------------------------------------


def chain(count: int = 200, rankdir: Rankdir = "LR") -> Picture:
    """A chain of `count` boxes."""
    net = Sketch()
    for i in range(count):
        net.add("op" if i % 2 else "value", "tanh" if i % 2 else f"h{i // 2}")
        if i:
            net.join(str(i), str(i - 1))
    return net.picture(rankdir, f"A chain of {count}")


def random_graph(count: int, seed: int = 0, reach: int = 40, rankdir: Rankdir = "LR") -> Picture:
    """Boxes with up to two inputs from among the `reach` boxes before them."""
    net = Sketch(seed)
    for i in range(count):
        key = net.add("value", str(i))
        inputs = net.random.choice((0, 1, 1, 2, 2)) if i else 0
        near = range(max(0, i - reach), i)
        net.join(key, *(str(net.random.choice(near)) for _ in range(inputs)))
    return net.picture(rankdir)


def clustered(seed: int, count: int = 90) -> Picture:
    """Boxes in a dozen frames, nested at random, with arrows that know nothing of them."""
    net = Sketch(seed)
    choice, randrange = net.random.choice, net.random.randrange
    frames: list[str | None] = [None]
    for i in range(12):
        title = choice(("", "cell", "a rather long title for a frame"))
        frames.append(net.frame(title, choice(frames) if i else None))
    reach = choice((3, 10, count))
    for i in range(count):
        where = frames[i * len(frames) // count] if seed % 2 else choice(frames)
        key = net.add(choice(("op", "value", "parameter")), choice(("+", "a name")), cluster=where)
        for _ in range(choice((0, 1, 1, 2)) if i else 0):
            net.join(key, str(randrange(max(0, i - reach), i)))
    return net.picture(choice(("LR", "TB")))


def tangled(rankdir: Rankdir = "LR") -> Picture:
    """Two clusters that feed each other in turn, and a box between them that is in neither."""
    net = Sketch()
    left, right = net.frame("left"), net.frame("right")
    last = ""
    for i in range(9):
        key = net.add("value", f"step {i}", cluster=(left, right, None)[i % 3])
        last = net.join(key, last) if last else key
    net.join("8", "0")
    net.join("7", "0")
    return net.picture(rankdir)


def nasty() -> Picture:
    """Text that breaks careless writers of XML; loops, circles, twins, boxes without anything."""
    names = (
        "<&>\"'",
        "]]>",
        "naïve ∂L/∂x ‖g‖",
        "日本語のラベル",
        "\x00\x1b[31m",
        "a\nb",
        "",
        "x" * 400,
    )
    tones = (None, -inf, nan, inf, 0.0, -3.5, 2.0, -inf)
    boxes = [
        Box(name, "value", ((name, f"data {i}.5", "grad —"),), "<c>", tone, tooltip=name)
        for i, (name, tone) in enumerate(zip(names, tones, strict=True))
    ]
    boxes += [
        Box("empty", "op", ()),
        Box("bare", "value", ()),
        Box("cells", "value", ((), ("", ""))),
    ]
    arrows = [Arrow(a, b, label='<"&">') for a, b in pairwise(names)]
    arrows += [Arrow(names[3], names[0]), Arrow(names[1], names[1]), Arrow(names[2], names[3])]
    arrows += [Arrow("empty", "bare", kind="gradient"), Arrow("bare", "empty")]
    clusters = (Cluster("<c>", '<title & "quotes">', tooltip="\x07"), Cluster("empty", "nobody"))
    return Picture(tuple(boxes), tuple(arrows), clusters, title="<&>")


SAMPLES = {
    "neuron": neuron(),
    "expression": expression(),
    "expression before backward": expression(backward=False),
    "expression down": expression("TB"),
    "scalar mlp": scalar_mlp(),
    "scalar mlp down": scalar_mlp((3, 3, 1), "TB"),
    "mlp": mlp(),
    "mlp down": mlp("TB"),
    "residual": residual(),
    "residual down": residual("TB"),
    "attention": attention(),
    "attention down": attention("TB"),
    "rnn": rnn(),
    "rnn down": rnn(4, "TB"),
    "chain": chain(),
    "chain down": chain(90, "TB"),
    "random": random_graph(80, 3),
    "tangled": tangled(),
    "tangled down": tangled("TB"),
    "nasty": nasty(),
    "nothing": Picture(()),
}
"""One of each, by name."""
