"""What a drawn graph says: data, gradients, names and modules, with and without Graphviz."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import nn
from autograd import GraphError, Tensor, Value, draw, draw_dot, no_grad
from autograd.view import Drawing, RenderError
from autograd.view.picture import Box, Picture


def boxes(drawing: Drawing) -> dict[str, Box]:
    """The boxes that have a name, by it."""
    return {box.rows[0][0]: box for box in drawing.picture.boxes}


def said(box: Box) -> str:
    return " | ".join(" ; ".join(row) for row in box.rows)


def expression() -> tuple[Value, Value, Value]:
    a = Value(-4.0)
    b = Value(2.0)
    c = a + b
    d = a * b + b**3
    g = (c - d) ** 2 / 2.0
    return a, b, g


def test_a_value_shows_its_data_and_a_missing_gradient_as_a_dash() -> None:
    a, b, g = expression()
    drawing = draw(g)
    assert said(boxes(drawing)["a"]) == "a ; data -4.0000 ; grad —"
    assert boxes(drawing)["a"].tone is None
    g.backward()
    after = boxes(draw(g))
    assert said(after["a"]) == f"a ; data -4.0000 ; grad {a.grad:.4f}"
    assert said(after["b"]) == f"b ; data 2.0000 ; grad {b.grad:.4f}"
    assert said(after["g"]) == "g ; data 2.0000 ; grad 1.0000"
    assert after["g"].kind == "output"


def test_a_variable_that_is_assigned_again_is_told_apart() -> None:
    total = Value(1.0)
    for _ in range(11):
        total = total + 1
    h = total * 2
    drawing = draw(h)
    names = ["total", *(f"total{n}" for n in "₂ ₃ ₄ ₅ ₆ ₇ ₈ ₉ ₁₀ ₁₁ ₁₂".split()), "h"]
    assert [x.rows[0][0] for x in drawing.picture.boxes if x.rows[0][0] in names] == names
    texts = {"".join(x.itertext()) for x in ET.fromstring(drawing.svg).iter() if "text" in x.tag}
    assert {"total", "total2", "total12", "h"} <= texts
    assert "₂" not in drawing.svg  # few fonts have it


def test_the_arrows_are_the_recorded_graph() -> None:
    _, _, g = expression()
    picture = draw(g).picture
    pills = [box for box in picture.boxes if box.kind == "op"]
    assert sorted(box.rows[0][0] for box in pills) == sorted(["+", "×", "^3", "+", "−", "^2", "÷"])
    heads = [arrow.head for arrow in picture.arrows]
    for pill in pills:  # one arrow from each operand, one to the result
        assert heads.count(pill.key) == (1 if pill.rows[0][0].startswith("^") else 2)
        assert sum(arrow.tail == pill.key for arrow in picture.arrows) == 1


def test_a_gradient_of_zero_is_not_a_missing_one() -> None:
    x = Value(-1.0)
    y = x.relu()
    y.backward()
    assert boxes(draw(y))["x"].tone == float("-inf")
    assert "grad 0" in said(boxes(draw(y))["x"])


def mlp_loss() -> tuple[nn.Module, Tensor]:
    model = nn.Sequential([
        nn.Dense(4, activation="relu", input_shape=(3,)), nn.Dense(2, input_shape=(4,)),
    ])  # fmt: skip
    x = Tensor([[1.0, 2.0, 3.0], [0.5, -1.0, 2.0]])
    loss = (model(x) ** 2).mean()
    return model, loss


def test_a_model_is_framed_by_module_and_its_parameters_are_named() -> None:
    _, loss = mlp_loss()
    loss.backward(retain_graph=True)
    drawing = draw(loss)
    titles = [cluster.title for cluster in drawing.picture.clusters]
    assert titles == ["Sequential", "0: Dense", "1: Dense"]
    found = boxes(drawing)
    weight = found["0.weight"]
    assert weight.kind == "parameter"
    assert "3×4 float32" in said(weight)
    assert weight.tone is not None
    assert drawing.picture.clusters[1].key == weight.cluster
    assert found["x"].kind == "input"
    assert found["x"].cluster is None


def test_computed_tensors_show_gradients_of_a_retained_graph() -> None:
    _, loss = mlp_loss()
    loss.backward(retain_graph=True)
    computed = [box for box in draw(loss).picture.boxes if box.kind == "value"]
    assert computed
    assert all("—" not in said(box) for box in computed)


def test_a_freed_graph_says_how_to_keep_it() -> None:
    _, loss = mlp_loss()
    loss.backward()
    with pytest.raises(GraphError, match=r"freed by the backward pass at test_draw.py:\d+"):
        draw(loss)


def test_drawing_something_else_says_what_to_draw() -> None:
    model, _ = mlp_loss()
    with pytest.raises(TypeError, match=r"draw\(model\(x\)\)"):
        draw(model)  # type: ignore[arg-type]


def test_saves_svg_that_is_xml_and_names_the_formats_it_has(tmp_path: Path) -> None:
    _, _, g = expression()
    path = draw(g).save(tmp_path / "deep" / "graph.svg")
    assert ET.parse(path).getroot().tag.endswith("svg")
    assert [p.name for p in path.parent.iterdir()] == ["graph.svg"]
    with pytest.raises(RenderError, match=r"use \.svg, \.png, \.pdf or \.dot"):
        draw(g).save(tmp_path / "graph.bmp")


def test_saves_png_without_any_system_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("resvg_py")
    monkeypatch.setenv("PATH", "")
    _, _, g = expression()
    assert draw(g).save(tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")


def test_draw_dot_is_a_digraph_that_shows_itself_without_graphviz(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import graphviz

    monkeypatch.setenv("PATH", "")
    _, loss = mlp_loss()
    graph = draw_dot(loss, rankdir="TB")
    assert isinstance(graph, graphviz.Digraph)
    assert "rankdir=TB" in graph.source
    assert graph.source.count("subgraph") == 3
    assert "0.weight" in graph.source
    assert graph._repr_image_svg_xml().startswith("<svg")


def test_dot_reads_what_draw_dot_writes(tmp_path: Path) -> None:
    import shutil

    if shutil.which("dot") is None:
        pytest.skip("Graphviz's `dot` is not on the PATH")
    _, loss = mlp_loss()
    loss.backward(retain_graph=True)
    svg = draw_dot(loss)._repr_image_svg_xml()
    assert "Generated by graphviz" in svg
    assert svg.count('class="node"') == len(draw(loss).picture.boxes)
    assert draw(loss).save(tmp_path / "g.pdf").read_bytes().startswith(b"%PDF")


def test_nasty_names_survive_records_and_xml() -> None:
    x = Value(1.0, name='<a|b> {"c"} \\ & d')
    y = x * 2
    assert re.search(r"\\<a\\\|b\\>", draw_dot(y).source)
    assert "&lt;a|b&gt;" in draw(y).svg


def test_what_no_grad_computed_is_a_single_box() -> None:
    x = Tensor([1.0], requires_grad=True)
    with no_grad():
        y = x * 2
    assert [box.kind for box in draw(y).picture.boxes] == ["output"]


def test_a_picture_is_the_same_each_time() -> None:
    def shape(picture: Picture) -> list[tuple[str, ...]]:
        return [row for box in picture.boxes for row in box.rows]

    assert shape(draw(expression()[2]).picture) == shape(draw(expression()[2]).picture)


def test_importing_the_engine_does_not_import_the_picture() -> None:
    code = "import sys, autograd; print([m for m in sys.modules if 'viz' in m or '.view' in m])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_pixels_and_pages_need_no_program_of_the_systems(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("typst")
    monkeypatch.setattr("autograd.view.engine.engine", lambda: None)
    _, loss = mlp_loss()
    starts = {".png": b"\x89PNG", ".pdf": b"%PDF"}
    data = draw(loss).save(tmp_path / f"g{suffix}").read_bytes()
    assert data.startswith(starts[suffix])


def test_a_machine_without_fonts_still_draws_text() -> None:
    resvg = pytest.importorskip("resvg_py")
    from autograd.view.export import _fonts

    _, loss = mlp_loss()
    svg, bare = draw(loss).svg, {"skip_system_fonts": True, "dpi": 96}
    without = resvg.svg_to_bytes(svg_string=svg, **bare)
    drawn = resvg.svg_to_bytes(svg_string=svg, font_dirs=list(map(str, _fonts())), **bare)
    assert len(bytes(drawn)) > 1.5 * len(bytes(without))  # blank boxes are small


def gpt_loss() -> Tensor:
    model = nn.models.GPT(vocabulary=11, context=6, width=8, layers=4, heads=2)
    loss = (model(np.zeros((2, 6), int)) ** 2).mean()
    loss.backward(retain_graph=True)
    return loss


def test_modules_fold_and_what_is_alike_is_one_box() -> None:
    drawn = draw(gpt_loss(), depth=1).picture
    (blocks,) = [box for box in drawn.boxes if "×4" in box.lines[0]]
    assert blocks.lines == ("TransformerBlock ×4", "2×6×8 → 2×6×8", "80 operations")
    assert blocks.tone is not None
    assert [cluster.title for cluster in drawn.clusters] == ["GPT"]
    assert sum(arrow.head == blocks.key for arrow in drawn.arrows) == 1


def test_folding_everything_leaves_what_is_outside() -> None:
    drawn = draw(gpt_loss(), depth=0).picture
    assert not drawn.clusters
    assert drawn.boxes[0].lines == ("GPT", "2×6 → 2×6×11", "86 operations")
    assert len(draw(gpt_loss(), depth=99).picture.boxes) == len(draw(gpt_loss()).picture.boxes)


def test_a_value_used_twice_by_one_operation_has_two_arrows() -> None:
    x = Value(3.0)
    assert len(draw(x * x).picture.arrows) == 3
