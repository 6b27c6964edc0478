"""What the playground tells of its network, as its docstring lays down: numbers, maps, samples."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from autograd import Tensor, no_grad

from ..data.arrays import quiet
from ..mode import training

__all__ = ["EXTENT", "digits", "layers", "plane"]

PLANE, MAP, EXTENT = 50, 12, 2.2
"""Cells of the plane and of a unit's map along each side, and how far they reach."""

SHOWN = 1024
"""Elements of the largest kernel that is sent as it is."""

SAMPLES = 8
"""Digits that are shown."""


def layers(model: Any, gradients: list[Any], on_plane: bool) -> list[dict[str, Any]]:
    """The layers, their weights, and the gradients of the last step where there was one."""
    maps = _maps(model) if on_plane else []
    told = []
    for i, layer in enumerate(model.layers):
        kernel, bias = layer.weight, layer.bias
        one = {
            "name": str(i), "inputs": kernel.shape[0], "outputs": kernel.shape[1],
            "weight": _norm(kernel), "gradient": None,
        }  # fmt: skip
        slope, lift = gradients[2 * i : 2 * i + 2] or (None, None)
        if slope is not None:
            one["gradient"] = _norm(slope)
        if kernel.size <= SHOWN:
            one |= {"weights": _rows(kernel), "bias": _rows(bias)}
            one["gradients"] = None if slope is None else _rows(slope)
            one["bias_gradients"] = None if lift is None else _rows(lift)
        if i < len(maps):
            one["units"] = maps[i]
        told.append(one)
    return told


def _maps(model: Any) -> list[list[dict[str, Any]]]:
    """What each hidden unit makes of the plane."""
    told, z = [], _grid(MAP)
    with no_grad(), training(False), quiet():
        for layer in model.layers[:-1]:
            z = layer(z)
            scale = abs(z).max(axis=0).numpy()
            shown = (z / Tensor(scale + 1e-12) * 127 + 128).numpy().round().astype("uint8")
            told.append([
                {"values": _bytes(shown[:, k]), "scale": round(float(scale[k]), 5)}
                for k in range(shown.shape[1])
            ])  # fmt: skip
    return told


def plane(model: Any) -> dict[str, Any]:
    """The probability of class 1, everywhere on the plane."""
    p = model(_grid(PLANE)).sigmoid().numpy()
    extent = [-EXTENT, EXTENT, -EXTENT, EXTENT]
    return {
        "size": PLANE,
        "extent": extent,
        "values": _bytes((p * 255).round().astype("uint8")),
    }


def digits(model: Any, x: Tensor, y: Tensor) -> dict[str, Any]:
    """How the digits held out are told apart, and some of them."""
    p = model(x).softmax(-1).numpy()
    told, labels = p.argmax(-1).tolist(), y.numpy().tolist()
    confusion = [[0] * 10 for _ in range(10)]
    for label, one in zip(labels, told, strict=True):
        confusion[label][one] += 1
    images = (x[:SAMPLES].numpy().clip(0, 1) * 255).round().astype("uint8")
    return {
        "confusion": confusion,
        "samples": [
            {"image": _bytes(images[i]), "label": labels[i], "told": told[i],
             "probabilities": p[i].round(4).tolist()}
            for i in range(SAMPLES)
        ],
    }  # fmt: skip


def _grid(size: int) -> Tensor:
    side = [-EXTENT + 2 * EXTENT * i / (size - 1) for i in range(size)]
    return Tensor([[u, v] for v in side for u in side])


def _norm(x: Tensor) -> float:
    return float(f"{float((x.detach() * x.detach()).sum().item()) ** 0.5:.5g}")


def _rows(x: Tensor) -> list[float]:
    return [float(f"{v:.4g}") for v in x.numpy().reshape(-1).tolist()]


def _bytes(x: Any) -> str:
    return b64encode(x.tobytes()).decode()
