"""Normalisation layers: over a batch, over the features of a sample, over groups of channels."""

from __future__ import annotations

import math
from typing import Any

from autograd import Tensor, full, no_grad
from autograd.errors import DTypeError, ShapeError
from autograd.ops import normalize

from ..module import Module, path_of

__all__ = [
    "BatchNorm", "BatchNormalization", "GroupNorm", "LayerNorm", "LayerNormalization", "RMSNorm",
]  # fmt: skip

_batch_norm = normalize.batch_norm.recorder(Tensor)
_layer_norm = normalize.layer_norm.recorder(Tensor)
_rms_norm = normalize.rms_norm.recorder(Tensor)
_standardize = normalize.standardize.recorder(Tensor)


class _Norm(Module):
    """What the layers share: one weight (at first 1) and one bias (at first 0) per feature."""

    def __init__(
        self,
        eps: float,
        center: bool,
        scale: bool,
        input_shape: tuple[int, ...] | None,
        name: str | None,
    ) -> None:
        if not 0 <= eps < 1:
            raise ValueError(
                f"{type(self).__name__}: eps {eps} is a small number added to a variance, in "
                "[0, 1). How many features there are is not said: the first input tells, or "
                "input_shape=(features,)."
            )
        self.eps, self.center, self.scale, self.name = eps, center, scale, name
        self.features: int | None = None
        self.weight: Tensor | None = None
        self.bias: Tensor | None = None
        if input_shape is not None:
            self.build(input_shape)

    @property
    def built(self) -> bool:
        """Whether the number of features is known, and with it the parameters."""
        return self.features is not None

    def build(self, input_shape: tuple[int, ...]) -> Module:
        """Make the parameters for samples of this shape, whose last axis holds the features."""
        shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
        if not shape or shape[-1] < 1:
            raise ShapeError(
                f"{path_of(self)}: input_shape {shape} has no features; (features,) is needed"
            )
        self.input_shape, self.features = shape, shape[-1]
        self.weight = full((shape[-1],), 1.0).requires_grad_() if self.scale else None
        self.bias = full((shape[-1],), 0.0).requires_grad_() if self.center else None
        return self

    def build_from(self, state: dict[str, Any]) -> None:
        """Make the parameters in the shape that a state dict has them."""
        known = [state[key] for key, _ in self._tensors() if key in state]
        if known and len(known[0].shape) == 1:
            self.build((known[0].shape[0],))

    def _tensors(self) -> list[tuple[str, bool]]:
        """The names of parameters and buffers, and whether this layer has them."""
        return [("weight", self.scale), ("bias", self.center)]

    def _ready(self, x: Any) -> Tensor:
        """The input as a tensor that fits the parameters, which are made if they are not there."""
        x = x if isinstance(x, Tensor) else Tensor(x)
        if self.features is None:
            if not x.ndim:
                raise ShapeError(
                    f"{path_of(self)}: the input is one number; (N, features) is needed"
                )
            self.build(x.shape[1:] or x.shape).to(x.backend)
        if not x.ndim or x.shape[-1] != self.features:
            given = x.shape[-1] if x.ndim else "one number"
            raise ShapeError(
                f"{path_of(self)}: the last axis of the input must have {self.features} features, "
                f"got {given}\n  input   {x.shape} {x.dtype}\n"
                f"  Features come last: (N, {self.features}), or (N, H, W, {self.features}) for "
                f"images. Did you mean {type(self).__name__}(input_shape=({given},))?"
            )
        for key, held in (("weight", self.weight), ("bias", self.bias)):
            if held is not None and held.dtype != x.dtype and x.dtype.kind not in "iub":
                raise DTypeError(
                    f"{path_of(self)}: the input is {x.dtype}, {key} is {held.dtype}\n"
                    f"  input   {x.shape} {x.dtype}\n"
                    f'  Convert the input: x.astype("{held.dtype}").'
                )
        return x

    def _affine(self, y: Tensor) -> Tensor:
        """weight · y + bias, as far as there are any."""
        if self.weight is not None:
            y = y * self.weight
        return y if self.bias is None else y + self.bias

    def describe(self) -> str:
        parts = [str(self.features or "?")]
        parts += [f"no {what}" for what, on in (("weight", self.scale), ("bias", self.center))
                  if not on]  # fmt: skip
        return ", ".join(parts)


class BatchNorm(_Norm):
    """weight · (x - mean) / √(var + eps) + bias per channel, the last axis (Ioffe & Szegedy 2015).

    While training, mean and var are those of the batch, over all axes but the last, and the
    running statistics follow them:

        running = momentum · running + (1 - momentum) · batch

    Else the running statistics serve, and so they do where the layer is frozen, as in Keras: then
    neither they nor the parameters change.  As in Keras too, `running_var` follows Σ(x - mean)² / n
    and `momentum` is the share that stays; PyTorch divides by n - 1 and its momentum is 1 - ours.
    Of a model of 16 bits the running statistics are float32.

    >>> layer = BatchNorm(input_shape=(3,))
    >>> [path for path, _ in layer.named_tensors()]
    ['weight', 'bias', 'running_mean', 'running_var']
    """

    def __init__(
        self,
        momentum: float = 0.99,
        eps: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        input_shape: tuple[int, ...] | None = None,
        name: str | None = None,
    ) -> None:
        if not 0 <= momentum <= 1:
            raise ValueError(
                f"BatchNorm: momentum {momentum} is outside [0, 1]; it is the share of the running "
                "statistics that stays at each step, such as 0.99. How many features there are is "
                "not said: the first input tells, or input_shape=(features,)."
            )
        super().__init__(eps, center, scale, None, name)
        self.momentum = momentum
        self.running_mean: Tensor | None = None
        self.running_var: Tensor | None = None
        if input_shape is not None:
            self.build(input_shape)

    def build(self, input_shape: tuple[int, ...]) -> Module:
        """Make parameters and running statistics for samples of this shape."""
        super().build(input_shape)
        assert self.features is not None
        self.running_mean = full((self.features,), 0.0)
        self.running_var = full((self.features,), 1.0)
        for statistics in (self.running_mean, self.running_var):
            statistics.note("statistics", True)  # see `Module.astype`
        return self

    def _tensors(self) -> list[tuple[str, bool]]:
        return [*super()._tensors(), ("running_mean", True), ("running_var", True)]

    @property
    def frozen(self) -> bool:
        """Whether `freeze` was called, on it or around it: it then uses its running statistics."""
        own = [p for p in (self.weight, self.bias) if p is not None]
        if not own:
            return bool(vars(self).get("_frozen", False))
        return not any(p.requires_grad for p in own)

    def __call__(self, x: Tensor) -> Tensor:
        x = self._ready(x)
        mean, var = self.running_mean, self.running_var
        assert mean is not None
        assert var is not None
        if not self.training or self.frozen:
            factor = (var + self.eps) ** -0.5
            factor = factor if self.weight is None else factor * _as(var, self.weight)
            shift = -mean * factor
            shift = shift if self.bias is None else shift + _as(var, self.bias)
            return x * _as(x, factor) + _as(x, shift)
        if math.prod(x.shape[:-1]) == 1:
            raise self._too_few(x)
        weight, bias = self.weight, self.bias
        z, batch_mean, batch_var = _batch_norm(
            x,
            full(mean.shape, 1.0, x.dtype, x.backend) if weight is None else weight,
            full(mean.shape, 0.0, x.dtype, x.backend) if bias is None else bias,
            eps=self.eps,
        )
        with no_grad():
            for running, batch in ((mean, batch_mean), (var, batch_var)):
                now = _as(running, batch)
                running.assign(running * self.momentum + now * (1 - self.momentum))
        return z

    def _too_few(self, x: Tensor) -> ShapeError:
        return ShapeError(
            f"{path_of(self)}: one number per channel has no variance to train with\n"
            f"  input   {x.shape} {x.dtype}\n"
            "  Give two samples or more: a last batch of one can be left out with a batch_size "
            "that divides the data. For use instead of training, call model.eval() first, or "
            "model.predict. For batches of one, use LayerNorm or GroupNorm."
        )

    def describe_state(self) -> str:
        return "frozen: uses running statistics" if self.frozen else ""


def _as(like: Tensor, x: Tensor) -> Tensor:
    """x in the dtype of another, recorded only where it is not so already."""
    return x if x.dtype == like.dtype else x.astype(like.dtype)


class LayerNorm(_Norm):
    """weight · (x - mean) / √(var + eps) + bias, with mean and var over the features, the last
    axis, of each sample and place by itself (Ba et al. 2016)."""

    def __init__(
        self,
        eps: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        input_shape: tuple[int, ...] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(eps, center, scale, input_shape, name)

    def __call__(self, x: Tensor) -> Tensor:
        x = self._ready(x)
        if self.weight is not None and self.bias is not None:
            return _layer_norm(x, self.weight, self.bias, eps=self.eps)
        return self._affine(_standardize(x, eps=self.eps))


class RMSNorm(_Norm):
    """weight · x / √(mean(x²) + eps), with the mean over the features, the last axis, of each
    sample and place by itself (Zhang & Sennrich 2019)."""

    def __init__(
        self,
        eps: float = 1e-6,
        input_shape: tuple[int, ...] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(eps, False, True, input_shape, name)

    def __call__(self, x: Tensor) -> Tensor:
        return _rms_norm(self._ready(x), self.weight, eps=self.eps)

    def describe(self) -> str:
        return str(self.features or "?")


class GroupNorm(_Norm):
    """Channels in `groups` of neighbours, each group of a sample standardised over its channels
    and all places; then weight · y + bias per channel (Wu & He 2018).

    x is (N, …, channels).  groups=1 takes all channels together, groups=-1 each by itself
    (instance normalisation).
    """

    def __init__(
        self,
        groups: int = 32,
        eps: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        input_shape: tuple[int, ...] | None = None,
        name: str | None = None,
    ) -> None:
        if groups < 1 and groups != -1:
            raise ValueError(f"GroupNorm: groups {groups} must be 1 or more, or -1 for one each")
        self.groups = groups
        super().__init__(eps, center, scale, input_shape, name)

    def build(self, input_shape: tuple[int, ...]) -> Module:
        """Make the parameters for samples of this shape, whose channels the groups must share."""
        super().build(input_shape)
        if self.features is not None and self.features % self.groups:
            channels, self.features = self.features, None
            fits = [n for n in range(1, channels + 1) if channels % n == 0 and n <= self.groups]
            raise ShapeError(
                f"{path_of(self)}: {channels} channels cannot be shared out to {self.groups} "
                f"groups. The number of groups must divide them: GroupNorm({fits[-1]})."
            )
        return self

    def __call__(self, x: Tensor) -> Tensor:
        x = self._ready(x)
        if x.ndim < 2:
            raise ShapeError(
                f"{path_of(self)}: input {x.shape} needs a batch axis: (N, …, channels)"
            )
        channels = x.shape[-1]
        n, places = x.shape[0], math.prod(x.shape[1:-1])
        groups = channels if self.groups == -1 else self.groups
        y = x.reshape(n, places, groups, channels // groups)  # (N, places, groups, c)
        y = y.permute(0, 2, 1, 3)  # (N, groups, places, c)
        y = _standardize(y.reshape(n, groups, -1), eps=self.eps)  # each group one row
        y = y.reshape(n, groups, places, channels // groups).permute(0, 2, 1, 3)
        return self._affine(y.reshape(x.shape))

    def describe(self) -> str:
        return f"{super().describe()}, {'one each' if self.groups == -1 else self.groups} groups"


BatchNormalization = BatchNorm
LayerNormalization = LayerNorm
