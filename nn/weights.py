"""Weights into a module and onto the disk, all of them or none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograd import Tensor
from autograd.dtypes import is_float

if TYPE_CHECKING:
    from .module import Module

__all__ = ["load", "named", "save", "take"]


def named(module: Module) -> dict[str, Tensor]:
    """Path → parameter or buffer.  Two of one path would overwrite each other: a ValueError."""
    found: dict[str, Tensor] = {}
    for path, tensor in module.named_tensors():
        if path in found:
            raise ValueError(
                f"{type(module).__name__}: two tensors have the path {path!r}; rename an "
                "attribute, a layer or a key of a dict, which should have no dot in it"
            )
        found[path] = tensor
    return found


def take(module: Module, state: dict[str, Any], strict: bool) -> None:
    """Put arrays into the parameters and buffers of the same path; see `load_state_dict`."""
    state = {k: a if hasattr(a, "dtype") else Tensor(a).numpy() for k, a in state.items()}
    waiting = [(path, layer, dict(vars(layer))) for path, layer in module.unbuilt()]
    try:
        for path, layer, _ in waiting:
            own = f"{path}." if path else ""
            layer.build_from({k[len(own) :]: a for k, a in state.items() if k.startswith(own)})
        tensors = named(module)
        _check(module, tensors, state, strict)
    except BaseException:
        for _, layer, before in waiting:
            vars(layer).clear()
            vars(layer).update(before)
        raise
    for path, tensor in tensors.items():
        if path in state:
            array = state[path]
            tensor.assign(array if array.dtype == tensor.dtype else array.astype(tensor.dtype))


def _check(module: Module, tensors: dict[str, Tensor], state: dict[str, Any], strict: bool) -> None:
    """Raise one ValueError with all that does not fit."""
    faults = []
    if strict:
        faults += [f"missing     {path}" for path in tensors if path not in state]
        faults += [f"unexpected  {path}" for path in state if path not in tensors]
    for path, tensor in tensors.items():
        if path not in state:
            continue
        array = state[path]
        if tuple(array.shape) != tensor.shape:
            faults.append(f"shape       {path}: {tensor.shape} here, {tuple(array.shape)} given")
        elif is_float(array.dtype) is not is_float(tensor.dtype):
            faults.append(f"dtype       {path}: {tensor.dtype} here, {array.dtype} given")
    if faults:
        hint = "\n  strict=False passes over missing and unexpected names" if strict else ""
        raise ValueError(
            f"load_state_dict: {type(module).__name__} cannot take these weights\n  "
            + "\n  ".join(faults)
            + hint
        )


def save(module: Module, path: Any) -> None:
    """Write the weights to a .safetensors file.

    The file appears under its name when it is complete and on the disk, so that a crash leaves
    the old one as it was.
    """
    from safetensors.numpy import save as to_bytes

    target = Path(path)
    # `state_dict` copies to C order: safetensors writes the bytes of a transposed array unturned
    data = to_bytes(module.state_dict(), metadata={"format": "glassgrad"})
    module.parameters()  # says which layers have no weights yet, rather than save none
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with open(part, "wb") as file:  # with the rights of any new file, unlike tempfile's
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def load(module: Module, path: Any, strict: bool) -> None:
    """Read the weights from a .safetensors file, which unlike a pickle cannot run code."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        state = load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f"load: {path} is not a whole .safetensors file ({error}); write one with model.save"
        ) from error
    take(module, state, strict)
