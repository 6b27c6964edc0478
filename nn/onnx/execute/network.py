"""Normalisation, dropout and losses."""

from __future__ import annotations

from typing import Any

import autograd as ag
from autograd import Tensor, random

from .table import Call, axes_of, onnx_op, spread


def _standard(x: Tensor, axes: tuple[int, ...], epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """x with mean 0 and variance 1 over axes, the mean, and one over the deviation."""
    mean = x.mean(axis=axes, keepdims=True)
    centred = x - mean
    scale = ((centred * centred).mean(axis=axes, keepdims=True) + epsilon) ** -0.5
    return centred * scale, mean, scale


@onnx_op("BatchNormalization")
def batch_normalization(
    x: Tensor, scale: Tensor, b: Tensor, mean: Tensor, var: Tensor, *, epsilon: float = 1e-5,
    momentum: float = 0.9, training_mode: int = 0, spatial: int = 1, is_test: int = 1,
) -> Any:  # fmt: skip
    """With the statistics that are given, or with the batch's own, which then go into these."""
    shape = spread(range(scale.shape[0]), x.ndim)
    if training_mode:
        axes = (0, *range(2, x.ndim))
        m, v = x.mean(axis=axes), x.var(axis=axes)
        running = [momentum * old + (1 - momentum) * new for old, new in ((mean, m), (var, v))]
        mean, var = m, v
    scale, b, mean, var = (t.astype(x.dtype).reshape(shape) for t in (scale, b, mean, var))
    z = (x - mean) * (scale * (var + epsilon) ** -0.5) + b
    return (z, *running) if training_mode else z


@onnx_op("InstanceNormalization")
def instance_normalization(x: Tensor, scale: Tensor, b: Tensor, *, epsilon: float = 1e-5) -> Tensor:
    shape = spread(range(scale.shape[0]), x.ndim)
    y, _, _ = _standard(x, tuple(range(2, x.ndim)), epsilon)
    return y * scale.reshape(shape) + b.reshape(shape)


@onnx_op("GroupNormalization")
def group_normalization(
    x: Tensor, scale: Tensor, b: Tensor, *, num_groups: int, epsilon: float = 1e-5,
    stash_type: int = 1, call: Call,
) -> Tensor:  # fmt: skip
    """Scale and bias are per channel since version 21, and were per group before."""
    grouped = x.reshape(x.shape[0], num_groups, -1)
    y = _standard(grouped, (2,), epsilon)[0]
    if scale.shape[0] == num_groups != x.shape[1]:
        return (y * scale.reshape(1, -1, 1) + b.reshape(1, -1, 1)).reshape(x.shape)
    shape = spread(range(x.shape[1]), x.ndim)
    return y.reshape(x.shape) * scale.reshape(shape) + b.reshape(shape)


@onnx_op("LayerNormalization")
def layer_normalization(
    x: Tensor, scale: Tensor, b: Tensor | None = None, *, axis: int = -1, epsilon: float = 1e-5,
    stash_type: int = 1,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    axes = tuple(range(axis % x.ndim, x.ndim))
    y, mean, spread_ = _standard(x, axes, epsilon)
    y = y * scale
    return y if b is None else y + b, mean, spread_


@onnx_op("RMSNormalization")
def rms_normalization(
    x: Tensor, scale: Tensor, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Tensor:
    axes = tuple(range(axis % x.ndim, x.ndim))
    return x * ((x * x).mean(axis=axes, keepdims=True) + epsilon) ** -0.5 * scale


@onnx_op("MeanVarianceNormalization")
def mean_variance_normalization(x: Tensor, *, axes: list[int] | None = None) -> Tensor:
    return _standard(x, axes_of(axes or [0, 2, 3], x.ndim), 1e-9)[0]


@onnx_op("LRN")
def lrn(
    x: Tensor, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0
) -> Tensor:
    """Over neighbouring channels (Krizhevsky et al. 2012, section 3.3)."""
    before, after = (size - 1) // 2, size // 2
    squares = ag.pad(x * x, [(0, 0), (before, after)] + [(0, 0)] * (x.ndim - 2))
    n = x.shape[1]
    total = squares[:, :n]
    for i in range(1, size):
        total = total + squares[:, i : i + n]
    return x * (bias + alpha / size * total) ** -beta


@onnx_op("Dropout")
def dropout(
    x: Tensor, ratio: Any = 0.5, training_mode: Tensor | None = None, *, seed: int | None = None,
    is_test: int = 1,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """x and a mask of what is kept; out of training, all of it."""
    rate = ratio.item() if isinstance(ratio, Tensor) else ratio
    training = training_mode is not None and bool(training_mode.item())
    if not training or not rate:
        return x, ag.ones(x.shape, dtype="bool")
    mask = random.dropout_mask(x.shape, 1 - rate, x.dtype)
    return x * mask, mask != 0


@onnx_op("Bernoulli")
def bernoulli(x: Tensor, *, dtype: int | None = None, seed: float | None = None) -> Tensor:
    from .table import dtype_named

    drawn = random.uniform(x.shape).astype(x.dtype) < x
    return drawn.astype(x.dtype if dtype is None else dtype_named(dtype))


@onnx_op("RandomUniform", "RandomUniformLike", "RandomNormal", "RandomNormalLike")
def draw(
    x: Tensor | None = None, *, shape: list[int] | None = None, dtype: int | None = None,
    low: float = 0.0, high: float = 1.0, mean: float = 0.0, scale: float = 1.0,
    seed: float | None = None, call: Call,
) -> Tensor:  # fmt: skip
    """From our own stream: what `seed` says holds for one runtime only."""
    from .table import dtype_named

    sizes = tuple(shape) if x is None else x.shape
    kind = dtype_named(dtype) if dtype is not None else "float32" if x is None else x.dtype
    if "Uniform" in call.kind:
        return random.uniform(sizes, low, high).astype(kind)
    return random.normal(sizes, mean, scale).astype(kind)


# --- losses ---


@onnx_op("NegativeLogLikelihoodLoss")
def nll_loss(
    x: Tensor, target: Tensor, weight: Tensor | None = None, *,
    ignore_index: int | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """-weight[target] x[target] for log-probabilities x (N, C, …) and classes (N, …)."""
    target = target.astype("int64")
    kept = ag.ones(target.shape, dtype=x.dtype)
    if ignore_index is not None:
        kept = (target != ignore_index).astype(x.dtype)
        target = ag.where(target == ignore_index, 0, target)
    chosen = ag.gather(x, 1, target.expand_dims(1)).squeeze(1)
    share = kept if weight is None else kept * weight[target]
    loss = -chosen * share
    if reduction == "none":
        return loss
    return loss.sum() if reduction == "sum" else loss.sum() / share.sum()


@onnx_op("SoftmaxCrossEntropyLoss")
def softmax_cross_entropy_loss(
    x: Tensor, target: Tensor, weight: Tensor | None = None, *,
    ignore_index: int | None = None, reduction: str = "mean",
) -> tuple[Tensor, Tensor]:  # fmt: skip
    logs = x.log_softmax(axis=1)
    loss = nll_loss(logs, target, weight, ignore_index=ignore_index, reduction=reduction)
    return loss, logs
