"""Pictures to try the drawing on: the graphs that people will really look at, and nasty ones."""

from __future__ import annotations

from math import log10
from random import Random

from autograd.view.picture import Arrow, Box, Cluster, Kind, Picture, Rankdir

__all__ = ["SAMPLES", "chain", "expression", "mlp", "nasty", "random_graph", "residual", "rnn"]


def expression(rankdir: Rankdir = "LR", backward: bool = True) -> Picture:
    """The expression of micrograd's README with its gradients, `draw_dot` look."""
    boxes: list[Box] = []
    arrows: list[Arrow] = []
    values: list[float] = []
    inputs: list[tuple[int, ...]] = []
    slopes: list[tuple[float, ...]] = []

    def value(data: float, name: str = "", op: str = "", *sources: int, by: tuple[float, ...] = ()) -> int:
        values.append(data)
        inputs.append(sources)
        slopes.append(by)
        key = len(values) - 1
        names.append(name)
        if op:
            boxes.append(Box(f"o{key}", "op", (op,)))
            arrows.extend(Arrow(f"v{s}", f"o{key}") for s in sources)
            arrows.append(Arrow(f"o{key}", f"v{key}"))
        return key

    def add(x: int, y: int, name: str = "") -> int:
        return value(values[x] + values[y], name, "+", x, y, by=(1.0, 1.0))

    def mul(x: int, y: int, name: str = "") -> int:
        return value(values[x] * values[y], name, "×", x, y, by=(values[y], values[x]))

    def power(x: int, n: int, name: str = "") -> int:
        return value(values[x] ** n, name, f"^{n}", x, by=(n * values[x] ** (n - 1),))

    def relu(x: int, name: str = "") -> int:
        return value(max(values[x], 0.0), name, "relu", x, by=(float(values[x] > 0),))

    def constant(x: float) -> int:
        return value(x)

    names: list[str] = []
    a, b = value(-4.0, "a"), value(2.0, "b")
    c = add(a, b, "c")
    d = add(mul(a, b), power(b, 3), "d")
    c = add(c, add(c, constant(1.0)), "c")
    c = add(c, add(add(constant(1.0), c), mul(a, constant(-1.0))), "c")
    d = add(d, add(mul(d, constant(2.0)), relu(add(b, a))), "d")
    d = add(d, add(mul(constant(3.0), d), relu(add(b, mul(a, constant(-1.0))))), "d")
    e = add(c, mul(d, constant(-1.0)), "e")
    f = power(e, 2, "f")
    g = mul(f, constant(0.5), "g")
    g = add(g, mul(constant(10.0), power(f, -1)), "g")

    grads = [0.0] * len(values)
    grads[g] = 1.0
    for key in reversed(range(len(values))):
        for source, slope in zip(inputs[key], slopes[key], strict=True):
            grads[source] += slope * grads[key]
    for key, data in enumerate(values):
        shown = f"grad {grads[key]:.4f}" if backward else "grad —"
        kind: Kind = "value" if inputs[key] else "input" if names[key] else "constant"
        kind = "output" if key == g else kind
        cells = (f"data {data:.4f}", shown)
        tone = None
        if backward:
            tone = log10(abs(grads[key])) if grads[key] else float("-inf")
        line = (names[key], *cells) if names[key] else cells
        boxes.append(Box(f"v{key}", kind, (line,), tone=tone))
    return Picture(tuple(boxes), tuple(arrows), rankdir=rankdir, title="g = f/2 + 10/f")


def neuron() -> Picture:
    """One neuron: x1 w1 + x2 w2 + b through tanh."""
    cells = {
        "x1": ("input", "2.0000", "-1.5000"), "w1": ("parameter", "-3.0000", "1.0000"),
        "x2": ("input", "0.0000", "0.5000"), "w2": ("parameter", "1.0000", "0.0000"),
        "x1w1": ("value", "-6.0000", "0.5000"), "x2w2": ("value", "0.0000", "0.5000"),
        "sum": ("value", "-6.0000", "0.5000"), "b": ("parameter", "6.8814", "0.5000"),
        "n": ("value", "0.8814", "0.5000"), "o": ("output", "0.7071", "1.0000"),
    }  # fmt: skip
    ops = {"x1w1": ("×", "x1", "w1"), "x2w2": ("×", "x2", "w2"), "sum": ("+", "x1w1", "x2w2"),
           "n": ("+", "sum", "b"), "o": ("tanh", "n")}  # fmt: skip
    boxes, arrows = [], []
    for name, (kind, data, grad) in cells.items():
        tone = log10(abs(float(grad))) if float(grad) else float("-inf")
        boxes.append(Box(name, kind, ((name, f"data {data}", f"grad {grad}"),), tone=tone))  # type: ignore[arg-type]
    for name, (op, *sources) in ops.items():
        boxes.append(Box(f"op {name}", "op", (op,)))
        arrows += [Arrow(source, f"op {name}") for source in sources]
        arrows.append(Arrow(f"op {name}", name))
    return Picture(tuple(boxes), tuple(arrows), title="A neuron: tanh(x₁w₁ + x₂w₂ + b)")


class _Net:
    """Builds pictures of tensor networks, op by op."""

    def __init__(self, seed: int = 0) -> None:
        self.boxes: list[Box] = []
        self.arrows: list[Arrow] = []
        self.clusters: list[Cluster] = []
        self.random = Random(seed)

    def cluster(self, key: str, title: str, parent: str | None = None) -> str:
        self.clusters.append(Cluster(key, title, parent))
        return key

    def box(
        self, kind: Kind, name: str, detail: str, cluster: str | None = None,
        decade: float = 0.0, stats: bool = True,
    ) -> str:  # fmt: skip
        key = f"{len(self.boxes)}"
        tone = decade + self.random.uniform(-0.3, 0.3)
        lines: tuple[str | tuple[str, ...], ...] = (name, detail)
        if stats and kind != "op":
            norm = self.random.uniform(0.5, 9)
            lines = (name, detail, (f"norm {norm:.3f}", f"grad {10**tone:.2g}"))
        self.boxes.append(Box(key, kind, lines, cluster, tone))
        return key

    def op(self, name: str, cluster: str | None, *inputs: str, shape: str = "", decade: float = 0.0) -> str:
        key = f"{len(self.boxes)}"
        tone = decade + self.random.uniform(-0.3, 0.3)
        self.boxes.append(Box(key, "op", (name,), cluster, tone))
        for source in inputs:
            self.arrows.append(Arrow(source, key, self.shapes.get(source, "")))
        self.shapes[key] = shape
        return key

    shapes: dict[str, str]

    def dense(self, title: str, x: str, m: int, n: int, act: str = "relu", parent: str | None = None,
              decade: float = 0.0) -> str:  # fmt: skip
        where = self.cluster(f"c{len(self.clusters)}", f"{title} · Dense({n})", parent)
        w = self.box("parameter", f"{title}.weight", f"({m}, {n}) float32", where, decade)
        y = self.op("matmul", where, x, w, shape=f"(32, {n})", decade=decade)
        b = self.box("parameter", f"{title}.bias", f"({n},) float32", where, decade)
        y = self.op("add", where, y, b, shape=f"(32, {n})", decade=decade)
        return self.op(act, where, y, shape=f"(32, {n})", decade=decade) if act else y

    def picture(self, title: str, rankdir: Rankdir) -> Picture:
        return Picture(tuple(self.boxes), tuple(self.arrows), tuple(self.clusters), rankdir, title)


def mlp(rankdir: Rankdir = "TB", labels: bool = True) -> Picture:
    """Three dense layers in a Sequential, and a loss."""
    net = _Net(1)
    net.shapes = {}
    x = net.box("input", "x", "(32, 64) float32", decade=-3, stats=False)
    if labels:
        net.shapes[x] = "(32, 64)"
    model = net.cluster("model", "model · Sequential")
    y = net.dense("0", x, 64, 64, parent=model, decade=-2.4)
    y = net.dense("1", y, 64, 32, parent=model, decade=-1.6)
    y = net.dense("2", y, 32, 10, "", parent=model, decade=-0.8)
    t = net.box("constant", "labels", "(32,) int64", stats=False)
    z = net.op("cross entropy", None, y, t)
    loss = net.box("output", "loss", "() float32")
    net.arrows.append(Arrow(z, loss))
    return net.picture("An MLP on digits: gradients of one step", rankdir)


def residual(rankdir: Rankdir = "LR") -> Picture:
    """Two residual blocks, each with its skip connection inside."""
    net = _Net(2)
    net.shapes = {}
    y = net.box("input", "x", "(8, 64) float32", decade=-2, stats=False)
    for i in range(2):
        block = net.cluster(f"block {i}", f"block {i} · Residual")
        h = net.dense("up", y, 64, 256, "gelu", block, decade=i - 2.0)
        h = net.dense("down", h, 256, 64, "", block, decade=i - 1.5)
        y = net.op("add", block, h, y, shape="(8, 64)", decade=i - 1.0)
    loss = net.op("mean", None, y)
    out = net.box("output", "loss", "() float32")
    net.arrows.append(Arrow(loss, out))
    return net.picture("Residual blocks", rankdir)


def attention(rankdir: Rankdir = "TB") -> Picture:
    """Self-attention: three parallel projections inside a block with a skip connection."""
    net = _Net(5)
    net.shapes = {}
    x = net.box("input", "x", "(8, 16, 64) float32", decade=-2, stats=False)
    block = net.cluster("block", "block · TransformerBlock")
    norm = net.op("layer norm", block, x)
    att = net.cluster("att", "attention · SelfAttention", block)
    q = net.dense("query", norm, 64, 64, "", att, -1.5)
    k = net.dense("key", norm, 64, 64, "", att, -1.2)
    v = net.dense("value", norm, 64, 64, "", att, -0.5)
    kt = net.op("transpose", att, k)
    scores = net.op("matmul", att, q, kt)
    weights = net.op("softmax", att, scores)
    mixed = net.op("matmul", att, weights, v)
    out = net.dense("out", mixed, 64, 64, "", att, -0.2)
    y = net.op("add", block, out, x)
    loss = net.box("output", "y", "(8, 16, 64) float32")
    net.arrows.append(Arrow(y, loss))
    return net.picture("Self-attention", rankdir)


def rnn(steps: int = 5, rankdir: Rankdir = "LR") -> Picture:
    """A recurrent net unrolled: shared weights used at every step, one loss."""
    net = _Net(3)
    net.shapes = {}
    w = net.box("parameter", "cell.W", "(16, 16) float32", decade=-1)
    u = net.box("parameter", "cell.U", "(8, 16) float32", decade=-1)
    h = net.box("constant", "h0", "zeros (4, 16)", stats=False)
    total = ""
    for t in range(steps):
        where = net.cluster(f"t{t}", f"cell, step {t}")
        x = net.box("input", f"x[{t}]", "(4, 8) float32", None, stats=False)
        decade = -2 + 2 * t / steps
        a = net.op("matmul", where, x, u, decade=decade)
        b = net.op("matmul", where, h, w, decade=decade)
        h = net.op("tanh", where, net.op("add", where, a, b, decade=decade), decade=decade)
        e = net.op("mse", None, h, decade=decade)
        total = net.op("add", None, total, e) if total else e
    loss = net.box("output", "loss", "() float32")
    net.arrows.append(Arrow(total, loss))
    return net.picture("A recurrent network, unrolled", rankdir)


def chain(count: int = 200, rankdir: Rankdir = "LR") -> Picture:
    """A chain of `count` boxes."""
    boxes = tuple(Box(str(i), "op" if i % 2 else "value", ("tanh" if i % 2 else f"h{i // 2}",))
                  for i in range(count))  # fmt: skip
    arrows = tuple(Arrow(str(i), str(i + 1)) for i in range(count - 1))
    return Picture(boxes, arrows, rankdir=rankdir, title=f"A chain of {count}")


def random_graph(count: int, seed: int = 0, reach: int = 40, rankdir: Rankdir = "LR") -> Picture:
    """Boxes with up to two inputs from among the `reach` boxes before them."""
    random = Random(seed)
    boxes = tuple(Box(str(i), "value", (str(i),)) for i in range(count))
    arrows = []
    for i in range(1, count):
        for _ in range(random.choice((0, 1, 1, 2, 2))):
            arrows.append(Arrow(str(random.randrange(max(0, i - reach), i)), str(i)))
    return Picture(boxes, tuple(arrows), rankdir=rankdir)


def nasty() -> Picture:
    """Names that break careless writers of XML, loops, cycles and twins."""
    names = ("<&>\"'", "]]>", "naïve ∂L/∂x ‖g‖", "日本語のラベル", "\x00\x1b[31m", "a\nb", "", "x" * 400)
    boxes = [Box(name, "value", ((name, f"data {i}.5", "grad —"),), "<c>", tooltip=name)
             for i, name in enumerate(names)]  # fmt: skip
    boxes += [Box("empty", "op", ()), Box("bare", "value", ()), Box("cells", "value", ((), ("", "")))]
    arrows = [Arrow(a, b, label='<"&">') for a, b in zip(names, names[1:], strict=False)]
    arrows += [Arrow(names[3], names[0]), Arrow(names[1], names[1]), Arrow(names[2], names[3]),
               Arrow("empty", "bare", kind="gradient")]  # fmt: skip
    return Picture(tuple(boxes), tuple(arrows), (Cluster("<c>", '<title & "quotes">'),), title="<&>")


SAMPLES = {
    "neuron": neuron(),
    "expression": expression(),
    "expression before backward": expression(backward=False),
    "expression down": expression("TB"),
    "mlp": mlp(),
    "mlp right": mlp("LR"),
    "residual": residual(),
    "residual down": residual("TB"),
    "attention": attention(),
    "attention right": attention("LR"),
    "rnn": rnn(),
    "chain": chain(),
    "nasty": nasty(),
}
"""One of each, by name."""
