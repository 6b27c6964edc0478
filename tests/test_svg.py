"""The SVG is one well-formed file that needs nothing else and says what is on the picture."""

from __future__ import annotations

import re
from math import inf, nan
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_samples import SAMPLES, expression, mlp, nasty

from autograd.view.frame import frame
from autograd.view.picture import Arrow, Box, Cluster, Picture, PictureError
from autograd.view.style import DARK, DARK_HEAT, LIGHT, LIGHT_HEAT
from autograd.view.svg import svg
from autograd.view.text import fit, width

NAMESPACE = "{http://www.w3.org/2000/svg}"


def parse(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{NAMESPACE}text")]


def tips(root: ElementTree.Element) -> list[str]:
    """What is said of a thing pointed at."""
    return [element.text or "" for element in root.iter(f"{NAMESPACE}title")]


# ----- one file, complete ------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLES)
def test_it_is_well_formed_and_self_contained(name: str) -> None:
    picture = SAMPLES[name]
    drawn = svg(picture)
    root = parse(drawn)
    assert root.tag == f"{NAMESPACE}svg"
    assert root.get("role") == "img"
    assert f"{len(picture.boxes)} boxes, {len(picture.arrows)} arrows" in root.get("aria-label", "")
    left, top, wide, high = map(float, root.get("viewBox", "").split())
    assert (left, top) == (0, 0)
    assert (f"{wide:g}", f"{high:g}") == (root.get("width"), root.get("height"))
    assert not list(root.iter(f"{NAMESPACE}script"))
    assert not list(root.iter(f"{NAMESPACE}image"))
    links = [value for e in root.iter() for key, value in e.attrib.items() if "href" in key]
    assert not links
    assert drawn.replace("http://www.w3.org/2000/svg", "").count("//") == 0
    assert set(re.findall(r"url\(([^)]*)\)", drawn)) <= {"#glassgrad-data", "#glassgrad-gradient"}


def test_everything_stands_on_the_paper() -> None:
    for picture in SAMPLES.values():
        root = parse(svg(picture))
        _, _, wide, high = map(float, root.get("viewBox", "").split())
        drawing = next(g for g in root.iter(f"{NAMESPACE}g") if g.get("class") == "drawing")
        move = re.fullmatch(r"translate\(([\d.]+) ([\d.]+)\)", drawing.get("transform", ""))
        assert move
        dx, dy = map(float, move.groups())
        for rect in drawing.iter(f"{NAMESPACE}rect"):
            x, y, w, h = (float(rect.get(k, "")) for k in ("x", "y", "width", "height"))
            assert 0 <= x + dx <= x + w + dx <= wide
            assert 0 <= y + dy <= y + h + dy <= high


def test_equal_pictures_give_equal_files() -> None:
    assert svg(expression()) == svg(expression())


def test_style_reaches_nothing_outside() -> None:
    """Shown inline, a drawing shares the style sheet of its page."""
    sheet = parse(svg(mlp())).findtext(f"{NAMESPACE}style") or ""
    bare = re.sub(r"@media\([^)]*\)\{", "", sheet)
    for selectors in re.findall(r"([^{}]+)\{", bare):
        assert all(s.startswith(".glassgrad ") for s in selectors.split(",")), selectors


# ----- what it says ------------------------------------------------------------------------------


def test_all_words_and_numbers_are_there() -> None:
    said = texts(parse(svg(expression())))
    for word in ("a", "g", "relu", "×", "data", "grad", "24.7041", "138.8338", "645.5773"):
        assert word in said
    picture = mlp()
    said = texts(parse(svg(picture)))
    assert picture.title in said
    assert {"0 · Dense(64)", "model · Sequential", "0.weight", "(64, 64) float32"} <= set(said)
    assert said.count("(32, 64)") == 4  # one label for each tensor of that shape that is passed on


def test_a_tooltip_says_all_of_a_box() -> None:
    long = "encoder." * 60 + "weight"
    root = parse(svg(Picture((Box("w", "parameter", (long, ("norm 1.5", "grad —"))),))))
    assert f"{long}\nnorm 1.5  grad —" in tips(root)
    assert any(text.endswith("…") for text in texts(root))
    told = Box("w", "parameter", ("w",), tooltip="made in train.py:12")
    assert "made in train.py:12" in tips(parse(svg(Picture((told,)))))


def test_a_missing_gradient_is_no_number() -> None:
    root = parse(svg(expression(backward=False)))
    assert "—" in texts(root)
    assert not any("gradient norm" in text for text in texts(root))
    assert not [g for g in root.iter(f"{NAMESPACE}g") if "hot" in (g.get("class") or "")]


def classes(*tones: float | None) -> list[str]:
    """The classes of boxes with these tones, besides their kind."""
    boxes = tuple(Box(str(i), "value", (str(i),), tone=tone) for i, tone in enumerate(tones))
    root = parse(svg(Picture(boxes), key=False))
    groups = [g.get("class") or "" for g in root.iter(f"{NAMESPACE}g")]
    return [name.removeprefix("value").strip() for name in groups if name.startswith("value")]


def test_gradients_are_coloured_by_size() -> None:
    assert classes(None, -inf, inf, nan) == ["", "still", "broken", "broken"]
    assert classes(-3.0, -1.5, 0.0) == ["hot h0", "hot h4", "hot h8"]
    assert classes(0.0, 0.01) == ["hot h4", "hot h4"]  # a small difference is not blown up
    assert classes(2.0) == ["hot h4"]


def test_the_key_tells_what_there_is() -> None:
    def told(picture: Picture) -> list[str]:
        return [t for t in texts(parse(svg(picture))) if t]

    one = Picture((Box("x", "value", ("x",)),))
    assert told(one) == ["x"]
    said = told(nasty())
    assert {"gradient norm zero", "gradient norm nan or ∞", "op", "value"} <= set(said)
    assert "parameter" not in said
    assert "100" in said  # the largest tone there is 2.0
    renamed = Picture((Box("x", "value", ("x",), tone=-1.0),), tone_label="update : weight")
    assert any("update : weight" in text for text in told(renamed))


def test_nasty_text_is_told_as_it_is() -> None:
    root = parse(svg(nasty()))
    said = texts(root)
    for text in ("<&>\"'", "]]>", "naïve ∂L/∂x ‖g‖", "日本語のラベル", "\ufffd\ufffd[31m", '<"&">'):
        assert text in said
    assert '<title & "quotes">' in said
    assert "\ufffd" in tips(root)  # the frame's tooltip is a bell


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_any_text_makes_valid_xml(name: str, number: str, title: str) -> None:
    picture = Picture(
        (Box(name, "value", ((name, f"data {number}", number),), name, tooltip=title),),
        (Arrow(name, name, title),),
        (Cluster(name, title, tooltip=number),),
        title=title,
    )
    assert parse(svg(picture)).get("role") == "img"


# ----- how it looks ------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_is_legible(colours: dict[str, str]) -> None:
    """4.5 : 1 is what WCAG asks of small text."""
    for kind in ("value", "op", "parameter", "input", "output", "constant"):
        fill, _, name = colours[kind].split()
        assert contrast(fill, name) >= 4.5, kind
        if kind != "op":
            assert contrast(fill, colours["ink"]) >= 4.5, kind
            assert contrast(fill, colours["faint"]) >= 4.5, kind
    assert contrast(colours["op"].split()[0], colours["op detail"]) >= 4.5
    assert contrast(colours["paper"], colours["faint"]) >= 4.5


@pytest.mark.parametrize(
    ("colours", "heat"), [(LIGHT, LIGHT_HEAT), (DARK, DARK_HEAT)], ids=["light", "dark"]
)
def test_larger_gradients_stand_out_more(colours: dict[str, str], heat: list[str]) -> None:
    """Step by step in lightness alone, so also without any sense of colour."""
    steps = [contrast(colours["paper"], colour) for colour in heat]
    assert steps == sorted(steps)
    assert len(set(steps)) == len(steps)
    assert steps[0] > 1.5


# ----- type --------------------------------------------------------------------------------------


def test_text_stays_in_its_box() -> None:
    for picture in SAMPLES.values():
        for box in picture.boxes:
            set_in_type = frame(box)
            for span in set_in_type.spans:
                size = width(span.text, span.role)
                left = span.x - {"start": 0.0, "middle": size / 2, "end": size}[span.anchor]
                assert left >= 0
                assert left + size <= set_in_type.width
                assert 0 < span.y < set_in_type.height


def test_cells_of_rows_line_up() -> None:
    box = Box("w", "value", (("w", "data 1.0", "grad 2.0"), ("long name", "data 1", "grad 22.000")))
    upright = [rule for rule in frame(box).rules if rule[0] == rule[2]]
    assert len(upright) == 4
    assert {rule[0] for rule in upright[:2]} == {rule[0] for rule in upright[2:]}


def test_numbers_are_told_from_words() -> None:
    def roles(*cells: str) -> list[tuple[str, str]]:
        box = Box("x", "value", ("name", cells))
        return [(span.text, span.role) for span in frame(box).spans[1:]]

    assert roles("data -2.5e-03") == [("data", "word"), ("-2.5e-03", "number")]
    assert roles("grad —") == [("grad", "word"), ("—", "number")]
    assert roles("grad nan", "12%") == [("grad", "word"), ("nan", "number"), ("12%", "number")]
    assert roles("(10, 64) float32") == [("(10, 64) float32", "word")]
    assert roles("zeros (4, 16)") == [("zeros (4, 16)", "word")]


def test_a_record_without_a_name_has_none() -> None:
    spans = frame(Box("x", "value", (("data 1.0", "grad 2.0"),))).spans
    assert "name" not in {span.role for span in spans}
    unnamed = frame(Box("x", "value", ("", "8×16 float32", ("norm 2.0", "grad —"))))
    assert [span.role for span in unnamed.spans[:2]] == ["word", "word"]
    assert unnamed.height == frame(Box("x", "value", ("8×16", ("norm 2.0", "grad —")))).height - 3
    named = frame(Box("x", "value", (("layer 3", "relu"),)))
    assert named.spans[0].role == "word"
    assert frame(Box("x", "value", ("layer 3",))).spans[0].role == "name"


@given(st.text(max_size=60), st.floats(0, 200))
def test_fitted_text_fits(text: str, room: float) -> None:
    fitted = fit(text, "word", room)
    assert fitted == text or fitted.endswith("…")
    assert width(fitted, "word") <= max(room, width("…", "word"))


# ----- pictures that contradict themselves -------------------------------------------------------

X = Box("x", "value", ("x",))


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        (((X, X),), "boxes: 2 of them have the key 'x'"),
        (((X,), (Arrow("x", "y"),)), "arrow 'x' -> 'y': no box 'y'"),
        (((Box("x", "value", (), "c"),),), "box 'x': no cluster 'c'"),
        (((X,), (), (Cluster("c", "c", "d"),)), "cluster 'c': no cluster 'd' to lie in"),
        (((X,), (), (Cluster("c", "c", "c"),)), "cluster 'c' lies inside itself"),
        (((X,), (), (Cluster("c", ""), Cluster("c", ""))), "clusters: 2 of them have the key 'c'"),
        (((Box("x", "neuron", ()),),), "no kind 'neuron'; there are value, op"),  # type: ignore[arg-type]
        (((X,), (), (), "RL"), "rankdir must be 'LR' or 'TB', not 'RL'"),
    ],
)
def test_contradictions_are_told(parts: tuple[object, ...], complaint: str) -> None:
    with pytest.raises(PictureError, match=re.escape(complaint)):
        Picture(*parts)  # type: ignore[arg-type]


def test_two_clusters_inside_each_other_are_told() -> None:
    with pytest.raises(PictureError, match="lies inside itself"):
        Picture((X,), (), (Cluster("c", "", "d"), Cluster("d", "", "c")))
