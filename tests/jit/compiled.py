"""What tests of whole compiled functions share: run them natively and by replay, compare."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from autograd import Tensor
from autograd.calls import flatten
from autograd.dtypes import is_float
from autograd.jit import Jitted, jit
from autograd.jit.run import Bound

needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="there is no C compiler"
)
MODES = [pytest.param("native", marks=needs_compiler), "replay"]
by_mode = pytest.mark.parametrize("mode", MODES)


@contextmanager
def running(mode: str) -> Iterator[None]:
    """What is compiled in this block runs as "native" code, by "replay", or not at all: "off"."""
    before = os.environ.get("AUTOGRAD_JIT")
    os.environ["AUTOGRAD_JIT"] = mode
    try:
        yield
    finally:
        if before is None:
            del os.environ["AUTOGRAD_JIT"]
        else:
            os.environ["AUTOGRAD_JIT"] = before


def compiled(function: Callable[..., Any], mode: str, *args: Any) -> Jitted:
    """The function, compiled for arguments like these."""
    made = jit(function)
    with running(mode):
        made(*args)
        made(*args)
    assert {bound.kind for bound in specialisations(made)} == {mode}
    return made


def specialisations(made: Jitted) -> list[Bound]:
    """All that was compiled of a function."""
    return [bound for bounds in made.known.values() for bound in bounds]


def raws(tree: Any) -> list[Any]:
    """The arrays of what a function returned, copied: a view may change with what it shows."""
    return [np.array(x.raw) for x in flatten(tree) if isinstance(x, Tensor)]


def assert_near(got: Any, want: Any, rtol: float, what: str = "") -> None:
    """The same shapes and dtypes, and floats as near as rtol, as a part of the largest of all."""
    found, expected = raws(got), raws(want)
    assert len(found) == len(expected)
    finite = [x[np.isfinite(x)].astype("float64") for x in expected if is_float(x.dtype)]
    size = max([np.abs(x).max(initial=0.0) for x in finite], default=0.0)
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        told = f"{what} result {i}"
        assert (a.shape, a.dtype) == (b.shape, b.dtype), told
        if is_float(a.dtype):
            a, b = a.astype("float64"), b.astype("float64")
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * size, err_msg=told)
        else:
            np.testing.assert_array_equal(a, b, err_msg=told)
