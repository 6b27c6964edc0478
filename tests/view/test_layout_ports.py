"""The page's layout, in TypeScript, gives the coordinates that ours in Python gives.

Node runs the committed bundle `autograd/view/page/built/layout.js`.  What is compared are real
graphs, the samples of the other tests, and pictures drawn by lot.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from math import inf
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from picture_samples import SAMPLES, chain, clustered, random_graph, scalar_mlp

import autograd
import nn
from autograd import Tensor, view
from autograd.view.graph import picture
from autograd.view.layout import Layout, layout
from autograd.view.picture import Arrow, Box, Cluster, Picture

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not shutil.which("node"), reason="needs Node, as program `node`"),
]

RUNNER = Path(__file__).with_name("layout_ports.mjs")
BUNDLE = Path(view.__file__).parent / "page" / "built" / "layout.js"
CLOSE = 1e-6  # px

Case = tuple[Picture, float | None]


def in_node(cases: list[Case], folder: Path) -> list[dict[str, Any]]:
    """The layouts of `cases` as the page computes them."""
    plain = [{"picture": as_json(p), "wrap": "inf" if wrap == inf else wrap} for p, wrap in cases]
    file = folder / "pictures.json"
    file.write_text(json.dumps(plain))
    command = ["node", str(RUNNER), str(BUNDLE), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def as_json(drawn: Picture) -> dict[str, Any]:
    return {
        "boxes": [
            {"key": box.key, "kind": box.kind, "lines": box.lines, "cluster": box.cluster}
            for box in drawn.boxes
        ],
        "arrows": [
            {"tail": arrow.tail, "head": arrow.head, "label": arrow.label} for arrow in drawn.arrows
        ],
        "clusters": [
            {"key": cluster.key, "title": cluster.title, "parent": cluster.parent}
            for cluster in drawn.clusters
        ],
        "rankdir": drawn.rankdir,
    }


def numbers(placed: Layout) -> Iterator[float]:
    """All of a layout in one row: what a port could get wrong."""
    yield from (placed.width, placed.height, *placed.layers.values())
    for rect in placed.boxes.values():
        yield from (rect.x, rect.y, rect.width, rect.height)
    for route in placed.routes:
        yield from route.start
        for step in route.steps:
            yield from (len(step), *step)
        yield from route.label or (inf,)
    for panels in placed.clusters.values():
        for panel in panels:
            yield from (panel.x, panel.y, panel.width, panel.height, panel.title_x)


def numbers_in_node(placed: dict[str, Any]) -> Iterator[float]:
    yield from (placed["width"], placed["height"], *(layer for _, layer in placed["layers"]))
    for _, rect in placed["boxes"]:
        yield from (rect["x"], rect["y"], rect["width"], rect["height"])
    for route in placed["routes"]:
        yield from route["start"]
        for step in route["steps"]:
            yield from (len(step), *step)
        yield from route["label"] or (inf,)
    for _, panels in placed["clusters"]:
        for panel in panels:
            yield from (panel["x"], panel["y"], panel["width"], panel["height"], panel["titleX"])


def compare(cases: list[Case], folder: Path) -> None:
    for i, ((drawn, wrap), there) in enumerate(zip(cases, in_node(cases, folder), strict=True)):
        here = layout(drawn, wrap)
        for group in ("boxes", "layers", "clusters"):
            assert [key for key, _ in there[group]] == list(getattr(here, group))
        a, b = np.array(list(numbers(here))), np.array(list(numbers_in_node(there)))
        assert a.shape == b.shape, f"case {i}: lines of {len(a)} and {len(b)} numbers"
        np.testing.assert_allclose(b, a, rtol=0, atol=CLOSE, err_msg=f"case {i}, {drawn.title}")


# ----- real graphs -------------------------------------------------------------------------------


def drawn(model: Any, *inputs: Any) -> Picture:
    """The picture of one backward pass."""
    y = model(*inputs)
    loss = (y * y).sum()
    loss.backward(retain_graph=True)
    return picture(loss)


def moons() -> Picture:
    """Two points through the network that separates two moons."""
    model = nn.scalar.MLP(2, [8, 8, 1])
    loss = model([0.5, -1.0]) * 2.0 + model([1.5, 0.25])
    loss.backward()
    return picture(loss)


def real_graphs() -> Iterator[Picture]:
    autograd.seed(7)
    rng = np.random.default_rng(7)

    def array(*shape: int) -> Tensor:
        return Tensor(rng.normal(size=shape).astype("float32"))

    yield moons()
    yield drawn(nn.Sequential([nn.Dense(16, activation="relu"), nn.Dense(3)]), array(4, 5))
    convolutions = [nn.Conv2D(4, 3, activation="relu"), nn.MaxPool2D(2), nn.Flatten(), nn.Dense(3)]
    yield drawn(nn.Sequential(convolutions), array(2, 8, 8, 1))
    yield drawn(nn.Sequential([nn.LSTM(6, return_sequences=True), nn.Dense(1)]), array(2, 5, 3))
    gpt = nn.models.GPT(vocabulary=11, context=8, width=8, layers=2, heads=2)
    yield drawn(gpt, [[1, 2, 3, 4, 5, 6, 7, 8]])


def test_real_graphs(tmp_path: Path) -> None:
    cases: list[Case] = []
    for graph in real_graphs():
        bare = replace(graph, boxes=tuple(replace(box, cluster=None) for box in graph.boxes))
        cases += [(graph, None), (replace(graph, rankdir="TB"), 900.0), (bare, inf)]
    compare(cases, tmp_path)


def test_samples(tmp_path: Path) -> None:
    cases: list[Case] = [(p, wrap) for p in SAMPLES.values() for wrap in (None, inf, 600.0)]
    cases += [(clustered(seed), (None, inf, 700.0)[seed % 3]) for seed in range(20)]
    compare(cases, tmp_path)


def test_large_pictures(tmp_path: Path) -> None:
    compare([(p, None) for p in (chain(4000), scalar_mlp(), random_graph(1500, 5, 300))], tmp_path)


# ----- pictures drawn by lot ---------------------------------------------------------------------

TEXTS = (
    "", "+", "relu", "−0.5", "|grad| 1.25e-07", "a name of some length", "層の重み 12", "ﬁn naïve",
    "e\u0301 combined", "👩‍💻 emoji 🚀", "∂L/∂w ≈ 0.1", "Ω 3.0", "x" * 90, "٣٫٥ ٣", " two  spaces ",
)  # fmt: skip


def by_lot(seed: int) -> Picture:
    """A picture of up to forty boxes, in frames that need not make sense, with loops and twins."""
    lot = Random(seed)
    frames = [f"c{i}" for i in range(lot.choice((0, 0, 2, 5)))]
    clusters = tuple(
        Cluster(key, lot.choice(TEXTS), lot.choice((None, *frames[:i])))
        for i, key in enumerate(frames)
    )
    count = lot.randrange(40)
    boxes = tuple(
        Box(
            key=str(i),
            kind=lot.choice(("value", "op", "parameter", "constant", "input", "output")),
            lines=tuple(
                lot.choice((lot.choice(TEXTS), tuple(lot.choices(TEXTS, k=lot.randrange(4)))))
                for _ in range(lot.randrange(4))
            ),
            cluster=lot.choice((None, *frames)),
        )
        for i in range(count)
    )
    turn = lot.random() < 0.2  # whether arrows may lead back
    arrows = []
    for _ in range(lot.randrange(2 * count) if count else 0):
        ends = [lot.randrange(count), lot.randrange(count)]
        if turn or ends[0] != ends[1]:
            tail, head = map(str, ends if turn else sorted(ends))
            arrows.append(Arrow(tail, head, lot.choice(("", "", "(32, 64)", "形 ×2"))))
    return Picture(boxes, tuple(arrows), clusters, lot.choice(("LR", "TB")))


def test_pictures_by_lot(tmp_path: Path) -> None:
    compare([(by_lot(seed), (None, 900.0, inf, 300.0)[seed % 4]) for seed in range(120)], tmp_path)
