"""An ONNX graph as it is being written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograd import Tensor

from .trace import ExportError, Size

__all__ = ["Graph", "Ref"]


class Ref(str):
    """The name of a value in the graph, with its shape and dtype where they are known."""

    shape: tuple[int, ...]
    dtype: Any
    node: Any = None
    """The tensor that it is, where its value is a constant."""

    def __new__(cls, name: str, shape: tuple[int, ...] = (), dtype: Any = None) -> Ref:
        ref = super().__new__(cls, name)
        ref.shape, ref.dtype = shape, dtype
        return ref

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)


class Graph:
    """Nodes of ONNX, appended by calling: `y = g("Softmax", x, axis=-1)`.

    `place` is the path of the module that the nodes belong to, and names them; `doc` is the
    user's line.
    """

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.place, self.doc = "", ""
        self.batch: Ref | None = None
        self._first_input: tuple[str, int] | None = None
        self._constants: dict[Any, Ref] = {}
        self._taken: set[str] = set()

    def name(self, wish: str) -> str:
        """A name that no other value or node has."""
        name, i = wish, 1
        while name in self._taken:
            i += 1
            name = f"{wish}_{i}"
        self._taken.add(name)
        return name

    def __call__(self, kind: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """Append a node; an input that is None is left out. Attributes of None are too."""
        from onnx import helper

        name = self.name("/".join(filter(None, (self.place, kind))))
        refs = [Ref(self.name(f"{name}:{i}" if outputs > 1 else f"{name}:y"))
                for i in range(outputs)]  # fmt: skip
        given = {key: value for key, value in attributes.items() if value is not None}
        names = ["" if x is None else str(x) for x in inputs]
        while names and not names[-1]:
            names.pop()
        self.nodes.append(
            helper.make_node(kind, names, list(map(str, refs)), name, self.doc, **given)
        )
        return refs[0] if outputs == 1 else tuple(refs)

    # --- inputs of nodes that are no results ---

    def array(self, array: Any, name: str = "const") -> Ref:
        """A constant array; the same one is written once."""
        from onnx import numpy_helper

        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            place, self.place = self.place, ""
            made = self("Constant", value=numpy_helper.from_array(_ordered(array), name))
            self.place = place
            self._constants[key] = Ref(made, array.shape, array.dtype)
        return self._constants[key]

    def number(self, value: float, dtype: Any) -> Ref:
        """A constant number of this dtype."""
        return self.array(Tensor(value, dtype=dtype).numpy())

    def ints(self, values: Sequence[int]) -> Ref:
        """A vector of whole numbers, computed from the batch size where some depend on it."""
        if not any(isinstance(n, Size) for n in values):
            return self.array(Tensor(list(values), dtype="int64").numpy().reshape(len(values)))
        parts = [self._size(n) if isinstance(n, Size) else self.ints([n]) for n in values]
        return parts[0] if len(parts) == 1 else self("Concat", *parts, axis=0)

    def _size(self, n: Size) -> Ref:
        """a N + b as a vector of one number."""
        if self.batch is None:
            raise ExportError("export_onnx: a size depends on the batch, but no input has one")
        ref: Ref = self.batch
        if n.grows != 1:
            ref = self("Mul", ref, self.ints([n.grows]))
        if n.fixed:
            ref = self("Add", ref, self.ints([n.fixed]))
        return ref

    def initializer(self, name: str, array: Any, doc: str = "") -> Ref:
        """A parameter or buffer, under its path in the model."""
        from onnx import numpy_helper

        proto = numpy_helper.from_array(_ordered(array), self.name(name))
        proto.doc_string = doc
        self.initializers.append(proto)
        return Ref(proto.name, array.shape, array.dtype)

    # --- what rules often need ---

    def cast(self, x: Ref, dtype: Any) -> Ref:
        """x in this dtype."""
        from onnx import helper

        if x.dtype is not None and x.dtype == dtype:
            return x
        kind = helper.np_dtype_to_tensor_dtype(_dtype(dtype))
        return Ref(self("Cast", x, to=kind), x.shape, _dtype(dtype))

    def reshape(self, x: str, shape: Sequence[int]) -> Ref:
        """x in another shape; where one size depends on the batch it is left open."""
        sizes = list(shape)
        unknown = [i for i, n in enumerate(sizes) if isinstance(n, Size)]
        if len(unknown) == 1 and 0 not in sizes and -1 not in sizes:
            sizes[unknown[0]] = -1
        allowzero = 1 if 0 in sizes else None
        made = self("Reshape", x, self.ints(sizes), allowzero=allowzero)
        return Ref(made, tuple(shape))

    def transpose(self, x: str, axes: Sequence[int]) -> Ref:
        """x with its axes in another order."""
        return Ref(self("Transpose", x, perm=[int(a) for a in axes]) if axes else x)


def _dtype(dtype: Any) -> Any:
    """A dtype as an object, by way of an array of it."""
    return dtype if hasattr(dtype, "itemsize") else Tensor(0, dtype=dtype).dtype


def _ordered(array: Any) -> Any:
    """In C order, as the file has it."""
    return array if array.flags.c_contiguous else array.copy()
