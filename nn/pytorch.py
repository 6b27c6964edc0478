"""Weights from PyTorch: a state dict, or its .safetensors file, into a model of ours.

The numbers are the same and lie otherwise: PyTorch keeps kernels as (out, in, …) and ours are
(…, in, out), it has channels first, and its LSTM has two biases where ours has their sum.

    load_pytorch(model, "theirs.safetensors", {"body.*": "features.*", "head": "classifier"})
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from autograd import Tensor, cat
from autograd.node import history

from . import weights
from .init import zeros
from .layers.attention import MultiHeadAttention
from .layers.convolution import Convolution
from .layers.core import Dense
from .layers.embedding import Embedding
from .layers.normalization import BatchNorm, GroupNorm, LayerNorm, RMSNorm
from .layers.position import PositionEmbedding
from .layers.recurrent import GRU, LSTM, SimpleRNN
from .mode import training
from .module import Module

__all__ = ["load_pytorch"]

Arrays = dict[str, Any]
"""Names → arrays: of one layer, as PyTorch has them or as ours does."""


def load_pytorch(
    model: Module,
    source: Any,
    names: Mapping[str, str] | None = None,
    input_shape: tuple[int, ...] | None = None,
) -> Module:
    """Give a model the weights of a PyTorch module that computes the same.

    `source` is a state dict (names → tensors or arrays) or the path of a .safetensors file.
    `names` maps paths of our layers to paths of theirs, where `*` stands for one part, such as
    {"blocks.*.expand": "transformer.h.*.mlp.c_fc"}.  Without it the paths must be the same; those
    of two `Sequential`s, which are numbers, are matched in their order.  `input_shape` is that of
    one sample, where the model does not know it and flattens images: PyTorch flattens them with
    the channels first.  All that does not fit is told in one ValueError, and then nothing has
    changed.
    """
    theirs = _grouped(_arrays(source))
    ours = dict(_layers(model))
    pairs = _paired(list(ours), list(theirs), names)
    state: dict[str, Any] = {}
    for path, prefix in pairs.items():
        layer = ours[path]
        group = {k[len(prefix) + 1 :] if prefix else k: a
                 for name, part in theirs.items() if _inside(name, prefix)
                 for k, a in part.items()}  # fmt: skip
        try:
            found = _layout(layer)(layer, group)
        except KeyError as missing:
            raise ValueError(
                f"load_pytorch: {path} ({type(layer).__name__}) needs {missing} of {prefix!r}, "
                f"which has {', '.join(group) or 'nothing'}"
            ) from None
        state |= {f"{path}.{name}" if path else name: a for name, a in found.items()}
    weights.take(model, {k: a.numpy() for k, a in state.items()}, strict=True)
    _turn_flattened(model, input_shape)
    return model


# --- whose is whose ---


def _arrays(source: Any) -> Arrays:
    if isinstance(source, (str, Path)):
        from safetensors.numpy import load_file

        source = load_file(source)
    if hasattr(source, "state_dict"):
        source = source.state_dict()
    return {name: Tensor(getattr(a, "detach", lambda a=a: a)()) for name, a in source.items()}


def _grouped(arrays: Arrays) -> dict[str, Arrays]:
    """Path of a module → its own arrays, under their whole names."""
    groups: dict[str, Arrays] = {}
    for name, array in arrays.items():
        if not name.endswith("num_batches_tracked"):
            groups.setdefault(name.rpartition(".")[0], {})[name] = array
    return dict(sorted(groups.items(), key=lambda item: _natural(item[0])))


def _natural(path: str) -> list[Any]:
    """A key that puts "10" behind "2"."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in path.split(".")]


def _layers(model: Module) -> Iterator[tuple[str, Module]]:
    """The layers with weights; what is inside of one of them belongs to it."""
    found: list[str] = []
    for path, module in model.named_modules():
        if any(_inside(path, outer) for outer in found):
            continue
        if _layout(module) is not None:
            found.append(path)
            yield path, module


def _inside(path: str, outer: str) -> bool:
    return not outer or path == outer or path.startswith(f"{outer}.")


def _paired(ours: list[str], theirs: list[str], names: Mapping[str, str] | None) -> dict[str, str]:
    """Path of ours → path of theirs, for every layer of ours."""
    if names is not None:
        pairs = {path: _renamed(path, names) for path in ours}
    elif all(any(_inside(path, mine) for path in theirs) for mine in ours):
        pairs = {path: path for path in ours}
    elif len(ours) == len(theirs) and all(part.isdigit() for part in theirs):
        pairs = dict(zip(ours, theirs, strict=True))
    else:
        pairs = dict.fromkeys(ours)
    lost = [mine for mine, path in pairs.items()
            if path is None or not any(_inside(name, path) for name in theirs)]  # fmt: skip
    if lost:
        raise ValueError(
            f"load_pytorch: no weights for {', '.join(map(repr, lost))}. "
            f"Say which are whose, names={{{lost[0]!r}: ...}}; PyTorch's are at "
            f"{', '.join(map(repr, theirs))}"
        )
    return pairs  # type: ignore[return-value]


def _renamed(path: str, names: Mapping[str, str]) -> str | None:
    for pattern, target in names.items():
        match = re.fullmatch(re.escape(pattern).replace(r"\*", r"([^.]+)"), path)
        if match:
            for part in match.groups():
                target = target.replace("*", part, 1)
            return target
    return None


# --- how each kind of layer lies ---


def _dense(layer: Any, theirs: Arrays) -> Arrays:
    """(out, in) → (in, out); GPT-2 has some of them as ours are, which the shapes tell."""
    weight = theirs["weight"]
    as_ours = layer.weight is not None and layer.weight.shape == weight.shape
    square = weight.shape[0] == weight.shape[1]
    return {"weight": weight if as_ours and not square else weight.T, **_bias(theirs)}


def _bias(theirs: Arrays) -> Arrays:
    return {"bias": theirs["bias"]} if "bias" in theirs else {}


def _convolution(layer: Any, theirs: Arrays) -> Arrays:
    """(out, in, *size) → (*size, in, out), and so for transposed and depthwise kernels."""
    weight = theirs["weight"]
    return {"weight": weight.permute(*range(2, weight.ndim), 1, 0), **_bias(theirs)}


def _as_they_are(layer: Any, theirs: Arrays) -> Arrays:
    return dict(theirs)


def _recurrent(layer: Any, theirs: Arrays, suffix: str = "") -> Arrays:
    suffix = suffix or ("_l0_reverse" if "weight_ih_l0_reverse" in theirs else "_l0")
    found = {"weight": theirs[f"weight_ih{suffix}"].T,
             "recurrent_weight": theirs[f"weight_hh{suffix}"].T}  # fmt: skip
    if f"bias_ih{suffix}" in theirs:
        found["bias"] = theirs[f"bias_ih{suffix}"] + theirs[f"bias_hh{suffix}"]
    return found


def _gru(layer: Any, theirs: Arrays) -> Arrays:
    """Their gates are reset, update, candidate; ours update, reset, candidate, as in Keras."""
    units = theirs["weight_hh_l0"].shape[1]

    def ordered(x: Tensor) -> Tensor:
        reset, update, candidate = x[:units], x[units : 2 * units], x[2 * units :]
        return cat([update, reset, candidate], axis=0)

    found = {"weight": ordered(theirs["weight_ih_l0"]).T,
             "recurrent_weight": ordered(theirs["weight_hh_l0"]).T}  # fmt: skip
    if "bias_ih_l0" in theirs:
        found["bias"] = cat(
            [ordered(theirs["bias_ih_l0"])[None], ordered(theirs["bias_hh_l0"])[None]], axis=0
        )
    return found


def _attention(layer: Any, theirs: Arrays) -> Arrays:
    """Queries, keys and values in one matrix (PyTorch's own, GPT-2's `c_attn`), or in three."""
    inside = {name.rpartition(".")[0] for name in theirs}
    parts: dict[str, Arrays] = {}
    for fused, weight in (("", "in_proj_weight"), ("c_attn", "c_attn.weight")):
        if weight in theirs:
            matrix = theirs[weight]
            if matrix.shape[0] != 3 * matrix.shape[1]:  # (in, 3 · out), as in GPT-2
                matrix = matrix.T
            bias = theirs.get("in_proj_bias" if not fused else "c_attn.bias")
            n = matrix.shape[0] // 3
            for i, name in enumerate(("query", "key", "value")):
                rows = slice(i * n, (i + 1) * n)
                parts[name] = {"weight": matrix[rows].T}
                if bias is not None:
                    parts[name]["bias"] = bias[rows]
            turned = matrix is theirs[weight]
    if not parts:
        turned = True
        for name, letter in (("query", "q"), ("key", "k"), ("value", "v")):
            theirs_name = next(n for n in (name, f"{letter}_proj", letter) if n in inside)
            parts[name] = _named(theirs, theirs_name)
    last = next(n for n in ("out_proj", "c_proj", "o_proj", "output", "out") if n in inside)
    parts["output"] = _named(theirs, last)
    if not turned:
        parts["output"]["weight"] = parts["output"]["weight"].T
    return {f"{name}.{key}": a for name, part in parts.items() for key, a in part.items()}


def _named(theirs: Arrays, name: str) -> Arrays:
    part = {k.removeprefix(f"{name}."): a for k, a in theirs.items() if k.startswith(f"{name}.")}
    return {"weight": part["weight"].T, **_bias(part)}


Layout = Callable[[Any, Arrays], Arrays]
LAYOUTS: dict[type, Layout] = {
    Dense: _dense, Convolution: _convolution, Embedding: _as_they_are,
    PositionEmbedding: _as_they_are, LayerNorm: _as_they_are, RMSNorm: _as_they_are,
    GroupNorm: _as_they_are, BatchNorm: _as_they_are, LSTM: _recurrent, SimpleRNN: _recurrent,
    GRU: _gru, MultiHeadAttention: _attention,
}  # fmt: skip


def _layout(layer: Module) -> Any:
    return next((LAYOUTS[kind] for kind in type(layer).__mro__ if kind in LAYOUTS), None)


def _turn_flattened(model: Module, input_shape: tuple[int, ...] | None) -> None:
    """Rows of dense weights that meet flattened images, from channels first to channels last.

    The graph of one call tells which: a dense layer whose input was (N, *places, channels).
    """
    shape = input_shape or model.input_shape
    if shape is None or None in shape:
        return
    with training(False):
        found = history(model(zeros((1, *shape))))
    for node in found:
        if node.op is None or node.op.name not in ("affine", "matmul"):
            continue
        x, weight = node.inputs[:2]
        if x.op is None or x.op.name != "reshape" or x.ndim != 2:
            continue
        places = x.inputs[0].shape[1:]
        if len(places) > 1 and weight.op is None:
            size, *rest = places[-1], *places[:-1]
            rows = weight.detach().reshape(size, *rest, weight.shape[1])
            axes = (*range(1, len(places)), 0, len(places))
            weight.assign(rows.permute(*axes).reshape(*weight.shape).numpy())
