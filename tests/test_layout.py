"""The layout keeps its promises on every picture: the ones people draw, and any other.

Nothing here compares pixels.  What is checked is what makes a drawing readable: boxes do not
overlap, arrows start and end at their boxes and touch no other, the flow has one direction, and
frames hold exactly their members.
"""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import pairwise
from math import inf, isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_samples import (
    SAMPLES,
    chain,
    clustered,
    expression,
    mlp,
    random_graph,
    rnn,
    scalar_mlp,
)

from autograd.view.layout import Layout, Point, Rect, Route, layout
from autograd.view.picture import Arrow, Box, Cluster, Picture, Rankdir

CLOSE = 0.05  # px; coordinates are rounded to a hundredth


# ----- what every layout promises ----------------------------------------------------------------


def overlap(a: Rect, b: Rect) -> bool:
    return (
        a.x < b.right - CLOSE
        and b.x < a.right - CLOSE
        and a.y < b.bottom - CLOSE
        and b.y < a.bottom - CLOSE
    )


def holds(outer: Rect, inner: Rect) -> bool:
    return (
        outer.x <= inner.x + CLOSE
        and outer.y <= inner.y + CLOSE
        and outer.right >= inner.right - CLOSE
        and outer.bottom >= inner.bottom - CLOSE
    )


def on_border(rect: Rect, point: Point) -> bool:
    x, y = point
    if not holds(rect, Rect(x, y, 0, 0)):
        return False
    sides = (x - rect.x, rect.right - x, y - rect.y, rect.bottom - y)
    return min(map(abs, sides)) <= CLOSE


def sampled(route: Route) -> list[Point]:
    """Points along a route, about a dozen on every step."""
    points = [route.start]
    for step in route.steps:
        (x0, y0), (x3, y3) = points[-1], step[-2:]
        x1, y1, x2, y2 = step[:4] if len(step) == 6 else (x0, y0, x3, y3)
        for i in range(1, 13):
            t = i / 12
            a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            points.append((a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3))
    return points


class Grid:
    """Boxes by the squares of a grid, so that only near ones are compared."""

    SIDE = 150.0

    def __init__(self, boxes: dict[str, Rect]) -> None:
        self.squares: dict[tuple[int, int], list[str]] = {}
        for key, rect in boxes.items():
            for square in self.squares_of(rect):
                self.squares.setdefault(square, []).append(key)

    def squares_of(self, rect: Rect) -> list[tuple[int, int]]:
        columns = range(int(rect.x // self.SIDE), int(rect.right // self.SIDE) + 1)
        rows = range(int(rect.y // self.SIDE), int(rect.bottom // self.SIDE) + 1)
        return [(i, j) for i in columns for j in rows]

    def near(self, rect: Rect) -> set[str]:
        return {key for square in self.squares_of(rect) for key in self.squares.get(square, ())}


def check(picture: Picture, placed: Layout) -> None:
    """Everything that holds whatever the picture."""
    assert list(placed.boxes) == list(placed.layers) == [box.key for box in picture.boxes]
    assert len(placed.routes) == len(picture.arrows)
    page = Rect(0, 0, placed.width, placed.height)
    for rect in placed.boxes.values():
        assert all(map(isfinite, (rect.x, rect.y, rect.width, rect.height)))
        assert holds(page, rect)
    grid = Grid(placed.boxes)
    for key, rect in placed.boxes.items():
        for other in grid.near(rect):
            assert other == key or not overlap(rect, placed.boxes[other]), f"{key} and {other}"
    check_clusters(picture, placed, page)
    for arrow, route in zip(picture.arrows, placed.routes, strict=True):
        ends = (route.start, route.end) if route.steps else ()
        assert on_border(placed.boxes[arrow.tail], ends[0]), arrow
        assert on_border(placed.boxes[arrow.head], ends[1]), arrow
        for x, y in sampled(route):
            assert holds(page, Rect(x, y, 0, 0)), arrow


def check_arrows_touch_nothing(picture: Picture, placed: Layout) -> None:
    """No arrow passes through a box; true for all arrows but the longest of very large drawings."""
    grid = Grid(placed.boxes)
    for arrow, route in zip(picture.arrows, placed.routes, strict=True):
        for x, y in sampled(route):
            point = Rect(x - 0.5, y - 0.5, 1, 1)
            for key in grid.near(point) - {arrow.tail, arrow.head}:
                assert not overlap(point, placed.boxes[key]), f"{arrow} passes through {key}"


def check_clusters(picture: Picture, placed: Layout, page: Rect) -> None:
    """Frames hold their members, and nothing else reaches into them."""
    parents = {cluster.key: cluster.parent for cluster in picture.clusters}

    def around(key: str | None) -> set[str]:
        found = set()
        while key is not None:
            found.add(key)
            key = parents[key]
        return found

    homes = {box.key: around(box.cluster) for box in picture.boxes}
    filled = set().union(*homes.values()) if homes else set()
    for key, panels in placed.clusters.items():
        assert bool(panels) == (key in filled)
        for panel in panels:
            assert holds(page, panel)
            assert panel.x <= panel.title_x <= panel.right
            for box, rect in placed.boxes.items():
                assert key in homes[box] or not overlap(panel, rect), f"{box} reaches into {key}"
            for other, foreign in placed.clusters.items():
                if other not in around(key) and key not in around(other):
                    assert not any(overlap(panel, p) for p in foreign), f"{key} meets {other}"
        for box, rect in placed.boxes.items():
            if key in homes[box]:
                assert any(holds(panel, rect) for panel in panels), f"{box} is not inside {key}"
        parent = parents[key]
        if parent is not None:
            for panel in panels:
                assert any(holds(p, panel) for p in placed.clusters[parent])


def check_flow(picture: Picture, placed: Layout) -> None:
    """Every arrow leads on to a later layer; for pictures without circles, and not folded."""
    for arrow in picture.arrows:
        tail, head = placed.boxes[arrow.tail], placed.boxes[arrow.head]
        assert placed.layers[arrow.tail] < placed.layers[arrow.head]
        if picture.rankdir == "LR":
            assert tail.right < head.x
        else:
            assert tail.bottom < head.y


# ----- the promises kept -------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLES)
def test_samples(name: str) -> None:
    picture = SAMPLES[name]
    for wrap in (None, inf, 600.0):
        placed = layout(picture, wrap)
        check(picture, placed)
        check_arrows_touch_nothing(picture, placed)
    if name != "nasty":
        check_flow(picture, layout(picture, inf))


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    """A graph without circles, in nested clusters that need not make sense."""
    count = draw(st.integers(0, 24))
    parents = draw(st.lists(st.integers(-1, 3), max_size=5))
    clusters = tuple(
        Cluster(f"c{i}", draw(st.sampled_from(("", "cell", "a rather long title for a frame"))),
                f"c{parent}" if 0 <= parent < i else None)
        for i, parent in enumerate(parents)
    )  # fmt: skip
    homes = [None, *(cluster.key for cluster in clusters)]
    rows = st.sampled_from(("+", "relu", "a name of some length", ("w", "data 1.0000", "grad —")))
    kinds = st.sampled_from(("value", "op", "parameter"))
    boxes = tuple(
        Box(str(i), draw(kinds), (draw(rows),), draw(st.sampled_from(homes))) for i in range(count)
    )
    ends = st.tuples(st.integers(0, max(count - 1, 0)), st.integers(0, max(count - 1, 0)))
    labels = st.sampled_from(("", "(32, 64)"))
    arrows = tuple(
        Arrow(str(min(pair)), str(max(pair)), draw(labels))
        for pair in draw(st.lists(ends, max_size=40))
        if pair[0] != pair[1]
    )
    return Picture(boxes, arrows, clusters, draw(st.sampled_from(("LR", "TB"))))


@settings(deadline=None, max_examples=150)
@given(pictures(), st.sampled_from((None, inf, 200.0, 500.0)))
def test_any_picture(picture: Picture, wrap: float | None) -> None:
    placed = layout(picture, wrap)
    check(picture, placed)
    check_arrows_touch_nothing(picture, placed)
    if wrap in (None, inf):
        check_flow(picture, placed)


@pytest.mark.parametrize("seed", range(24))
def test_frames_among_many_arrows(seed: int) -> None:
    picture = clustered(seed)
    placed = layout(picture, (None, inf, 700.0)[seed % 3])
    check(picture, placed)
    check_arrows_touch_nothing(picture, placed)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 12).flatmap(
        lambda n: st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=30)
    ),
    st.sampled_from(("LR", "TB")),
)
def test_circles_and_loops(pairs: list[tuple[int, int]], rankdir: Rankdir) -> None:
    boxes = tuple(Box(str(i), "value", (str(i),)) for i in range(12))
    picture = Picture(boxes, tuple(Arrow(str(a), str(b)) for a, b in pairs), rankdir=rankdir)
    check(picture, layout(picture))


def test_equal_pictures_give_equal_layouts() -> None:
    assert layout(expression()) == layout(expression())
    assert layout(rnn(4)) == layout(rnn(4))


def test_layout_does_not_depend_on_the_hash_seed() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from picture_samples import SAMPLES\n"
        "from autograd.view.svg import svg\n"
        "import hashlib\n"
        "drawn = ''.join(svg(picture) for picture in SAMPLES.values())\n"
        "print(hashlib.sha256(drawn.encode()).hexdigest())\n"
    )
    folder = str(__file__).rpartition("test_layout")[0]
    digests = {
        subprocess.run(
            [sys.executable, "-c", program, folder],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


# ----- what makes it beautiful -------------------------------------------------------------------


def centre(placed: Layout, key: str) -> float:
    return placed.boxes[key].y + placed.boxes[key].height / 2


def test_a_chain_is_one_straight_line() -> None:
    placed = layout(chain(40), inf)
    assert len({centre(placed, key) for key in placed.boxes}) == 1
    assert all(len(route.steps) == 1 for route in placed.routes)


def test_the_data_flow_straight_through_a_network() -> None:
    """The input and all ops of the MLP stand on one line, their parameters beside it."""
    picture = mlp("LR")
    placed = layout(picture, inf)
    trunk = [box.key for box in picture.boxes if box.kind in ("input", "op", "output")]
    assert len({round(centre(placed, key), 1) for key in trunk}) == 1


def test_long_arrows_run_straight_past_frames() -> None:
    """Those out of a frame, past many others, bend only next to frames and to their ends."""
    count = 30
    frames = tuple(Cluster(f"frame {i}", f"step {i}") for i in range(count))
    boxes = [Box(f"{i}", "value", ("y",), f"frame {i // 4}") for i in range(4 * count)]
    weights = [Box(f"w{j}", "parameter", ("w",), "frame 0") for j in range(8)]
    arrows = [Arrow(f"{i}", f"{i + 1}") for i in range(4 * count - 1)]
    arrows += [Arrow(w.key, f"{4 * i + 2}") for i in range(count) for w in weights]
    picture = Picture((*boxes, *weights), tuple(arrows), frames)
    placed = layout(picture, inf)
    check(picture, placed)
    for arrow, route in zip(picture.arrows, placed.routes, strict=True):
        assert sum(len(step) == 6 for step in route.steps) <= 5, arrow


def test_parameters_stand_next_to_their_op() -> None:
    placed = layout(mlp("LR"), inf)
    picture = mlp("LR")
    kinds = {box.key: box.kind for box in picture.boxes}
    for arrow in picture.arrows:
        if kinds[arrow.tail] == "parameter":
            assert placed.layers[arrow.head] == placed.layers[arrow.tail] + 1


def test_operands_keep_their_order() -> None:
    for first, second in (("x", "w"), ("w", "x")):
        boxes = (Box("@", "op", ("@",)), Box("x", "value", ("x",)), Box("w", "value", ("w",)))
        placed = layout(Picture(boxes, (Arrow(first, "@"), Arrow(second, "@"))))
        assert centre(placed, first) < centre(placed, "@") < centre(placed, second)


def test_a_tree_has_no_crossings() -> None:
    """Operands drawn over each other would be a wrong picture of a sum of products."""
    boxes, arrows = [Box("0", "op", ("+",))], []
    for i in range(1, 63):
        boxes.append(Box(str(i), "op", ("×",)))
        arrows.append(Arrow(str(i), str((i - 1) // 2)))
    placed = layout(Picture(tuple(boxes), tuple(arrows)), inf)
    for a, b in pairwise(range(31, 63)):
        assert centre(placed, str(a)) < centre(placed, str(b))
    for i in range(31):
        children = (centre(placed, str(2 * i + 1)), centre(placed, str(2 * i + 2)))
        assert centre(placed, str(i)) == pytest.approx(sum(children) / 2, abs=1)


def test_modules_in_a_row_share_no_layer() -> None:
    placed = layout(mlp("LR"), inf)
    frames = [placed.clusters[f"frame {i}"][0] for i in (1, 2, 3)]
    for a, b in pairwise(frames):
        assert a.right < b.x
        assert a.y < b.bottom
        assert b.y < a.bottom


def test_equal_arrows_are_drawn_apart() -> None:
    boxes = (Box("x", "value", ("x",)), Box("×", "op", ("×",)))
    first, second = layout(Picture(boxes, (Arrow("x", "×"), Arrow("x", "×")))).routes
    assert abs(first.start[1] - second.start[1]) > 4
    assert abs(first.end[1] - second.end[1]) > 4


def test_parts_are_set_side_by_side() -> None:
    """A box that nothing joins to the rest does not stand in its way."""
    graph = chain(8)
    loose = tuple(Box(f"loose {i}", "parameter", (f"loose {i}",)) for i in range(4))
    picture = Picture((*graph.boxes, *loose), graph.arrows)
    placed = layout(picture)
    check(picture, placed)
    assert len({placed.boxes[box.key].y for box in loose}) == 1


@pytest.mark.parametrize("rankdir", ["LR", "TB"])
def test_long_drawings_are_folded(rankdir: Rankdir) -> None:
    picture = chain(200, rankdir)
    placed, flat = layout(picture), layout(picture, inf)
    check(picture, placed)
    assert max(placed.width, placed.height) < 3000 < max(flat.width, flat.height)
    assert min(flat.width, flat.height) < 60
    narrow = layout(picture, 400.0)
    check(picture, narrow)
    along = narrow.width if rankdir == "LR" else narrow.height
    assert along < 400 + 2 * 30  # the arrows around the fold run in the margin


def test_a_drawing_too_interwoven_is_not_folded() -> None:
    boxes = [Box(f"{i} {j}", "value", ("a name",)) for i in range(60) for j in range(8)]
    arrows = [Arrow(f"{i} {j}", f"{i + 1} {j}") for i in range(59) for j in range(8)]
    arrows += [Arrow("0 0", "1 1")]
    picture = Picture(tuple(boxes), tuple(arrows), (), "LR")
    joined = Picture(
        picture.boxes, (*picture.arrows, *(Arrow(f"0 {j}", f"1 {j + 1}") for j in range(7)))
    )
    assert layout(joined).width == layout(joined, inf).width


# ----- size --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "chain of 20,000",
        "10,000 boxes, near",
        "10,000 boxes, far",
        "RNN of 300 steps",
        "scalar MLP",
    ],
)
def test_large_graphs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """They finish, at the default recursion limit and with the promises kept."""
    picture = {
        "chain of 20,000": lambda: chain(20_000),
        "10,000 boxes, near": lambda: random_graph(10_000),
        "10,000 boxes, far": lambda: random_graph(10_000, reach=10_000),
        "RNN of 300 steps": lambda: rnn(300),
        "scalar MLP": lambda: scalar_mlp((2, 16, 16, 1)),
    }[name]()
    limit = sys.getrecursionlimit()
    assert limit <= 1000
    begin = time.perf_counter()
    placed = layout(picture)
    took = time.perf_counter() - begin
    with capsys.disabled():
        print(f"\n  layout of {name} ({len(picture.boxes):,} boxes): {took:.2f} s", end="")
    grid = Grid(placed.boxes)
    for key, rect in placed.boxes.items():
        for other in grid.near(rect):
            assert other == key or not overlap(rect, placed.boxes[other])
    for arrow, route in zip(picture.arrows, placed.routes, strict=True):
        assert on_border(placed.boxes[arrow.tail], route.start)
        assert on_border(placed.boxes[arrow.head], route.end)
