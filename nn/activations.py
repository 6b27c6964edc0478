"""Activations by name, as functions and as modules."""

from __future__ import annotations

from collections.abc import Callable

from autograd import Tensor, functions

from .module import Module
from .names import lookup

__all__ = [
    "Activation", "ELU", "GELU", "HardTanh", "LeakyReLU", "LogSigmoid", "LogSoftmax", "Mish",
    "ReLU", "SELU", "SiLU", "Sigmoid", "Softmax", "Softplus", "Softsign", "Tanh",
]  # fmt: skip


def linear(x: Tensor) -> Tensor:
    """x itself: no activation."""
    return x


_BY_NAME: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": linear, "relu": Tensor.relu, "sigmoid": Tensor.sigmoid, "tanh": Tensor.tanh,
    "softmax": Tensor.softmax, "log_softmax": Tensor.log_softmax, "softplus": Tensor.softplus,
    "gelu": functions.gelu, "silu": functions.silu, "swish": functions.silu,
    "elu": functions.elu, "selu": functions.selu, "leaky_relu": functions.leaky_relu,
    "mish": functions.mish, "softsign": functions.softsign, "hardtanh": functions.hardtanh,
    "log_sigmoid": functions.log_sigmoid,
}  # fmt: skip


def get(activation: str | Callable[[Tensor], Tensor] | None) -> Callable[[Tensor], Tensor]:
    """The activation of that name; None is `linear`, and a function comes back as it is."""
    found: Callable[[Tensor], Tensor] = lookup("activation", _BY_NAME, activation or linear)
    return found


class Activation(Module):
    """Any activation, by name or as a function, as a layer."""

    def __init__(self, activation: str | Callable[[Tensor], Tensor]) -> None:
        self.function = get(activation)

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)

    def describe(self) -> str:
        return getattr(self.function, "__name__", repr(self.function))


class ReLU(Module):
    """max(x, 0)."""

    def __call__(self, x: Tensor) -> Tensor:
        return x.relu()


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def __call__(self, x: Tensor) -> Tensor:
        return x.sigmoid()


class Tanh(Module):
    """Hyperbolic tangent."""

    def __call__(self, x: Tensor) -> Tensor:
        return x.tanh()


class Softmax(Module):
    """exp(x) / Σ exp(x) along an axis."""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def __call__(self, x: Tensor) -> Tensor:
        return x.softmax(axis=self.axis)


class LogSoftmax(Module):
    """log of softmax along an axis."""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def __call__(self, x: Tensor) -> Tensor:
        return x.log_softmax(axis=self.axis)


class LeakyReLU(Module):
    """x where positive, else slope · x (Maas et al. 2013)."""

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def __call__(self, x: Tensor) -> Tensor:
        return functions.leaky_relu(x, self.slope)


class ELU(Module):
    """x where positive, else α (exp(x) - 1) (Clevert et al. 2016)."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def __call__(self, x: Tensor) -> Tensor:
        return functions.elu(x, self.alpha)


class SELU(Module):
    """Self-normalising ELU (Klambauer et al. 2017); initialise with `lecun_normal`."""

    def __call__(self, x: Tensor) -> Tensor:
        return functions.selu(x)


class GELU(Module):
    """x Φ(x) (Hendrycks & Gimpel 2016), exact or with tanh."""

    def __init__(self, approximate: bool = False) -> None:
        self.approximate = approximate

    def __call__(self, x: Tensor) -> Tensor:
        return functions.gelu(x, self.approximate)


class SiLU(Module):
    """x σ(x), also called swish (Ramachandran et al. 2017)."""

    def __call__(self, x: Tensor) -> Tensor:
        return functions.silu(x)


class Mish(Module):
    """x tanh(softplus(x)) (Misra 2019)."""

    def __call__(self, x: Tensor) -> Tensor:
        return functions.mish(x)


class Softplus(Module):
    """log(1 + exp(x))."""

    def __call__(self, x: Tensor) -> Tensor:
        return x.softplus()


class Softsign(Module):
    """x / (1 + |x|)."""

    def __call__(self, x: Tensor) -> Tensor:
        return functions.softsign(x)


class HardTanh(Module):
    """x kept between low and high."""

    def __init__(self, low: float = -1.0, high: float = 1.0) -> None:
        self.low, self.high = low, high

    def __call__(self, x: Tensor) -> Tensor:
        return functions.hardtanh(x, self.low, self.high)


class LogSigmoid(Module):
    """log σ(x)."""

    def __call__(self, x: Tensor) -> Tensor:
        return functions.log_sigmoid(x)
