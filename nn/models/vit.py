"""The vision transformer: an image as a sequence of patches."""

from __future__ import annotations

from typing import Any

from autograd import Tensor, broadcast_to, cat
from autograd.errors import ShapeError

from .. import init
from ..layers.core import Dense
from ..module import Module, path_of
from .encoder import Encoder

__all__ = ["VisionTransformer"]


class VisionTransformer(Module):
    """Images (N, H, W, C) → logits (N, classes) (Dosovitskiy et al. 2021).

    An image of `image_shape` (H, W, C) is cut into squares of `patch` by `patch` pixels; these, and
    before them a learned vector that stands for the class, are a sequence for an `Encoder`.  What
    comes out at the class's place is read by a dense layer.

    >>> model = VisionTransformer((8, 8, 1), patch=2, classes=10, width=32, layers=2, heads=4)
    >>> from autograd import zeros
    >>> model(zeros(5, 8, 8, 1)).shape
    (5, 10)
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        patch: int,
        classes: int,
        width: int,
        layers: int,
        heads: int,
        hidden: int | None = None,
        dropout: float = 0.0,
        name: str | None = None,
    ) -> None:
        if len(image_shape) != 3 or image_shape[0] % patch or image_shape[1] % patch:
            raise ShapeError(
                f"VisionTransformer: image_shape {image_shape} must be (H, W, C), with H and W "
                f"multiples of the patch, {patch}"
            )
        H, W, C = image_shape
        self.input_shape, self.patch, self.name = (H, W, C), patch, name
        self.patches = Dense(width, input_shape=(patch * patch * C,))
        self.token = init.normal(std=0.02)((1, 1, width)).detach().requires_grad_()
        places = (H // patch) * (W // patch) + 1
        self.encoder = Encoder(width, layers, heads, context=places, hidden=hidden, dropout=dropout)
        self.head = Dense(classes, input_shape=(width,))

    def __call__(self, x: Any) -> Tensor:
        x = x if isinstance(x, Tensor) else Tensor(x)
        if x.ndim != 4 or x.shape[1:] != self.input_shape:
            raise ShapeError(
                f"{path_of(self)}: images of shape {x.shape}; (N, H, W, C) = "
                f"(N, {', '.join(map(str, self.input_shape or ()))}) is needed"
            )
        x = self.patches(self._cut(x))  # (N, P, width)
        first = broadcast_to(self.token, shape=(x.shape[0], 1, x.shape[2]))  # (N, 1, width)
        x = self.encoder(cat([first, x], axis=1))  # (N, 1 + P, width)
        return self.head(x[:, 0])  # (N, classes)

    def _cut(self, x: Tensor) -> Tensor:
        """Images (N, H, W, C) as rows of patches (N, P, patch · patch · C)."""
        N, H, W, C = x.shape
        p = self.patch
        x = x.reshape(N, H // p, p, W // p, p, C).permute(0, 1, 3, 2, 4, 5)
        return x.reshape(N, (H // p) * (W // p), p * p * C)
