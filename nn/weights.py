"""Weights into a module and onto the disk, all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograd import Tensor
from autograd.dtypes import is_float

from . import files

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


def take(module: Module, state: dict[str, Any], strict: bool, only: tuple[str, ...] = ()) -> None:
    """Put arrays into the parameters and buffers of the same path; see `load_state_dict`.

    With `only`, what lies at none of these paths is not missed.
    """
    state = {k: a if hasattr(a, "dtype") else Tensor(a).numpy() for k, a in state.items()}
    waiting = [(path, layer, dict(vars(layer))) for path, layer in module.unbuilt()]
    try:
        for path, layer, _ in waiting:
            own = f"{path}." if path else ""
            layer.build_from({k[len(own) :]: a for k, a in state.items() if k.startswith(own)})
        tensors = named(module)
        wanted = [path for path in tensors if not only or any(_below(path, p) for p in only)]
        _check(module, tensors, state, wanted if strict else None)
    except BaseException:
        for _, layer, before in waiting:
            vars(layer).clear()
            vars(layer).update(before)
        raise
    for path, tensor in tensors.items():
        if path in state:
            array = state[path]
            tensor.assign(array if array.dtype == tensor.dtype else array.astype(tensor.dtype))


def _check(
    module: Module, tensors: dict[str, Tensor], state: dict[str, Any], wanted: list[str] | None
) -> None:
    """Raise one ValueError with all that does not fit; `wanted` is None where any names will do."""
    faults = []
    if wanted is not None:
        faults += [f"missing     {path}" for path in wanted if path not in state]
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
        hint = (
            "\n  strict=False passes over missing and unexpected names"
            if wanted is not None
            else ""
        )
        raise ValueError(
            f"load_state_dict: {type(module).__name__} cannot take these weights\n  "
            + "\n  ".join(faults)
            + hint
        )


def save(module: Module, path: Any) -> None:
    """Write the weights to a .safetensors file, all of them or, after a crash, none."""
    from safetensors.numpy import save as to_bytes

    # `state_dict` copies to C order: safetensors writes the bytes of a transposed array unturned
    data = to_bytes(module.state_dict(), metadata={"format": "glassgrad"})
    module.parameters()  # says which layers have no weights yet, rather than save none
    files.write(Path(path), data)


def load(
    module: Module,
    path: Any,
    strict: bool,
    prefix: str = "",
    only: str | Sequence[str] | None = None,
    rename: Mapping[str, str] | Callable[[str], str] | None = None,
) -> None:
    """Read weights from a .safetensors file or the folder of a checkpoint; see `Module.load`."""
    state = _read(Path(path))
    if prefix:
        inner = f"{prefix.rstrip('.')}."
        found = {name[len(inner) :]: a for name, a in state.items() if name.startswith(inner)}
        if not found:
            raise ValueError(f"load: no name in {path} begins with {inner!r}; {_sample(state)}")
        state = found
    if rename is not None:
        state = _renamed(state, rename)
    paths = (only,) if isinstance(only, str) else tuple(only or ())
    if paths:
        unused = [p for p in paths if not any(_below(name, p) for name in state)]
        if unused:
            raise ValueError(f"load: {path} has nothing at {', '.join(unused)}; {_sample(state)}")
        state = {name: a for name, a in state.items() if any(_below(name, p) for p in paths)}
    take(module, state, strict, paths)


def _read(path: Path) -> dict[str, Any]:
    """The arrays of a file by name; those of the model, if it is the folder of a checkpoint."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if path.is_dir():
        from .train.checkpoint import read

        return dict(read(path)["model"])
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise ValueError(
            f"load: {path} is not a whole .safetensors file ({error}); write one with model.save"
        ) from error


def _below(name: str, path: str) -> bool:
    """Whether a tensor's name is that path, or lies in the module of that path."""
    return f"{name}.".startswith(f"{path.rstrip('.')}.")


def _renamed(
    state: dict[str, Any], rename: Mapping[str, str] | Callable[[str], str]
) -> dict[str, Any]:
    """The state under the new names; a mapping gives those of paths, also of whole modules."""
    if isinstance(rename, Mapping):
        unused = [old for old in rename if not any(_below(name, old) for name in state)]
        if unused:
            raise ValueError(f"load: rename has {', '.join(unused)}, unlike the file; "
                             f"{_sample(state)}")  # fmt: skip
        table = dict(sorted(rename.items(), key=lambda pair: -len(pair[0])))

        def new(name: str) -> str:
            old = next((old for old in table if _below(name, old)), None)
            return name if old is None else (table[old] + name[len(old) :]).lstrip(".")

        rename = new
    found: dict[str, Any] = {}
    for name, array in state.items():
        if rename(name) in found:
            raise ValueError(f"load: rename gives two tensors the name {rename(name)!r}")
        found[rename(name)] = array
    return found


def _sample(state: dict[str, Any]) -> str:
    names = list(state)
    return f"it has {', '.join(names[:8])}{', …' if len(names) > 8 else ''}"
