"""The transformer's block and the models made of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nn
from autograd import Tensor, no_grad, random
from autograd.errors import GraphError, ShapeError
from nn.layers import TransformerBlock
from nn.models import GPT, Encoder, Transformer, VisionTransformer
from nn.models.generation import sampler

RNG = np.random.default_rng(2)


@pytest.fixture(autouse=True)
def _seed() -> None:
    random.seed(5)


def sequence(N: int = 2, T: int = 6, width: int = 8, seed: int = 0) -> Tensor:
    x = np.random.default_rng(seed).normal(size=(N, T, width)).astype("f")
    return Tensor(x, requires_grad=True)


def small(**options: Any) -> GPT:
    """A GPT whose logits differ: its weights are ten times as large as at the start of training."""
    model = GPT(**{"vocabulary": 11, "context": 8, "width": 16, "layers": 2, "heads": 4} | options)
    for p in model.parameters():
        p.assign(p.detach() * 10)
    return model


IDS = np.array([[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 0, 1]])

# --- the block ---


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_the_block_is_the_papers_formula(norm: str) -> None:
    block = TransformerBlock(2, hidden=12, norm=norm, activation="relu", input_shape=(None, 8))
    x = sequence()
    attend, think = block.attention, lambda x: block.reduce(block.expand(x))
    if norm == "pre":
        y = x + attend(block.attention_norm(x))
        y = y + think(block.dense_norm(y))
    else:
        y = block.attention_norm(x + attend(x))
        y = block.dense_norm(y + think(y))
    np.testing.assert_array_equal(block(x).numpy(), y.numpy())
    assert block.expand.weight.shape == (8, 12)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_causal_block_does_not_see_the_future(norm: str) -> None:
    block = TransformerBlock(2, norm=norm, causal=True)
    x = sequence()
    (block(x)[:, 2] * sequence(seed=1)[:, 2]).sum().backward()
    assert (x.grad.numpy()[:, 3:] == 0).all()
    assert (x.grad.numpy()[:, :3] != 0).all()


def test_a_decoder_block_looks_at_a_context() -> None:
    block = TransformerBlock(2, causal=True, cross=True)
    x, context = sequence(T=4), sequence(T=5, seed=1)
    mask = np.array([[True] * 5, [True] * 3 + [False] * 2])
    z = block(x, context, context_mask=mask)
    z.sum().backward()
    assert (context.grad.numpy()[1, 3:] == 0).all()
    assert (context.grad.numpy()[0] != 0).any()
    caches = block.caches(4)
    with no_grad():
        steps = [
            block(x[:, t : t + 1], context, context_mask=mask, caches=caches).numpy()
            for t in range(4)
        ]
    np.testing.assert_allclose(np.concatenate(steps, axis=1), z.numpy(), atol=1e-6)


def test_a_block_says_what_it_lacks() -> None:
    x = sequence()
    with pytest.raises(ShapeError, match="a context is needed"):
        TransformerBlock(2, cross=True)(x)
    with pytest.raises(ShapeError, match="cross=True"):
        TransformerBlock(2)(x, x)
    with pytest.raises(ValueError, match="'middle'"):
        TransformerBlock(2, norm="middle")
    with pytest.raises(ShapeError, match="end in the width"):
        TransformerBlock(2, input_shape=(None, None))


@pytest.mark.parametrize("cross", [False, True])
def test_a_block_takes_over_weights_before_it_has_any(cross: bool) -> None:
    block = TransformerBlock(2, hidden=5, cross=cross, input_shape=(None, 8))
    again = TransformerBlock(2, cross=cross)
    again.load_state_dict(block.state_dict())
    inputs = [sequence(), sequence(seed=1)][: 1 + cross]
    np.testing.assert_array_equal(again(*inputs).numpy(), block(*inputs).numpy())


def test_a_mask_reaches_a_block_in_a_row_of_layers() -> None:
    model = nn.Sequential([nn.Embedding(11, 8, mask_zero=True), TransformerBlock(2)])
    ids = np.array([[3, 4, 5, 0, 0]])
    np.testing.assert_allclose(
        model(Tensor(ids)).numpy()[:, :3], model(Tensor(ids[:, :3])).numpy(), atol=1e-6
    )


def test_dropout_in_a_block_is_for_training() -> None:
    block = TransformerBlock(2, dropout=0.5, input_shape=(None, 8))
    x = sequence()
    a, b = block(x).numpy(), block(x).numpy()
    assert np.abs(a - b).max() > 0.1
    block.eval()
    np.testing.assert_array_equal(block(x).numpy(), block(x).numpy())


# --- GPT ---


@pytest.mark.parametrize("options", [{}, {"rotary": True}, {"tied": False}], ids=str)
def test_gpt_predicts_from_what_came_before(options: dict[str, Any]) -> None:
    model = small(**options)
    logits = model(IDS).numpy()
    assert logits.shape == (2, 6, 11)
    changed = IDS.copy()
    changed[:, 4] = 3
    again = model(changed).numpy()
    np.testing.assert_array_equal(again[:, :4], logits[:, :4])
    assert (np.abs(again[:, 4:] - logits[:, 4:]).max(axis=-1) > 1e-3).all()


def test_places_matter_to_gpt() -> None:
    for options in ({}, {"rotary": True}):
        model = small(**options)
        logits = model([[1, 2, 3], [2, 1, 3]]).numpy()
        assert np.abs(logits[0, 2] - logits[1, 2]).max() > 1e-2


def test_tied_weights_are_one_parameter() -> None:
    tied, own = small(), small(tied=False)
    assert own.count_parameters() - tied.count_parameters() == 11 * 16
    tied(IDS).sum().backward()
    assert all(p.grad is not None for p in tied.parameters())
    again = small()
    again.load_state_dict(tied.state_dict())
    np.testing.assert_array_equal(again(IDS).numpy(), tied(IDS).numpy())


@pytest.mark.parametrize("rotary", [False, True])
def test_a_cache_changes_no_logits(rotary: bool) -> None:
    model = small(rotary=rotary)
    whole = model(IDS).numpy()
    with no_grad():
        caches = model.caches()
        pieces = [model(IDS[:, a:b], caches).numpy() for a, b in ((0, 2), (2, 3), (3, 6))]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, atol=1e-5)


@pytest.mark.parametrize("rotary", [False, True])
def test_generation_is_the_model_applied_again_and_again(rotary: bool) -> None:
    model = small(rotary=rotary)
    ids = IDS[:, :3]
    made = model.generate(ids, 5, temperature=0)
    for _ in range(5):
        following = model(ids).numpy()[:, -1].argmax(-1)
        ids = np.concatenate([ids, following[:, None]], axis=1)
    np.testing.assert_array_equal(made.numpy(), ids)
    np.testing.assert_array_equal(model.generate(IDS[0, :3], 5, temperature=0).numpy(), ids[0])


def test_generation_goes_on_where_the_context_ends() -> None:
    model = small()
    ids = IDS[:, :3]
    made = model.generate(ids, 20, temperature=0).numpy()
    assert made.shape == (2, 23)
    seen = 3
    for _ in range(20):  # a full context is cut to its later half, and grows again
        if seen > 8:
            seen = 4
        following = model(ids[:, -seen:]).numpy()[:, -1].argmax(-1)
        ids = np.concatenate([ids, following[:, None]], axis=1)
        seen += 1
    np.testing.assert_array_equal(made, ids)
    long = model.generate(np.tile(IDS, 3), 2, temperature=0).numpy()
    assert long.shape == (2, 20)


def test_a_seed_draws_the_same_and_disturbs_nobody() -> None:
    model = small()
    random.seed(1)
    a = model.generate([1], 30, seed=3).numpy()
    b = random.uniform(3).numpy()
    random.seed(1)
    np.testing.assert_array_equal(random.uniform(3).numpy(), b)
    np.testing.assert_array_equal(model.generate([1], 30, seed=3).numpy(), a)
    assert (model.generate([1], 30, seed=4).numpy() != a).any()


def test_generation_leaves_no_graph_and_no_trace_of_training() -> None:
    model = small(dropout=0.5)
    a = model.generate(IDS, 4, temperature=0)
    assert not a.requires_grad
    np.testing.assert_array_equal(model.generate(IDS, 4, temperature=0).numpy(), a.numpy())
    assert model.training


def frequencies(choose: Callable[[Tensor], Tensor], logits: np.ndarray, n: int = 4000) -> Any:
    ids = choose(Tensor(np.tile(logits, (n, 1)).astype("f"))).numpy()
    return np.bincount(ids, minlength=len(logits)) / n


P = np.array([0.4, 0.05, 0.3, 0.15, 0.1, 0.0])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((1.0, None, None), P),
        ((1.0, 2, None), [4 / 7, 0, 3 / 7, 0, 0, 0]),
        ((1.0, 99, None), P),
        ((1.0, None, 0.6), [4 / 7, 0, 3 / 7, 0, 0, 0]),
        ((1.0, None, 0.75), np.array([0.4, 0, 0.3, 0.15, 0, 0]) / 0.85),
        ((1.0, None, 0.01), [1, 0, 0, 0, 0, 0]),
        ((1.0, 3, 0.5), [4 / 7, 0, 3 / 7, 0, 0, 0]),
        ((0.5, None, None), P**2 / (P**2).sum()),
        ((0.0, None, None), [1, 0, 0, 0, 0, 0]),
    ],
)
def test_what_is_drawn(options: tuple[Any, ...], expected: Any) -> None:
    logits = np.log(np.maximum(P, 1e-30))
    found = frequencies(sampler(*options), logits)
    np.testing.assert_allclose(found, expected, atol=0.03)
    assert (found[np.asarray(expected) == 0] == 0).all()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"temperature": -1}, "temperature"), ({"top_k": 0}, "top_k"), ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.1}, "top_p"), ({"n": -1}, "n is"), ({"ids": []}, "at least one"),
        ({"ids": [1.0]}, "integers"), ({"ids": [[[1]]]}, "integers"),
    ],
)  # fmt: skip
def test_generation_says_what_is_wrong(options: dict[str, Any], told: str) -> None:
    with pytest.raises((ValueError, ShapeError), match=told):
        small().generate(**{"ids": [1], "n": 2} | options)


def test_gpt_says_how_long_its_input_may_be() -> None:
    with pytest.raises(ShapeError, match=r"\(2, 12\); \(N, T\) with T up to 8"):
        small()(np.tile(IDS, 2))
    with pytest.raises(ShapeError, match=r"\(3,\); \(N, T\)"):
        small()([1, 2, 3])
    with pytest.raises(ValueError, match="layers"):
        GPT(5, 4, 8, 0, 2)


def test_gpt_learns_a_cycle() -> None:
    model = GPT(vocabulary=5, context=10, width=16, layers=1, heads=2)
    optimizer = nn.Adam(model.parameters(), lr=1e-2)
    ids = (np.arange(10) + np.arange(5)[:, None]) % 5
    for _ in range(40):
        optimizer.zero_grad()
        loss = nn.losses.cross_entropy(model(ids), Tensor((ids + 1) % 5))
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
    assert model.generate([2], 7, temperature=0).tolist() == [2, 3, 4, 0, 1, 2, 3, 4]


def test_gpt_trains_and_writes_on_a_device() -> None:
    random.seed(1)
    host = small(dropout=0.0, rotary=True)
    random.seed(1)
    device = small(dropout=0.0, rotary=True).to("strict")
    after = []
    for model, backend in ((host, "numpy"), (device, "strict")):
        optimizer = nn.Adam(model.parameters(), lr=1e-3)
        ids, following = (Tensor(a, backend=backend) for a in (IDS, (IDS + 1) % 11))
        nn.losses.cross_entropy(model(ids), following).backward()
        optimizer.step()
        written = model.generate(Tensor(IDS, backend=backend), 12, temperature=0)
        after.append((written, model.state_dict()))
    (a, mine), (b, theirs) = after
    assert (a.backend, b.backend) == ("numpy", "strict")
    np.testing.assert_array_equal(a.numpy(), b.numpy())
    for path, array in mine.items():
        np.testing.assert_allclose(theirs[path], array, rtol=1e-4, atol=1e-5)


def test_a_block_drops_on_a_device() -> None:
    block = TransformerBlock(2, dropout=0.5, input_shape=(None, 8)).to("strict")
    z = block(Tensor(sequence().numpy(), backend="strict"))
    assert z.backend == "strict"


# --- the other models ---


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary", None])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_an_encoder_sees_all_but_padding(positions: str | None, norm: str) -> None:
    encoder = Encoder(8, 2, 2, vocabulary=11, positions=positions, norm=norm, padding=0)
    ids = np.array([[3, 4, 5, 0, 0]])
    z = encoder(ids).numpy()
    np.testing.assert_allclose(z[:, :3], encoder(ids[:, :3]).numpy(), atol=1e-5)
    turned = encoder(ids[:, [2, 1, 0, 3, 4]]).numpy()
    same = np.allclose(turned[:, [2, 1, 0]], z[:, :3], atol=1e-5)
    assert same == (positions is None)


def test_an_encoder_of_vectors() -> None:
    encoder = Encoder(8, 1, 2)
    x = sequence()
    mask = np.array([[True] * 6, [True] * 4 + [False] * 2])
    z = encoder(x, mask=mask)
    z[1, :4].sum().backward()
    assert (x.grad.numpy()[1, 4:] == 0).all()
    with pytest.raises(ShapeError, match=r"Put nn.Dense\(8\) before it"):
        encoder(sequence(width=5))
    with pytest.raises(ShapeError, match="ids"):
        Encoder(8, 1, 2, vocabulary=5)([1, 2])
    with pytest.raises(ValueError, match="'odd'"):
        Encoder(8, 1, 2, positions="odd")
    with pytest.raises(ValueError, match="vocabulary"):
        Encoder(8, 1, 2, padding=0)


def test_patches_are_squares_in_reading_order() -> None:
    model = VisionTransformer((4, 6, 2), 2, classes=3, width=8, layers=1, heads=2)
    image = RNG.normal(size=(2, 4, 6, 2)).astype("f")
    rows = model._cut(Tensor(image)).numpy()
    assert rows.shape == (2, 6, 8)
    np.testing.assert_array_equal(rows[1, 4], image[1, 2:4, 2:4].reshape(-1))
    assert model(image).shape == (2, 3)
    with pytest.raises(ShapeError, match=r"\(N, 4, 6, 2\)"):
        model(image[..., :1])
    with pytest.raises(ShapeError, match="multiples of the patch, 4"):
        VisionTransformer((4, 6, 2), 4, classes=3, width=8, layers=1, heads=2)


def test_every_pixel_counts_for_the_class() -> None:
    model = VisionTransformer((4, 4, 1), 2, classes=3, width=8, layers=1, heads=2)
    x = Tensor(RNG.normal(size=(1, 4, 4, 1)).astype("f"), requires_grad=True)
    model(x)[0, 1].backward()
    assert (x.grad.numpy() != 0).all()
    assert all(p.grad is not None for p in model.parameters())


def seq2seq(**options: Any) -> Transformer:
    sizes = {"source_vocabulary": 9, "target_vocabulary": 7, "width": 16, "layers": 2, "heads": 2}
    model = Transformer(**sizes | {"context": 8} | options)
    for p in model.parameters():
        p.assign(p.detach() * 3)
    return model


def test_a_transformer_reads_the_source_and_not_the_future() -> None:
    model = seq2seq(padding=0)
    source, target = np.array([[1, 2, 3, 0]]), np.array([[1, 4, 5]])
    z = model(source, target).numpy()
    assert z.shape == (1, 3, 7)
    np.testing.assert_allclose(model(source[:, :3], target).numpy(), z, atol=1e-5)
    later = model(source, [[1, 4, 6]]).numpy()
    np.testing.assert_array_equal(later[:, :2], z[:, :2])
    assert np.abs(later[:, 2] - z[:, 2]).max() > 1e-3
    assert np.abs(model([[1, 2, 4, 0]], target).numpy() - z).max() > 1e-3


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_transformer_generates_what_it_would_predict(norm: str) -> None:
    model = seq2seq(padding=0, norm=norm)
    source = np.array([[1, 2, 3, 0], [4, 5, 6, 7]])
    made = model.generate(source, 6, start=1).numpy()
    target = np.ones((2, 1), int)
    for _ in range(6):
        following = model(source, target).numpy()[:, -1].argmax(-1)
        target = np.concatenate([target, following[:, None]], axis=1)
    np.testing.assert_array_equal(made, target[:, 1:])
    one = model.generate(source[1], 6, start=1)
    np.testing.assert_array_equal(one.numpy(), made[1])


def test_behind_the_end_stand_only_ends() -> None:
    model = seq2seq()
    source = RNG.integers(0, 9, (20, 4))
    free = model.generate(source, 8, start=1, temperature=1.0, seed=2).numpy()
    ended = model.generate(source, 8, start=1, end=3, temperature=1.0, seed=2).numpy()
    for a, b in zip(free, ended, strict=True):
        first = next((i for i, n in enumerate(a) if n == 3), len(a))
        np.testing.assert_array_equal(b[:first], a[: min(first, len(b))])
        assert (b[first:] == 3).all()
    everyone = model.generate(source[:1], 8, start=1, end=int(free[0, 0]), temperature=1.0, seed=2)
    assert everyone.tolist() == [[free[0, 0]]]
    with pytest.raises(ShapeError, match="outside"):
        model.generate(source, 9, start=1)


# --- what they look at ---


def test_maps_tell_where_every_attention_looked() -> None:
    model = Transformer(9, 7, width=16, layers=1, heads=2, context=6, padding=0)
    maps = nn.attention_maps(model([[1, 2, 0]], [[1, 2, 3, 4]]))
    shapes = {name: p.shape for name, p in maps.items()}
    assert shapes == {
        "encoder.blocks.0.attention": (1, 2, 3, 3),
        "blocks.0.attention": (1, 2, 4, 4),
        "blocks.0.cross": (1, 2, 4, 3),
    }
    for p in maps.values():
        np.testing.assert_allclose(p.numpy().sum(-1), 1, rtol=1e-6)
    assert (maps["blocks.0.cross"].numpy()[..., 2] == 0).all()  # padding
    assert (np.triu(maps["blocks.0.attention"].numpy(), 1) == 0).all()  # the future


def test_maps_are_the_weights_of_the_values() -> None:
    layer = nn.MultiHeadAttention(2, input_shape=(None, 8))
    x = sequence()
    (p,) = nn.attention_maps(layer(x)).values()
    v = layer._split(layer.value(x))
    z = (p @ v).permute(0, 2, 1, 3).reshape(2, 6, 8)
    np.testing.assert_allclose(layer.output(z).numpy(), layer(x).numpy(), atol=1e-6)


def test_a_layer_that_is_called_twice_has_two_maps() -> None:
    layer = nn.MultiHeadAttention(2, input_shape=(None, 8), name="look")
    first, second = nn.attention_maps(layer(layer(sequence())))
    assert second == f"{first} (2)"


def test_without_a_record_there_are_no_maps() -> None:
    with no_grad():
        logits = small()(IDS)
    with pytest.raises(GraphError, match="no attention is in the history"):
        nn.attention_maps(logits)


def test_maps_are_drawn(tmp_path: Any) -> None:
    pytest.importorskip("matplotlib")
    (p, _) = nn.attention_maps(small()(IDS)).values()
    figure = nn.plot.attention(p[0], list("abcdef"), list("uvwxyz"), path=tmp_path / "heads.png")
    assert (tmp_path / "heads.png").read_bytes()[:4] == b"\x89PNG"
    panels = [panel for panel in figure.axes if panel.images]
    assert len(panels) == 4
    np.testing.assert_array_equal(panels[2].images[0].get_array(), p[0, 2].numpy())
    assert [label.get_text() for label in panels[0].get_yticklabels()] == list("abcdef")
