"""The table of a model's layers that `summary` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograd import Tensor, no_grad

from .init import zeros
from .mode import training

if TYPE_CHECKING:
    from .module import Module

__all__ = ["Summary"]

BATCH = 2
"""Samples that the model is called with to learn its shapes; shown as N."""


class Summary(str):
    """The table as text.  A notebook that has it printed does not show it a second time."""

    __slots__ = ()

    def __new__(cls, model: Module, given: Any = None) -> Summary:
        """Call the model once, without recording, on zeros of the given shape of a sample."""
        return super().__new__(cls, _table(model, given))

    def _ipython_display_(self) -> None:
        """Nothing: `Module.summary` has printed it."""


def _table(model: Module, given: Any) -> str:
    shapes = _shapes(model, given)
    rows = [("layer", "type", "output", "parameters", "")]
    for path, module in model.named_modules():
        if not path and len(model.named_modules()) > 1:
            continue  # the model itself is in the heading
        own = [tensor for _, tensor in _own_parameters(module)]
        trained = sum(t.size for t in own if t.requires_grad)
        count = sum(t.size for t in own)
        frozen = "" if trained == count else "frozen" if not trained else f"{trained:,} trained"
        frozen = module.describe_state() or frozen
        number = "?" if not module.built else f"{count:,}" if own else "—"
        shape = shapes.get(id(module), "?")
        rows.append((path or "—", type(module).__name__, shape, number, frozen))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    lines = [
        "  ".join([
            row[0].ljust(widths[0]), row[1].ljust(widths[1]), row[2].ljust(widths[2]),
            row[3].rjust(widths[3]), row[4],
        ]).rstrip()
        for row in rows
    ]  # fmt: skip
    rule = "─" * max(map(len, lines))
    return "\n".join(
        [type(model).__name__, rule, lines[0], rule, *lines[1:], rule, *_totals(model, shapes)]
    )


def _own_parameters(module: Module) -> list[tuple[str, Tensor]]:
    """Parameters of a module that are not those of a module inside it."""
    inner = {id(p) for part in module.modules()[1:] for _, p in part.named_parameters()}
    return [(name, p) for name, p in module.named_parameters() if id(p) not in inner]


def _totals(model: Module, shapes: dict[int, str]) -> list[str]:
    tensors = [tensor for _, tensor in model.named_parameters()]
    size = sum(t.size for t in tensors)
    trained = sum(t.size for t in tensors if t.requires_grad)
    held = sum(t.size for t in model.buffers)
    room = sum(t.size * t.dtype.itemsize for _, t in model.named_tensors())
    lines = [f"{size:,} parameters, {trained:,} trained, {_bytes(room)}"]
    if held:
        lines.append(f"{held:,} numbers in buffers")
    if model.unbuilt():
        lines.append("? is known after the first call, or with summary(input_shape=(features,))")
    elif not shapes:
        lines.append("output shapes are told by summary(input_shape=(features,))")
    return lines


def _bytes(n: int) -> str:
    power = min((max(n, 1).bit_length() - 1) // 10, 3)
    return f"{n / 1024**power:,.4g} {('bytes', 'KiB', 'MiB', 'GiB')[power]}"


def _shapes(model: Module, given: Any) -> dict[int, str]:
    """Identity of each module that is called → its output's shape."""
    from .module import watch

    inputs, batch = _inputs(model, given)
    if not inputs:
        return {}
    found: dict[int, str] = {}

    def seen(module: Module, output: Any) -> None:
        found[id(module)] = _shape(output, batch)

    with no_grad(), training(False), watch(seen):
        model(*inputs)
    return found


def _inputs(model: Module, given: Any) -> tuple[list[Tensor], int]:
    """What to call the model with, and how many samples that is."""
    shape = model.input_shape if given is None else given
    if shape is None:
        return [], 0
    if isinstance(shape, Tensor):
        return [shape], shape.shape[0] if shape.ndim else 0
    if isinstance(shape, (list, tuple)) and shape and isinstance(shape[0], Tensor):
        return list(shape), shape[0].shape[0] if shape[0].ndim else 0
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    backend = next((t.backend for _, t in model.named_tensors()), None)
    inputs = zeros((BATCH, *shape))
    return [inputs if backend is None else inputs.to(backend)], BATCH


def _shape(output: Any, batch: int) -> str:
    if isinstance(output, (list, tuple)):
        return ", ".join(_shape(item, batch) for item in output)
    if not isinstance(output, Tensor):
        return type(output).__name__
    sizes = ["N" if i == 0 and n == batch else str(n) for i, n in enumerate(output.shape)]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
