"""Recurrent layers beside PyTorch's: outputs, states and all gradients; packed, where padded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
from autograd import Tensor

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

N, T, C, H = 4, 7, 3, 5
LENGTHS = [7, 4, 1, 2]
GATES = {"LSTM": [0, 1, 2, 3], "GRU": [1, 0, 2], "SimpleRNN": [0]}
"""Where PyTorch has each of our gates."""
KINDS = [("LSTM", {}), ("GRU", {}), ("SimpleRNN", {}), ("SimpleRNN", {"activation": "relu"})]


def theirs(f: Any, kind: str, dtype: Any, **options: Any) -> Any:
    """PyTorch's layer with our weights."""
    made = getattr(torch.nn, kind.removeprefix("Simple"))(
        C, H, batch_first=True, dtype=dtype, **options
    )
    layers = [f.forward_layer, f.backward_layer] if options.get("bidirectional") else [f]
    for layer, end in zip(layers, ("", "_reverse"), strict=False):
        bias = layer.bias.numpy()
        pair = bias if kind == "GRU" else (bias, np.zeros_like(bias))
        for name, array in (
            ("weight_ih_l0", layer.weight.numpy().T),
            ("weight_hh_l0", layer.recurrent_weight.numpy().T),
            ("bias_ih_l0", pair[0]),
            ("bias_hh_l0", pair[1]),
        ):
            setattr(made, name + end, torch.nn.Parameter(torch.tensor(ordered(array, kind))))
    made._flat_weights = [getattr(made, name) for name in made._flat_weights_names]
    return made


def ordered(array: Any, kind: str) -> Any:
    """Our gates along the first axis in PyTorch's order, or the other way round: it is its own
    inverse."""
    blocks = np.split(array, len(GATES[kind]))
    return np.concatenate([blocks[k] for k in GATES[kind]])


def ours(kind: str, dtype: str, options: dict[str, Any], both: bool = False) -> Any:
    f = getattr(nn, kind)(H, return_sequences=True, return_state=True, **options)
    f = nn.Bidirectional(f, input_shape=(T, C)) if both else f.build((T, C))
    for module in f.modules():
        for name in ("weight", "recurrent_weight", "bias"):
            p = vars(module).get(name)
            if p is not None:
                noise = np.random.default_rng(len(name)).normal(size=p.shape) / 2
                setattr(module, name, Tensor((p.numpy() + noise).astype(dtype), requires_grad=True))
    return f


def states_of(found: Any) -> list[Any]:
    return [s.detach().numpy() for s in (found if isinstance(found, tuple) else (found,))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_outputs_states_and_gradients(
    kind: str, options: dict[str, Any], both: bool, padded: bool, dtype: str
) -> None:
    random = np.random.default_rng(3)
    f = ours(kind, dtype, options, both)
    how = {"nonlinearity": options["activation"]} if options else {}
    g = theirs(f, kind, getattr(torch, dtype), bidirectional=both, **how)
    states, ways = 2 if kind == "LSTM" else 1, 1 + both
    x = random.normal(size=(N, T, C)).astype(dtype)
    start = random.normal(size=(states, ways, N, H)).astype(dtype)
    a = Tensor(x, requires_grad=True)
    b = torch.tensor(x, requires_grad=True)
    begin = [Tensor(start[s, w], requires_grad=True) for w in range(ways) for s in range(states)]
    given = [torch.tensor(s, requires_grad=True) for s in start]
    y, *end = f(a, begin, lengths=LENGTHS if padded else None)
    first = tuple(given) if kind == "LSTM" else given[0]
    if padded:
        pack = torch.nn.utils.rnn.pack_padded_sequence(b, LENGTHS, True, enforce_sorted=False)
        z, last = g(pack, first)
        z, _ = torch.nn.utils.rnn.pad_packed_sequence(z, batch_first=True)
    else:
        z, last = g(b, first)
    real = np.arange(T) < np.array(LENGTHS if padded else [T] * N)[:, None]
    close = {"rtol": 2e-5, "atol": 2e-6} if dtype == "float32" else {"rtol": 1e-9, "atol": 1e-12}
    np.testing.assert_allclose(y.numpy()[real], z.detach().numpy()[real], **close)
    expected = [s[w] for w in range(ways) for s in states_of(last)]
    for e, s in zip(end, expected, strict=True):
        np.testing.assert_allclose(e.numpy(), s, **close)
    gy = random.normal(size=z.shape).astype(dtype) * real[..., None]
    ends = [random.normal(size=(ways, N, H)).astype(dtype) for _ in range(states)]
    mine = (y * Tensor(gy)).sum()
    for i, e in enumerate(end):
        mine = mine + (e * Tensor(ends[i % states][i // states])).sum()
    mine.backward()
    loss = (z * torch.tensor(gy)).sum()
    for s, e in zip(last if kind == "LSTM" else (last,), ends, strict=True):
        loss = loss + (s * torch.tensor(e)).sum()
    loss.backward()
    loose = {**close, "atol": 20 * close["atol"]}
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), **loose)
    for i, s in enumerate(begin):
        np.testing.assert_allclose(s.grad.numpy(), given[i % states].grad[i // states], **loose)
    layers = [f.forward_layer, f.backward_layer] if both else [f]
    for layer, tail in zip(layers, ("", "_reverse"), strict=False):
        names = {"weight": "weight_ih_l0", "recurrent_weight": "weight_hh_l0", "bias": "bias_ih_l0"}
        for name, same in names.items():
            got, want = getattr(layer, name).grad.numpy(), getattr(g, same + tail).grad
            if name == "bias" and kind == "GRU":
                np.testing.assert_allclose(
                    ordered(got[1], kind), getattr(g, "bias_hh_l0" + tail).grad, **loose
                )
                got = got[0]
            np.testing.assert_allclose(ordered(got.T, kind), want, **loose)


def test_an_embedding_and_its_gradient() -> None:
    f, ids = nn.Embedding(6, 3), np.random.default_rng(0).integers(0, 6, (4, 5))
    g = torch.nn.Embedding.from_pretrained(torch.tensor(f.weight.numpy()), freeze=False)
    y, z = f(Tensor(ids)), g(torch.tensor(ids))
    (y * y).sum().backward()
    (z * z).sum().backward()
    np.testing.assert_array_equal(y.numpy(), z.detach().numpy())
    np.testing.assert_allclose(f.weight.grad.numpy(), g.weight.grad.numpy(), rtol=1e-6)
