"""Recurrent networks and embeddings: fused as defined, with masks, states and directions."""

from __future__ import annotations

from typing import Any

import naive_sequences
import numpy as np
import pytest
from op_cases import in_one

import autograd
import nn
from autograd import Tensor, grad, hvp
from autograd.check import gradcheck
from autograd.errors import DTypeError, ShapeError
from autograd.ops import recurrent
from backends import strict

KINDS = {"LSTM": nn.LSTM, "GRU": nn.GRU, "SimpleRNN": nn.SimpleRNN}
N, T, C, H = 3, 5, 2, 4
by_kind = pytest.mark.parametrize("kind", KINDS)


def numbers(*shape: int, seed: int = 0, **options: Any) -> Tensor:
    return Tensor(np.random.default_rng(seed).normal(size=shape), **options)


def layer(kind: str, dtype: str = "float64", **options: Any) -> Any:
    """A layer with weights in that dtype, none of them 0, and the same at every call."""
    autograd.seed(7)
    made = KINDS[kind](H, input_shape=(T, C), **options)
    for i, p in enumerate(made.parameters()):
        p.assign(p.numpy() + np.random.default_rng(i).normal(size=p.shape).astype("float32") / 3)
    for name, p in made.named_parameters():
        setattr(made, name, p.detach().astype(dtype).requires_grad_())
    return made


MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]], bool)

# --- the fused operations ---


def operands(op: str, n: int = 9, count: int = 40, c: int = 3, h: int = 5) -> list[Tensor]:
    """Inputs of an op so large that the gradient of the weights takes several blocks."""
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[op]
    bias = (2, gates * h) if op == "gru" else (gates * h,)
    shapes = [(n, count, c), (c, gates * h), (h, gates * h), bias, (n, h), (n, h)]
    return [
        numbers(*shape, seed=i, requires_grad=True) * 0.5
        for i, shape in enumerate(shapes[: 6 if op == "lstm" else 5])
    ]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("op", ["lstm", "gru", "rnn"])
def test_fused_and_defined_agree_to_the_gradient(
    op: str, masked: bool, reverse: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autograd.ops.unrolled.ROWS", 64)  # blocks of 7 steps, and a rest
    mask = [Tensor(np.random.default_rng(9).random((9, 40)) < 0.7)] if masked else []
    xs = operands(op)
    fused, defined = getattr(recurrent, op), getattr(recurrent, f"_{op}")
    results, gradients = [], []
    for f in (fused, defined):
        z = in_one(f(*xs, *mask, reverse=reverse))
        results.append(z.numpy())
        weights = numbers(*z.shape, seed=5)
        gradients.append(autograd.gradients((z * weights).sum(), xs))
    np.testing.assert_allclose(*results, rtol=1e-12, atol=1e-13)
    for a, b in zip(*gradients, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-12)
    naive = getattr(naive_sequences, op)(*[x.numpy() for x in xs], *[m.numpy() for m in mask],
                                         reverse=reverse)  # fmt: skip
    np.testing.assert_allclose(results[0], in_one(naive), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("op", ["lstm", "gru", "rnn"])
def test_third_order_is_that_of_the_definition(op: str) -> None:
    xs = [x.detach() for x in operands(op, n=2, count=3, c=2, h=2)]
    v = numbers(*xs[0].shape, seed=8)
    found = []
    for f in (getattr(recurrent, op), getattr(recurrent, f"_{op}")):

        def loss(x: Tensor, f: Any = f) -> Tensor:
            return (f(x, *xs[1:])[0] ** 2).sum()

        found.append(grad(lambda x, loss=loss: (hvp(loss, x, v) ** 2).sum())(xs[0]).numpy())
    np.testing.assert_allclose(*found, rtol=1e-8)


def test_a_constant_input_costs_the_second_order_nothing() -> None:
    x, *weights = [x.detach() for x in operands("gru", n=2, count=2, c=2, h=2)]
    assert gradcheck(lambda w: recurrent.gru(x, w, *weights[1:])[0], weights[0], order=2)


# --- layers ---


@by_kind
def test_what_a_layer_returns(kind: str) -> None:
    x, states = numbers(N, T, C), 2 if kind == "LSTM" else 1
    y = layer(kind, return_sequences=True)(x)
    assert y.shape == (N, T, H)
    last = layer(kind)(x)
    np.testing.assert_array_equal(last.numpy(), y.numpy()[:, -1])
    y2, *state = layer(kind, return_sequences=True, return_state=True)(x)
    np.testing.assert_array_equal(y2.numpy(), y.numpy())
    np.testing.assert_array_equal(state[0].numpy(), last.numpy())
    assert [s.shape for s in state] == [(N, H)] * states


@by_kind
def test_a_sequence_in_two_parts_is_the_sequence(kind: str) -> None:
    x, f = numbers(N, T, C), layer(kind, return_sequences=True, return_state=True)
    whole, *end = f(x)
    first, *state = f(x[:, :2])
    second, *after = f(x[:, 2:], initial_state=state)
    found = autograd.concatenate([first, second], axis=1)
    np.testing.assert_allclose(found.numpy(), whole.numpy(), rtol=1e-12)
    for a, b in zip(after, end, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)


@by_kind
def test_backpropagation_is_cut_where_a_state_is_detached(kind: str) -> None:
    f = layer(kind, return_sequences=True, return_state=True)
    x = numbers(N, T, C, requires_grad=True)
    _, *state = f(x[:, :2])
    y, *_ = f(x[:, 2:], initial_state=[s.detach() for s in state])
    y.sum().backward()
    g = x.grad.numpy()
    assert not g[:, :2].any()
    assert g[:, 2:].all()


@by_kind
def test_over_padding_the_state_stays_and_the_output_repeats_it(kind: str) -> None:
    x, f = numbers(N, T, C), layer(kind, return_sequences=True, return_state=True)
    y, *state = f(x, mask=MASK)
    for i, n in enumerate(MASK.sum(1)):
        alone, *end = f(x[i : i + 1, :n])
        np.testing.assert_allclose(y.numpy()[i, :n], alone.numpy()[0], rtol=1e-12)
        np.testing.assert_allclose(y.numpy()[i, n:], np.tile(end[0].numpy(), (T - n, 1)))
        for s, e in zip(state, end, strict=True):
            np.testing.assert_allclose(s.numpy()[i], e.numpy()[0], rtol=1e-12)
    same, *_ = f(x, lengths=[5, 3, 1])
    np.testing.assert_array_equal(same.numpy(), y.numpy())


@by_kind
def test_padding_has_no_influence_and_no_gradient(kind: str) -> None:
    f, x = layer(kind), numbers(N, T, C, requires_grad=True)
    y = f(x, mask=MASK)
    other = f(Tensor(np.where(MASK[..., None], x.numpy(), 99.0)), mask=MASK)
    np.testing.assert_array_equal(y.numpy(), other.numpy())
    y.sum().backward()
    assert (x.grad.numpy() != 0).all(-1).tolist() == MASK.tolist()
    assert gradcheck(lambda x: f(x, mask=MASK), x.detach(), order=2)


@by_kind
def test_a_sample_without_a_real_step_keeps_its_state(kind: str) -> None:
    f = layer(kind, return_state=True)
    start = [numbers(N, H, seed=i) for i in range(f.states)]
    _, *state = f(numbers(N, T, C), start, lengths=[0, 0, 5])
    for s, e in zip(state, start, strict=True):
        np.testing.assert_array_equal(s.numpy()[:2], e.numpy()[:2])
        assert (s.numpy()[2] != e.numpy()[2]).all()


@by_kind
def test_reverse_reads_from_the_end_and_stays_in_place(kind: str) -> None:
    x, f = numbers(N, T, C), layer(kind, return_sequences=True)
    forwards = f(Tensor(x.numpy()[:, ::-1])).numpy()
    f.reverse = True
    np.testing.assert_allclose(f(x).numpy(), forwards[:, ::-1], rtol=1e-12)
    f.return_sequences = False
    np.testing.assert_allclose(f(x).numpy(), forwards[:, -1], rtol=1e-12)


MERGED = {
    "concat": lambda a, b: np.concatenate([a, b], -1), "sum": np.add, "mul": np.multiply,
    "ave": lambda a, b: (a + b) / 2,
}  # fmt: skip


@pytest.mark.parametrize("merge", MERGED)
def test_both_directions(merge: str) -> None:
    f = nn.Bidirectional(nn.LSTM(H, return_sequences=True, return_state=True), merge)
    x = numbers(N, T, C).astype("float32")
    y, *state = f(x, mask=MASK)
    one, other = f.forward_layer, f.backward_layer
    assert other.reverse
    assert not np.array_equal(one.weight.numpy(), other.weight.numpy())
    (a, *sa), (b, *sb) = one(x, mask=MASK), other(x, mask=MASK)
    np.testing.assert_array_equal(y.numpy(), MERGED[merge](a.numpy(), b.numpy()))
    for found, expected in zip(state, [*sa, *sb], strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())
    y, *_ = f(x, state, mask=MASK)
    expected = MERGED[merge](*[g(x, s, mask=MASK)[0].numpy() for g, s in ((one, sa), (other, sb))])
    np.testing.assert_array_equal(y.numpy(), expected)


def test_both_directions_apart_or_of_a_layer_that_has_weights() -> None:
    given = nn.GRU(H, input_shape=(T, C))
    f, x = nn.Bidirectional(given, merge=None), numbers(N, T, C).astype("float32")
    a, b = f(x)
    assert a.shape == b.shape == (N, H)
    assert not np.array_equal(given.weight.numpy(), f.backward_layer.weight.numpy())
    assert nn.Bidirectional(nn.GRU(H), input_shape=(T, C)).built
    own = nn.Bidirectional(nn.GRU(H), backward=nn.GRU(2, reverse=True))
    assert own(x).shape == (N, H + 2)


@by_kind
@pytest.mark.parametrize("reverse", [False, True])
def test_a_loop_over_a_cell_is_the_layer(kind: str, reverse: bool) -> None:
    options = {"return_sequences": True, "return_state": True, "reverse": reverse}
    f = layer(kind, **options)
    cell = getattr(nn, f"{kind}Cell")(H, input_shape=(C,))
    for name in ("weight", "recurrent_weight", "bias"):
        setattr(cell, name, getattr(f, name))
    loop, x = nn.RNN(cell, **options), numbers(N, T, C)
    for mask in (None, MASK):
        for a, b in zip(loop(x, mask=mask), f(x, mask=mask), strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)
    if not reverse:
        state: Any = None
        for t in range(T):
            output, state = cell(x[:, t], state)
        np.testing.assert_allclose(output.numpy(), f(x)[1].numpy(), rtol=1e-12)


def test_any_function_is_a_cell() -> None:
    def running(x: Tensor, state: Any) -> Any:
        total = x if state is None else x + state[0]
        return total, (total,)

    x = numbers(N, T, C)
    y = nn.RNN(running, return_sequences=True)(x)
    np.testing.assert_allclose(y.numpy(), np.cumsum(x.numpy(), 1), rtol=1e-12)
    y = nn.RNN(running)(x, mask=MASK)
    np.testing.assert_allclose(y.numpy(), (x.numpy() * MASK[..., None]).sum(1), rtol=1e-12)


@by_kind
def test_dropout_takes_features_at_all_steps_and_only_in_training(kind: str) -> None:
    f = layer(kind, "float32", dropout=0.5)
    x = numbers(64, T, C).astype("float32").requires_grad_()
    f(x).sum().backward()
    g = x.grad.numpy()
    gone = (g == 0).all(1)  # (64, C)
    assert ((g == 0).any(1) == gone).all()
    assert 30 < gone.sum() < 98
    np.testing.assert_array_equal(f.eval()(x).numpy(), f(x).numpy())


@by_kind
def test_how_weights_begin(kind: str) -> None:
    f = KINDS[kind](H, input_shape=(T, C))
    u = f.recurrent_weight.numpy()
    np.testing.assert_allclose(u @ u.T, np.eye(H), atol=1e-6)
    expected = np.zeros(f.bias.shape)
    if kind == "LSTM":
        expected[H : 2 * H] = 1  # the forget gate
    np.testing.assert_array_equal(f.bias.numpy(), expected)
    bare = KINDS[kind](H, use_bias=False)
    assert bare(numbers(N, T, C).astype("float32")).shape == (N, H)
    assert len(bare.parameters()) == 2


@by_kind
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_dtypes_stay(kind: str, dtype: str) -> None:
    f, exact = layer(kind, dtype, return_state=True), layer(kind, return_state=True)
    x = numbers(N, T, C)
    y = f(x.astype(dtype), mask=MASK)
    sum(s.sum() for s in y).backward()
    assert {str(t.dtype) for t in [*y, *[p.grad for p in f.parameters()]]} == {dtype}
    rough = {"float16": 1e-2, "bfloat16": 0.1, "float64": 1e-12}[dtype]
    for a, b in zip(y, exact(x, mask=MASK), strict=True):
        np.testing.assert_allclose(a.numpy().astype("float64"), b.numpy(), atol=rough)


@by_kind
def test_nothing_leaves_the_device(kind: str) -> None:
    f = layer(kind, "float32", return_sequences=True)
    x, mask = numbers(N, T, C).astype("float32"), Tensor(MASK)
    expected = f(x, mask=mask)
    expected.sum().backward()
    g = f.weight.grad.numpy()
    f.to("strict")
    x, mask = x.to("strict"), mask.to("strict")
    with strict.watched() as launched:
        y = f(x, mask=mask)
        y.sum().backward()
    assert not {"item", "to_host", "from_host"} & set(launched)
    np.testing.assert_array_equal(y.to("numpy").numpy(), expected.numpy())
    np.testing.assert_array_equal(f.weight.grad.to("numpy").numpy(), g)


@by_kind
def test_a_state_dict_makes_the_weights(kind: str) -> None:
    f, g = KINDS[kind](H, input_shape=(T, C)), KINDS[kind](H)
    g.load_state_dict(f.state_dict())
    x = numbers(N, T, C).astype("float32")
    np.testing.assert_array_equal(f(x).numpy(), g(x).numpy())


# --- embeddings, and masks through a model ---


def test_an_embedding_gives_rows_and_gathers_their_gradients() -> None:
    f = nn.Embedding(5, 3)
    ids = np.array([[0, 4, 4], [1, 4, 0]])
    y = f(Tensor(ids))
    np.testing.assert_array_equal(y.numpy(), f.weight.numpy()[ids])
    y.sum().backward()
    np.testing.assert_array_equal(
        f.weight.grad.numpy()[:, 0], np.bincount(ids.ravel(), minlength=5)
    )
    assert f(Tensor(ids.astype("float32"))).shape == (2, 3, 3)
    assert f(3).shape == (3,)


def test_a_long_sum_of_half_precision_keeps_its_small_terms() -> None:
    w = Tensor(np.ones((2, 1)), dtype="float16", requires_grad=True)
    autograd.embedding(w, Tensor(np.zeros(5000, int))).sum().backward()
    assert w.grad.tolist() == [[5000], [0]]


@pytest.mark.parametrize("bad", [5, -1])
@pytest.mark.parametrize("backend", ["numpy", "strict"])
def test_an_id_of_no_row_is_told(bad: int, backend: str) -> None:
    f, ids = nn.Embedding(5, 3).to(backend), np.zeros((2, 3), int)
    ids[1, 2] = bad
    with pytest.raises(ShapeError, match=rf"index {bad}, at \[1, 2\], is outside \[0, 5\)"):
        f(Tensor(ids, backend=backend))
    with pytest.raises(DTypeError, match=r"Embedding.*integers, not float"):
        f(Tensor([1.5], backend=backend))


def test_a_mask_of_zeros_goes_through_a_model() -> None:
    ids = Tensor([[3, 1, 2], [4, 0, 0]])
    model = nn.Sequential([
        nn.Embedding(5, C, mask_zero=True), nn.Bidirectional(nn.GRU(H, return_sequences=True)),
        nn.Dense(C), nn.Sequential([nn.LSTM(H)]), nn.Dense(1),
    ])  # fmt: skip
    y = model(ids).numpy()
    np.testing.assert_allclose(model(Tensor([[4]])).numpy()[0], y[1], rtol=1e-6)
    model.layers[0].mask_zero = False
    bare = model(ids).numpy()
    assert not np.allclose(bare[1], y[1])
    mask = Tensor([[True, True, True], [True, False, False]])
    np.testing.assert_array_equal(model(ids, mask=mask).numpy(), y)
    np.testing.assert_array_equal(bare[0], y[0])
    with pytest.raises(TypeError, match="no layer takes one"):
        nn.Sequential([nn.Embedding(5, 2), nn.Dense(1)])(ids, mask=mask)


def test_a_model_learns_which_symbol_came_first() -> None:
    autograd.seed(3)
    x = np.random.default_rng(0).integers(0, 3, (64, 6))
    model = nn.Sequential([nn.Embedding(3, 4), nn.LSTM(12), nn.Dense(3)])
    model.compile(
        nn.Adam(lr=0.05), nn.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"]
    )
    model.fit(x, x[:, 0], epochs=25, batch_size=16, verbose=0)
    assert model.evaluate(x, x[:, 0], verbose=0)[1] > 0.95


# --- errors ---

x3 = numbers(N, T, C).astype("float32")
ERRORS: dict[str, tuple[Any, type[Exception], str]] = {
    "units": (lambda: nn.LSTM(0), ValueError, "units must be a whole number"),
    "dropout": (lambda: nn.GRU(2, dropout=1), ValueError, "dropout 1 is outside"),
    "activation": (lambda: nn.SimpleRNN(2, "gelu"), ValueError, "'gelu' is neither"),
    "series": (lambda: nn.LSTM(2)(x3[..., 0]), ShapeError, r"one number per step are x\[..., None"),
    "ids": (lambda: nn.LSTM(2)(Tensor([[1, 2]])), ShapeError, "nn.Embedding before it"),
    "no steps": (lambda: nn.LSTM(2)(x3[:, :0]), ShapeError, "must be .N, steps, features"),
    "features": (lambda: nn.GRU(2, input_shape=(T, 9))(x3), ShapeError, "9 features, got 2"),
    "dtype": (lambda: nn.GRU(2, input_shape=(T, C))(x3.astype("float64")), DTypeError, "astype"),
    "state": (lambda: nn.LSTM(2)(x3, x3[:, 0]), ShapeError, "initial_state must be h and c"),
    "mask": (lambda: nn.LSTM(2)(x3, mask=[[True]]), ShapeError, r"mask of shape \(1, 1\)"),
    "both": (lambda: nn.LSTM(2)(x3, mask=MASK, lengths=[1, 1, 1]), ValueError, "not both"),
    "too long": (lambda: nn.LSTM(2)(x3, lengths=[1, 6, 1]), ShapeError, r"lengths\[1\] is 6"),
    "lengths": (lambda: nn.LSTM(2)(x3, lengths=[1.0] * 3), ShapeError, "3 integers"),
    "merge": (lambda: nn.Bidirectional(nn.LSTM(2), "add"), ValueError, "merge 'add' is unknown"),
    "around": (lambda: nn.Bidirectional(nn.Dense(2)), TypeError, "such as LSTM"),
    "directions": (
        lambda: nn.Bidirectional(nn.LSTM(2), backward=nn.LSTM(2)), ValueError, "same direction",
    ),
    "cell": (lambda: nn.LSTMCell(2)(x3), ShapeError, "one step is"),
    "loop": (lambda: nn.RNN(nn.LSTMCell(2))(x3[:, 0]), ShapeError, "must be .N, steps"),
    "rows": (lambda: nn.Embedding(0, 2), ValueError, "input_dim must be"),
    "op": (
        lambda: recurrent.rnn(x3, x3[0, :2], x3[0, :2], x3[0, 0], x3[:, 0, :1]), ShapeError,
        r"rnn: .* has shape \(2, 2\), not \(2, 1\)",
    ),
    "no steps for the op": (
        lambda: recurrent.rnn(x3[:, :0], x3[0, :2], x3[0, :2], x3[0, 0], x3[:, 0]), ShapeError,
        r"rnn: the sequence has shape \(3, 0, 2\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_errors_teach(case: str) -> None:
    call, kind, text = ERRORS[case]
    with pytest.raises(kind, match=text):
        call()
