"""Checkpoints: all that a training would need to go on, in a folder, whole at any moment.

    run/state.json                   numbers and texts, and the name of the file of arrays
    run/arrays-000012.safetensors    parameters, buffers, moments: every array, by its place

First the arrays are written, under a name not used before, and are on the disk; then `state.json`
is replaced, in one step, by one that names them; then the arrays before are deleted.  So whenever
the process is killed, `state.json` names a file that is there and whole.  Neither file can carry
code: JSON and safetensors hold data, and no name in them is imported.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from autograd import Tensor, random

from .. import files

if TYPE_CHECKING:
    from ..module import Module

__all__ = ["Checkpoint", "exists", "pack", "read", "restore", "state_of", "unpack", "write"]

FORMAT = "glassgrad checkpoint 1"
STATE, ARRAYS = "state.json", "arrays-{:06d}.safetensors"


class Checkpoint:
    """Where, and how often, `fit` writes down all that it needs to go on after a kill.

    That is at the end of each epoch, and within epochs also every so many batches or seconds:

        model.fit(x, y, epochs=90, checkpoint=nn.Checkpoint("run", every_seconds=60), resume=True)
    """

    def __init__(
        self, folder: Any, every_batches: int | None = None, every_seconds: float | None = None
    ) -> None:
        for name, value in (("every_batches", every_batches), ("every_seconds", every_seconds)):
            if value is not None and not value > 0:
                raise ValueError(f"Checkpoint: {name}={value} must be above 0")
        self.folder = Path(folder)
        self.every_batches, self.every_seconds = every_batches, every_seconds
        self.written = monotonic()

    @property
    def within_epochs(self) -> bool:
        """Whether it has to be asked after each batch."""
        return self.every_batches is not None or self.every_seconds is not None

    def due(self, batches: int) -> bool:
        """Whether one is due when so many batches of this epoch are done."""
        if self.every_batches is not None and batches % self.every_batches == 0:
            return True
        return self.every_seconds is not None and monotonic() - self.written >= self.every_seconds

    def write(self, state: dict[str, Any]) -> None:
        """Replace what the folder holds by this state."""
        write(self.folder, state)
        self.written = monotonic()

    def __repr__(self) -> str:
        return f"Checkpoint({str(self.folder)!r})"


# --- what a model and its optimizer need --------------------------------------------------


def state_of(model: Module) -> dict[str, Any]:
    """Weights, the optimizer's state if there is one, and the place in the random stream."""
    model.parameters()  # says which layers have no weights yet, rather than save none
    state: dict[str, Any] = {"model": model.state_dict(), "random": random.state()}
    compiled = model._compiled
    if compiled is not None and compiled.optimizer.params:
        optimizer = compiled.optimizer
        state["optimizer"] = {"type": type(optimizer).__name__, "state": optimizer.state_dict()}
        if compiled.scale is not None:
            state["scale"] = compiled.scale.state_dict()
    return state


def restore(model: Module, state: dict[str, Any]) -> None:
    """Give model and optimizer what `state_of` found, and go on in the random stream."""
    model.load_state_dict(state["model"])
    if model._compiled is not None and "optimizer" in state:
        optimizer, kept = model._compiled.bound(model), state["optimizer"]
        if type(optimizer).__name__ != kept["type"]:
            raise ValueError(
                f"the checkpoint is of a training with {kept['type']}, the model is compiled with "
                f"{type(optimizer).__name__}"
            )
        optimizer.load_state_dict(kept["state"])
        if model._compiled.scale is not None and "scale" in state:
            model._compiled.scale.load_state_dict(state["scale"])
    random.set_state(state["random"])


# --- the folder ---------------------------------------------------------------------------


def exists(folder: Path) -> bool:
    """Whether the folder holds a checkpoint."""
    return (folder / STATE).exists()


def write(folder: Path, state: dict[str, Any]) -> None:
    """Write a state, nested dicts and lists of numbers, texts and arrays, as described above."""
    from safetensors.numpy import save as to_bytes

    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {}
    tree = pack(state, arrays)
    data = to_bytes(arrays)
    before = sorted(folder.glob(ARRAYS.format(0).replace("000000", "*")))
    number = int(before[-1].stem.rpartition("-")[2]) + 1 if before else 0
    name = ARRAYS.format(number)
    head = {"format": FORMAT, "arrays": name, "blake2b": _digest(data), "state": tree}
    text = json.dumps(head, indent=1, ensure_ascii=False)
    files.write(folder / name, data)
    files.write(folder / STATE, text.encode())
    for old in (*before, *folder.glob(f".*{files.PART}")):  # also what a kill left half written
        old.unlink(missing_ok=True)


def read(folder: Path, backend: str | None = None) -> dict[str, Any]:
    """The state in a folder; its tensors are made on `backend`.  ValueError for what is none."""
    from safetensors.numpy import load_file

    if not exists(folder):
        raise FileNotFoundError(f"{folder} holds no checkpoint: there is no {STATE} in it")
    try:
        head = json.loads((folder / STATE).read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{folder / STATE} is not JSON: {error}") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise ValueError(f"{folder / STATE} is not of a {FORMAT}")
    name = str(head["arrays"])
    if name != Path(name).name or not name.startswith("arrays-"):
        raise ValueError(f"{folder / STATE} names {name!r}, which is no file of a checkpoint")
    if _digest((folder / name).read_bytes()) != head["blake2b"]:
        raise ValueError(f"{folder / name} is damaged, or not the one that {STATE} belongs to")
    return dict(unpack(head["state"], load_file(folder / name), backend))


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


# --- nested data as JSON and arrays -------------------------------------------------------

ARRAY, TENSOR, TUPLE = "$array", "$tensor", "$tuple"


def pack(item: Any, arrays: dict[str, Any], place: str = "") -> Any:
    """The item as JSON has it; its arrays go to `arrays`, by their place in the whole.

    Floats are exact: JSON has the shortest text that reads back as the same number.
    """
    if item is None or isinstance(item, (bool, int, float, str)):
        return item
    if isinstance(item, Tensor):
        arrays[place] = item.numpy().copy()
        return {TENSOR: place}
    if isinstance(item, dict):
        wrong = [key for key in item if not isinstance(key, str) or key.startswith("$")]
        if wrong:
            raise TypeError(f"checkpoint: {place} has the key {wrong[0]!r}, which is no plain text")
        return {key: pack(value, arrays, _joined(place, key)) for key, value in item.items()}
    if isinstance(item, (list, tuple)):
        packed = [pack(value, arrays, _joined(place, i)) for i, value in enumerate(item)]
        return packed if isinstance(item, list) else {TUPLE: packed}
    if hasattr(item, "dtype") and hasattr(item, "tolist"):
        arrays[place] = Tensor.of(item).numpy().copy()  # in C order, and on the host
        return {ARRAY: place}
    raise TypeError(
        f"checkpoint: {place} is a {type(item).__name__}; numbers, texts, arrays, and lists and "
        "dicts of such can be saved"
    )


def unpack(item: Any, arrays: dict[str, Any], backend: str | None = None) -> Any:
    """What `pack` was given."""
    if isinstance(item, list):
        return [unpack(value, arrays, backend) for value in item]
    if not isinstance(item, dict):
        return item
    if ARRAY in item:
        return arrays[item[ARRAY]]
    if TENSOR in item:
        array = arrays[item[TENSOR]]
        return Tensor(array, dtype=array.dtype, backend=backend)
    if TUPLE in item:
        return tuple(unpack(value, arrays, backend) for value in item[TUPLE])
    return {key: unpack(value, arrays, backend) for key, value in item.items()}


def _joined(place: str, key: Any) -> str:
    return f"{place}.{key}" if place else str(key)
