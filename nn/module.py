"""`Module`: what has parameters and can be called.

Nothing is registered.  Tensors and modules among a module's attributes, also in lists, tuples and
dicts at any depth, are found by walking, in the order in which they were defined:

>>> class Residual(Module):
...     def __init__(self, width):
...         self.inner = [Dense(width, activation="relu"), Dense(width)]
...     def __call__(self, x):
...         z = x
...         for layer in self.inner:
...             z = layer(z)
...         return x + z

Its parameters are then `inner.0.weight`, `inner.0.bias`, `inner.1.weight` and `inner.1.bias`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import Any

from autograd import Tensor, no_grad
from autograd.dtypes import is_float
from autograd.errors import GraphError, ShapeError
from autograd.node import Scope, State, _state, current

from . import weights
from .habits import of_option
from .init import Initializer, zeros
from .mode import mode, training
from .rules import Rules
from .train import checkpoint
from .train.fit import Fit

__all__ = ["Module", "path_of", "watch"]

Watcher = Callable[["Module", Any], None]
_watcher: ContextVar[Watcher | None] = ContextVar("nn.watcher", default=None)


@contextmanager
def watch(seen: Watcher) -> Iterator[None]:
    """Call `seen(module, output)` after each module that is called in this block.

    Inner modules come before those that contain them.  `summary` reads shapes this way, and the
    verdict on the flow of gradients reads how many units are saturated.
    """
    token = _watcher.set(seen)
    try:
        yield
    finally:
        _watcher.reset(token)


def _scoped(call: Callable[..., Any]) -> Callable[..., Any]:
    """`__call__` such that the nodes recorded in it know their module and who called it.

    This runs once per layer and call, so the context variable is set by hand: a context manager
    would cost more than all the rest.
    """
    frame_of, enter, leave, watcher = sys._getframe, _state.set, _state.reset, _watcher.get

    @wraps(call)
    def scoped(self: Module, *inputs: Any, **options: Any) -> Any:
        state = current()
        parent = state.scope
        if parent is not None and parent.owner is self:  # super().__call__(x): we are inside
            return call(self, *inputs, **options)
        frame = frame_of(1)
        scope = Scope(self.__class__.__name__, self, parent, (frame.f_code, frame.f_lasti))
        del frame  # an error holds this call and would, through it, hold the caller's variables
        token = enter(State(state.recording, scope, state.watcher))
        try:
            output = call(self, *inputs, **options)
        finally:
            leave(token)
        seen = watcher()
        if seen is not None:
            seen(self, output)
        return output

    return scoped


def _taught(make: Callable[..., None]) -> Callable[..., None]:
    """`__init__` such that an option by another library's name is told what it is here."""

    @wraps(make)
    def taught(self: Module, *values: Any, **options: Any) -> None:
        try:
            make(self, *values, **options)
        except TypeError as error:
            hint = of_option(error)
            if hint and hint not in getattr(error, "__notes__", ()):
                error.add_note(hint)
            raise

    return taught


def path_of(module: Module) -> str:
    """Where a module that is being called stands in the outermost one: "encoder.3", for errors.

    A module that nothing contains is called by its class.
    """
    scope, root = current().scope, module
    while scope is not None:
        root = scope.owner if isinstance(scope.owner, Module) else root
        scope = scope.parent
    name = type(module).__name__
    for path, found in root.named_modules():
        if found is module and path:
            return f"{path} ({name})"
    return name


def _walk(root: Module) -> Iterator[tuple[str, Any]]:
    """Every module and leaf tensor at or below `root`, once each, with its path."""
    seen = set()
    stack: list[tuple[str, Any]] = [("", root)]
    while stack:
        path, item = stack.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Tensor):
            if item.op is None:  # a result that a module keeps to look at is not its own
                yield path, item
            continue
        if isinstance(item, Module):
            yield path, item
            inside = item.members()
        else:
            inside = list(item.items()) if isinstance(item, dict) else list(enumerate(item))
        stack += [
            (f"{path}.{key}" if path else str(key), value)
            for key, value in reversed(inside)
            if isinstance(value, (Tensor, Module, list, tuple, dict))
        ]


def _is_parameter(tensor: Tensor) -> bool:
    return tensor.requires_grad or "frozen" in (tensor.extra or ())


class Module(Rules, Fit):
    """A function with parameters.  Subclass it, keep tensors and modules as attributes, and
    write `__call__`.

    A *parameter* is a tensor made with `requires_grad=True`; any other tensor is a *buffer*,
    which is saved with the parameters but not trained.  Results that were recorded are neither;
    one that was computed under `no_grad` cannot be told from a buffer, so keep none.
    """

    built = True
    """Whether all parameters exist; a layer that waits for its first input says False."""

    input_shape: tuple[int, ...] | None = None
    """The shape of one sample, without the batch axis, where it is known."""

    padding_mask: Any = None
    """`padding_mask(x)`, of a module that knows which steps (N, T) of its input are no padding."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__call__" in vars(cls):
            cls.__call__ = _scoped(vars(cls)["__call__"])
        if "__init__" in vars(cls):
            cls.__init__ = _taught(vars(cls)["__init__"])  # type: ignore[method-assign]

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        mend = "Rename `forward`" if hasattr(self, "forward") else "Write `def __call__(self, x):`"
        raise NotImplementedError(
            f"{type(self).__name__} has no __call__, which computes a module's output. {mend}."
        )

    # --- what it is made of ---

    def members(self) -> list[tuple[str, Any]]:
        """Its attributes by name; a container of layers may name them more briefly."""
        return list(vars(self).items())

    def named_modules(self) -> list[tuple[str, Module]]:
        """This module, whose path is "", and all inside it, as (path, module)."""
        return [(path, item) for path, item in _walk(self) if isinstance(item, Module)]

    def modules(self) -> list[Module]:
        """This module and all inside it."""
        return [module for _, module in self.named_modules()]

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        """The parameters that exist so far, as (path, tensor); a shared one comes once."""
        return [(path, tensor) for path, tensor in self.named_tensors() if _is_parameter(tensor)]

    def parameters(self) -> list[Tensor]:
        """All parameters, frozen ones included, for an optimizer.

        Raises GraphError while a layer still waits for its first input: its weights would be
        missing from the list, and would never be trained.
        """
        waiting = [f"{path or 'this'} ({type(m).__name__})" for path, m in self.unbuilt()]
        if waiting:
            raise GraphError(
                f"parameters: {', '.join(waiting)} of {type(self).__name__} cannot have weights "
                "before the width of the input is known. Call the model on a batch first, or "
                "model.build((features,)), or give the layer input_shape=(features,)."
            )
        for module in self.modules():
            module._note_constraints()
        return [tensor for _, tensor in self.named_parameters()]

    def named_buffers(self) -> list[tuple[str, Tensor]]:
        """Tensors that are saved but not trained, as (path, tensor)."""
        return [
            (path, tensor) for path, tensor in self.named_tensors() if not _is_parameter(tensor)
        ]

    @property
    def buffers(self) -> list[Tensor]:
        """Tensors that are saved but not trained."""
        return [tensor for _, tensor in self.named_buffers()]

    def named_tensors(self) -> list[tuple[str, Tensor]]:
        """Parameters and buffers that exist so far, as (path, tensor): what is saved."""
        return [(path, item) for path, item in _walk(self) if isinstance(item, Tensor)]

    def count_parameters(self, trainable: bool | None = None) -> int:
        """How many numbers the parameters hold: all, or only the trainable or the frozen ones."""
        return sum(
            tensor.size
            for tensor in self.parameters()
            if trainable is None or tensor.requires_grad is trainable
        )

    # --- coming to be ---

    def build_from(self, state: dict[str, Any]) -> None:
        """Make parameters of the shapes in a state dict; a layer that waits for them says how."""

    def _parameter(self, name: str, draw: Initializer, shape: tuple[int, ...]) -> Tensor:
        """What an initialiser draws, as a parameter of this shape."""
        watcher = current().watcher
        if watcher is not None:
            watcher.builds(path_of(self))
        tensor = draw(shape)
        if tensor.shape != shape:
            raise ShapeError(
                f"{path_of(self)}: the initialiser made {tensor.shape} for {name} {shape}"
            )
        return tensor.detach().requires_grad_()

    def unbuilt(self) -> list[tuple[str, Module]]:
        """The modules whose parameters do not exist yet, as (path, module)."""
        return [(path, module) for path, module in self.named_modules() if not module.built]

    def build(self, input_shape: tuple[int, ...]) -> Module:
        """Let every layer make its parameters, for samples of this shape (no batch axis).

        The model is called once on a batch of zeros, without recording and not training.
        """
        with no_grad(), training(False):
            self(zeros((1, *input_shape)))
        self.input_shape = tuple(input_shape)
        return self

    # --- training or not, learning or not ---

    @property
    def training(self) -> bool:
        """Whether it trains: as `fit` says, else as `train()` or `eval()` said, else yes."""
        told = mode.get()
        if told is not None:
            return told
        on: bool = vars(self).get("_training", True)
        watcher = current().watcher
        if watcher is not None:
            watcher.guard(lambda: vars(self).get("_training", True) is on)
        return on

    def train(self, on: bool = True) -> Module:
        """Behave as in training, this module and all inside it."""
        for module in self.modules():
            vars(module)["_training"] = on
        return self

    def eval(self) -> Module:
        """Behave as in use: no dropout."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for _, tensor in self.named_tensors():
            tensor.zero_grad()

    def freeze(self) -> Module:
        """Keep all parameters as they are: they get no gradient, until `unfreeze`."""
        for tensor in self.parameters():
            tensor.requires_grad_(False)
            tensor.zero_grad()  # else an optimizer would apply the last one
            tensor.note("frozen", True)
        for module in self.modules():
            vars(module)["_frozen"] = True
        return self

    def unfreeze(self) -> Module:
        """Train what `freeze` had frozen."""
        for tensor in self.parameters():
            tensor.requires_grad_(True)
        for module in self.modules():
            vars(module)["_frozen"] = False
        return self

    @property
    def trainable(self) -> bool:
        """Whether any parameter is trained; set it to freeze or unfreeze, as in Keras."""
        return any(p.requires_grad for _, p in self.named_parameters())

    @trainable.setter
    def trainable(self, on: bool) -> None:
        self.unfreeze() if on else self.freeze()

    # --- elsewhere ---

    def to(self, backend: str) -> Module:
        """Move parameters and buffers to another backend, in place; gradients are forgotten."""
        for _, tensor in self.named_tensors():
            tensor.raw = tensor.detach().to(backend).raw
            tensor.zero_grad()
            tensor.touch()
        return self

    def astype(self, dtype: str) -> Module:
        """Make parameters and buffers of floats this dtype, in place; gradients are forgotten.

        Running statistics stay float32 where the rest gets 16 bits: they move in small steps,
        which 16 bits would round away.
        """
        for _, tensor in self.named_tensors():
            if is_float(tensor.dtype):
                moved = tensor.detach().astype(dtype)
                if moved.dtype.itemsize == 2 and "statistics" in (tensor.extra or ()):
                    moved = tensor.detach().astype("float32")
                tensor.raw = moved.raw
                tensor.zero_grad()
                tensor.touch()
        return self

    def state_dict(self) -> dict[str, Any]:
        """Path → NumPy array, of every parameter and buffer; a shared tensor comes once."""
        return {path: tensor.numpy().copy() for path, tensor in weights.named(self).items()}

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> None:
        """Take over the arrays of `state_dict`, or nested lists; layers without weights make them.

        All that does not fit is told in one ValueError, and then nothing has changed.  With
        `strict=False` missing and unexpected names are passed over; a wrong shape never is.
        """
        weights.take(self, state, strict)

    def save(self, path: Any) -> None:
        """Write parameters and buffers to a .safetensors file, all of it or nothing."""
        weights.save(self, path)

    def load(
        self,
        path: Any,
        strict: bool = True,
        prefix: str = "",
        only: str | Sequence[str] | None = None,
        rename: Mapping[str, str] | Callable[[str], str] | None = None,
    ) -> Module:
        """Read parameters and buffers from a .safetensors file; see `load_state_dict`.

        To start from a part of another model: `prefix` is the path that this module has in the
        file, `rename` maps paths of the file, or of modules in it, to those of this model, as a
        dict or a function of a name, and `only` names the paths of this model that are loaded.

            model.encoder.load("big.safetensors", prefix="encoder")
            model.load("big.safetensors", rename={"backbone": "body"}, only="body")

        `path` may also be a folder that `fit(checkpoint=...)` has written.
        """
        weights.load(self, path, strict, prefix, only, rename)
        return self

    def save_checkpoint(self, folder: Any) -> None:
        """Write weights, the optimizer's state and that of the random numbers into a folder.

        `load_checkpoint` goes on from there, to the bit; a kill leaves the previous one or this.
        """
        checkpoint.write(Path(folder), checkpoint.state_of(self))

    def load_checkpoint(self, folder: Any) -> Module:
        """Go on from what `save_checkpoint`, or `fit(checkpoint=...)`, wrote into a folder.

        A model that is compiled takes the optimizer's state too.
        """
        checkpoint.restore(self, checkpoint.read(Path(folder)))
        return self

    def export(self, path: Any, example: Any = None, *, opset: int = 20) -> Any:
        """Write the model to an ONNX file, for other programs to run: see `nn.export_onnx`."""
        from .onnx import export_onnx

        return export_onnx(self, path, example, opset=opset)

    # --- looking at it ---

    def summary(self, input_shape: Any = None) -> Any:
        """Print, and return as text, a table of the layers: path, type, output shape, parameters.

        `input_shape` is that of one sample, or a batch of tensors to call the model with; it can
        be left out where it is known.
        """
        from .summary import Summary

        table = Summary(self, input_shape)
        print(table)
        return table

    def describe(self) -> str:
        """What stands in the brackets of its repr."""
        return ""

    def describe_state(self) -> str:
        """What `summary` says at the end of its line, where that is not just "frozen"."""
        return ""

    def __repr__(self) -> str:
        lines = [
            f"  {path}: {type(module).__name__}({module.describe()})"
            for path, module in self.named_modules()[1:]
        ]
        inside = "\n".join(["", *lines, ""]) if lines else self.describe()
        return f"{type(self).__name__}({inside})"
