"""Values and gradients beside PyTorch's: op by op, then in random programs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from op_cases import CASES, Case

from autograd import Tensor, functions
from autograd.ops.index import fill

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

F = torch.nn.functional


def _axes(x: Any, axis: Any) -> Any:
    return tuple(range(x.ndim)) if axis is None else axis


def _along(name: str) -> Callable[..., Any]:
    """A reduction of PyTorch's that wants its axes spelt out."""
    f = getattr(torch, name)
    return lambda x, axis=None, keepdims=False: f(x, dim=_axes(x, axis), keepdim=keepdims)


def _spread(name: str) -> Callable[..., Any]:
    return lambda x, axis=None, keepdims=False, ddof=0: getattr(torch, name)(
        x, dim=_axes(x, axis), keepdim=keepdims, correction=ddof
    )


def _prod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    axes = (axis,) if isinstance(axis, int) else _axes(x, axis)
    for a in sorted([a % x.ndim for a in axes], reverse=True):
        x = torch.prod(x, dim=a, keepdim=keepdims)
    return x


def _put(g: Any, *index: Any, pattern: Any, shape: Any) -> Any:
    z = torch.zeros(shape, dtype=g.dtype)
    key = fill(pattern, index)
    flat = torch.arange(z.numel()).reshape(shape)[key].reshape(-1)
    return z.reshape(-1).index_add(0, flat, g.reshape(-1)).reshape(shape)


def _add(x: Any, y: Any, *index: Any, pattern: Any) -> Any:
    target = torch.zeros(x.shape)[fill(pattern, index)].shape
    return x + _put(y.broadcast_to(target), *index, pattern=pattern, shape=x.shape)


def _attention(q: Any, k: Any, v: Any, mask: Any, causal: bool = False, scale: Any = None) -> Any:
    shape = (*q.shape[:-1], k.shape[-2])
    seen = torch.ones(shape[-2:], dtype=torch.bool).tril(shape[-1] - shape[-2]) | (not causal)
    mask = torch.where(seen, mask.broadcast_to(shape), -torch.inf)
    z = F.scaled_dot_product_attention(q, k, v, mask, scale=scale)
    return torch.where(torch.isinf(mask).all(-1, keepdim=True), 0, z)


def _first(x: Any) -> Any:
    """Channels first."""
    return torch.movedim(x, -1, 1)


def _flat_pairs(pairs: Any) -> list[int]:
    """Padding as `pad` wants it: the last axis first."""
    return [n for pair in reversed(pairs) for n in pair]


def _conv(x: Any, w: Any, b: Any = None, padding: Any = (), **how: Any) -> Any:
    f = [F.conv1d, F.conv2d, F.conv3d][x.ndim - 3]
    kernel = w.permute(-1, -2, *range(w.ndim - 2))
    return torch.movedim(f(F.pad(_first(x), _flat_pairs(padding)), kernel, b, **how), 1, -1)


def _conv_transpose(
    y: Any, w: Any, shape: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    rank, o = y.ndim - 2, y.shape[-1]
    f = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][rank - 1]
    kernel = w.permute(-1, -2, *range(rank))  # its (in, out / groups): the same order
    full = f(_first(y), kernel, stride=stride, dilation=dilation, groups=groups)
    assert o == kernel.shape[0]
    ends = [
        (-a, n + a - m) for n, m, (a, _) in zip(shape, full.shape[2:], padding, strict=True)
    ]  # cut off before, and cut off or fill up with zeros behind
    return torch.movedim(F.pad(full, _flat_pairs(ends)), 1, -1)


def _max_pool(x: Any, size: Any, stride: Any, padding: Any) -> Any:
    f = [F.max_pool1d, F.max_pool2d, F.max_pool3d][x.ndim - 3]
    x = F.pad(_first(x), _flat_pairs(padding), value=-float("inf"))
    return torch.movedim(f(x, size, stride), 1, -1)


def _sum_pool(x: Any, size: Any, stride: Any, padding: Any) -> Any:
    f = [F.avg_pool1d, F.avg_pool2d, F.avg_pool3d][x.ndim - 3]
    z = f(F.pad(_first(x), _flat_pairs(padding)), size, stride) * math.prod(size)
    return torch.movedim(z, 1, -1)


def _batch_norm(x: Any, w: Any, b: Any, eps: float = 1e-3) -> Any:
    axes = tuple(range(x.ndim - 1))
    z = F.batch_norm(_first(x), None, None, w, b, training=True, eps=eps)
    return torch.movedim(z, 1, -1), x.mean(axes), x.var(axes, correction=0)


def _svd(x: Any) -> Any:
    """With the signs that NumPy chooses for the vectors: either is right."""
    u, s, vh = torch.linalg.svd(x, full_matrices=False)
    chosen = torch.tensor(np.linalg.svd(x.detach().numpy(), full_matrices=False)[0])
    sign = (u.detach() * chosen).sum(-2).sign()
    return u * sign[..., None, :], s, sign[..., :, None] * vh


def _on_pairs(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function of complex numbers, of pairs of real ones."""
    return lambda z, axis: torch.view_as_real(f(torch.view_as_complex(z), dim=axis))


TORCH: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(torch, name)
        for name in (
            "add sub mul div neg xlogy exp expm1 log log1p sqrt sin cos tan asin acos atan sinh "
            "cosh tanh asinh acosh atanh erf sigmoid relu abs sign maximum minimum where floor "
            "ceil round atan2 matmul"
        ).split()
    },
    "power": lambda x, n: x**n,
    "pow": torch.pow,
    "mod": torch.remainder,
    "gelu": F.gelu,
    "normal_cdf": torch.special.ndtr,
    "attention": _attention,
    "softplus": lambda x: F.softplus(x, threshold=1000),
    "standardize": lambda x, eps=1e-5: F.layer_norm(x, x.shape[-1:], eps=eps),
    "layer_norm": lambda x, w, b, eps=1e-5: F.layer_norm(x, x.shape[-1:], w, b, eps),
    "rms_norm": lambda x, w, eps=1e-5: F.rms_norm(x, x.shape[-1:], w, eps),
    "batch_norm": _batch_norm,
    "inv": torch.linalg.inv,
    "solve": torch.linalg.solve,
    "det": torch.linalg.det,
    "slogdet": lambda x: tuple(torch.linalg.slogdet(x)),
    "cholesky": lambda x: torch.linalg.cholesky((x + x.mT) / 2),
    "eigh": lambda x: tuple(torch.linalg.eigh((x + x.mT) / 2)),
    "svd": _svd,
    "qr": lambda x: tuple(torch.linalg.qr(x)),
    "expm": torch.linalg.matrix_exp,
    "fft": _on_pairs(torch.fft.fft),
    "ifft": _on_pairs(torch.fft.ifft),
    "rfft": lambda x, axis: torch.view_as_real(torch.fft.rfft(x, dim=axis)),
    "irfft": lambda z, n, axis: torch.fft.irfft(torch.view_as_complex(z), n=n, dim=axis),
    "binary_cross_entropy_with_logits": lambda x, t: F.binary_cross_entropy_with_logits(
        *torch.broadcast_tensors(x, t), reduction="none"
    ),
    "clip": lambda x, low=None, high=None: torch.clamp(x, low, high),
    "identity": lambda x: x.clone(),
    "sum": _along("sum"),
    "mean": _along("mean"),
    "var": _spread("var"),
    "std": _spread("std"),
    "norm": lambda x, axis=None, keepdims=False: torch.linalg.vector_norm(
        x, dim=_axes(x, axis), keepdim=keepdims
    ),
    "max": _along("amax"),
    "min": _along("amin"),
    "prod": _prod,
    "cumsum": lambda x, axis: torch.cumsum(x, axis),
    "cumprod": lambda x, axis: torch.cumprod(x, axis),
    "logsumexp": _along("logsumexp"),
    "softmax": lambda x, axis=-1: torch.softmax(x, axis),
    "log_softmax": lambda x, axis=-1: torch.log_softmax(x, axis),
    "reshape": lambda x, shape: x.reshape(shape),
    "transpose": lambda x, axes=None: x.permute(axes or tuple(reversed(range(x.ndim)))),
    "broadcast_to": lambda x, shape: x.broadcast_to(shape),
    "sum_to": lambda x, shape: x.sum_to_size(shape),
    "flip": lambda x, axis=None: torch.flip(
        x, (axis,) if isinstance(axis, int) else _axes(x, axis)
    ),
    "roll": lambda x, shift, axis=None: torch.roll(x, shift, axis),
    "pad": lambda x, width, value=0.0: F.pad(
        x, [n for pair in reversed(width) for n in pair], value=value
    ),
    "concatenate": lambda *xs, axis=0: torch.cat(xs, axis),
    "tril": lambda x, k=0: torch.tril(x, k),
    "triu": lambda x, k=0: torch.triu(x, k),
    "putitem": _put,
    "additem": _add,
    "gather": lambda x, index, axis: torch.gather(x, axis, index % x.shape[axis]),
    "putalong": lambda g, index, axis, shape: torch.zeros(shape, dtype=g.dtype).scatter_add(
        axis, index, g
    ),
    "scatter_add": lambda x, index, y, axis: x.scatter_add(axis, index, y),
    "affine": lambda x, w, b: x @ w + b,
    "einsum": lambda *xs, subscripts: torch.einsum(subscripts, *xs),
    "conv": _conv,
    "conv_affine": _conv,
    "conv_transpose": _conv_transpose,
    "max_pool": _max_pool,
    "sum_pool": _sum_pool,
    "embedding": lambda x, index: x[index],
    "putrows": lambda g, index, rows: torch.zeros(
        rows, *g.shape[index.ndim :], dtype=g.dtype
    ).index_put((index,), g, accumulate=True),
    "softmax_cross_entropy": lambda x, index: F.cross_entropy(
        x.reshape(-1, x.shape[-1]), index.reshape(-1), reduction="none"
    ).reshape(index.shape),
}
"""The op in PyTorch's words; absent are those with another meaning there, or without gradient."""

ALIKE = [c for c in CASES if c.op.name in TORCH and c.params.get("axis") != ()]  # there: all axes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", ALIKE, ids=str)
def test_op(case: Case, dtype: str) -> None:
    rough = {"float32": 2e-5, "float64": 1e-12}[dtype]
    arrays = case.draw(dtype)
    floats = [a.dtype.kind == "f" for a in arrays]
    ours = [Tensor(a, requires_grad=f) for a, f in zip(arrays, floats, strict=True)]
    theirs = [torch.tensor(a, requires_grad=f) for a, f in zip(arrays, floats, strict=True)]
    y, z = case(*ours), TORCH[case.op.name](*theirs, **case.params)
    if isinstance(z, tuple):
        z = torch.cat([part.reshape(-1) for part in z])
    assert y.shape == tuple(z.shape)
    np.testing.assert_allclose(y.raw, z.detach().numpy(), rtol=rough, atol=rough)
    g = np.random.default_rng(1).normal(size=y.shape).astype(dtype)
    y.backward(Tensor(g))
    z.backward(torch.tensor(g))
    for a, b in zip(ours, theirs, strict=True):
        if a.requires_grad:
            expected = np.zeros(a.shape) if b.grad is None else b.grad.numpy()
            got = np.zeros(a.shape) if a.grad is None else a.grad.raw
            np.testing.assert_allclose(got, expected, rtol=rough, atol=rough)


ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "leaky_relu": F.leaky_relu, "elu": F.elu, "selu": F.selu, "gelu": F.gelu, "silu": F.silu,
    "mish": F.mish, "softsign": F.softsign, "hardtanh": F.hardtanh, "log_sigmoid": F.logsigmoid,
}  # fmt: skip


@pytest.mark.parametrize("name", [*ACTIVATIONS])
def test_activation(name: str) -> None:
    x = np.concatenate([np.linspace(-30, 30, 61), [-1.0, 0.0, 1.0]])
    a, b = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, z = getattr(functions, name)(a), ACTIVATIONS[name](b)
    np.testing.assert_allclose(y.raw, z.detach().numpy(), rtol=1e-13, atol=1e-14)
    y.sum().backward()
    z.sum().backward()
    assert a.grad is not None
    np.testing.assert_allclose(a.grad.raw, b.grad.numpy(), rtol=1e-12, atol=1e-13)


# --- random programs ---

STEPS: list[tuple[int, Callable[..., Any], Callable[..., Any]]] = [
    (1, lambda x: x.tanh(), torch.tanh),
    (1, lambda x: x.sigmoid(), torch.sigmoid),
    (1, lambda x: x.sin(), torch.sin),
    (1, lambda x: x.erf(), torch.erf),
    (1, lambda x: x.softplus(), F.softplus),
    (1, lambda x: x.relu(), torch.relu),
    (1, lambda x: x.abs(), torch.abs),
    (1, lambda x: (x * x + 1).log(), lambda x: (x * x + 1).log()),
    (1, lambda x: (x * x + 1).sqrt(), lambda x: (x * x + 1).sqrt()),
    (1, lambda x: x.T, lambda x: x.T),
    (1, lambda x: x[::-1, 1:3].repeat(2, axis=1)[:, :3],
     lambda x: x.flip(0)[:, 1:3].repeat_interleave(2, 1)[:, :3]),
    (1, lambda x: x.softmax(axis=0), lambda x: x.softmax(0)),
    (1, lambda x: x.cumsum(axis=1), lambda x: x.cumsum(1)),
    (1, lambda x: x.tanh().cumprod(axis=0), lambda x: x.tanh().cumprod(0)),
    (1, lambda x: x - x.mean(axis=1, keepdims=True), lambda x: x - x.mean(1, keepdim=True)),
    (1, lambda x: x.sum(axis=0), lambda x: x.sum(0)),
    (1, lambda x: x.max(axis=1, keepdims=True), lambda x: x.amax(1, keepdim=True)),
    (1, lambda x: x.logsumexp(axis=0, keepdims=True), lambda x: x.logsumexp(0, keepdim=True)),
    (1, lambda x: x.clip(-1.5, 1.5), lambda x: x.clamp(-1.5, 1.5)),
    (1, lambda x: x.sort(axis=0), lambda x: x.sort(dim=0, stable=True)[0]),
    (2, lambda x, y: x + y, torch.add),
    (2, lambda x, y: x - y, torch.sub),
    (2, lambda x, y: x * y.tanh(), lambda x, y: x * y.tanh()),
    (2, lambda x, y: x / (y * y + 1), lambda x, y: x / (y * y + 1)),
    (2, lambda x, y: x.maximum(y), torch.maximum),
    (2, lambda x, y: (x @ y).tanh(), lambda x, y: (x @ y).tanh()),
    (2, lambda x, y: functions.concatenate([x, y], axis=0)[1:4],
     lambda x, y: torch.cat([x, y], 0)[1:4]),
]  # fmt: skip
"""How many operands, and the step in both libraries; all work on (3, 3)."""

programs = st.lists(
    st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 30), st.integers(0, 30)),
    min_size=5, max_size=30,
)  # fmt: skip


def run(steps: list[tuple[int, int, int]], inputs: list[Any], side: int) -> list[Any]:
    """All intermediate results; a step is widened to (3, 3), so that any can follow any."""
    seen = list(inputs)
    for which, i, j in steps:
        count, *f = STEPS[which]
        operands = [seen[k % len(seen)] for k in (i, j)[:count]]
        z = f[side](*operands)
        seen.append(z if tuple(z.shape) == (3, 3) else z + 0 * inputs[0])
    return seen


@settings(max_examples=300)
@given(programs, st.integers(0, 2**32 - 1))
def test_random_programs(steps: list[tuple[int, int, int]], seed: int) -> None:
    random = np.random.default_rng(seed)
    arrays = random.normal(size=(3, 3, 3))
    ours = [Tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    all_ours, all_theirs = run(steps, ours, 0), run(steps, theirs, 1)
    for a, b in zip(all_ours, all_theirs, strict=True):
        np.testing.assert_allclose(a.raw, b.detach().numpy(), rtol=1e-8, atol=1e-9)
    weights = random.normal(size=(len(all_ours), 3, 3))
    sum((z * Tensor(w)).sum() for z, w in zip(all_ours, weights, strict=True)).backward()
    sum((z * torch.tensor(w)).sum() for z, w in zip(all_theirs, weights, strict=True)).backward()
    for a, b in zip(ours, theirs, strict=True):
        scale = np.abs(b.grad.numpy()).max() + 1
        np.testing.assert_allclose(a.grad.raw / scale, b.grad.numpy() / scale, atol=1e-8)
