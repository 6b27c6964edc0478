"""Data frames and tables as arrays: pandas, Arrow and Polars, none of which is imported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from autograd.errors import DTypeError, ShapeError

__all__ = ["filled", "is_table", "matrix"]


def is_table(data: Any) -> bool:
    """Whether it has named columns: a data frame of pandas or Polars, or an Arrow table."""
    return hasattr(data, "to_pandas") and hasattr(data, "column_names") or (
        hasattr(data, "columns") and hasattr(data, "dtypes")
    )  # fmt: skip


def matrix(table: Any, name: str) -> np.ndarray:
    """The columns of a table side by side, `(N, columns)`, in the dtype that holds them all.

    A missing number is NaN.  A column that holds no numbers is a DTypeError that names it.
    """
    columns = [_numbers(values, f"{name}[{label!r}]") for label, values in _columns(table)]
    if not columns:
        raise ShapeError(f"{name} is a table without columns: there is nothing to learn from")
    return np.column_stack(columns)


def _columns(table: Any) -> Iterator[tuple[Any, Any]]:
    if hasattr(table, "column_names"):  # Arrow
        yield from zip(table.column_names, table.columns, strict=True)
    elif hasattr(table, "items"):  # pandas, where two columns may have one name
        yield from table.items()
    else:  # Polars
        yield from zip(table.columns, table.get_columns(), strict=True)


def _numbers(values: Any, name: str) -> np.ndarray:
    kind = getattr(values, "dtype", None) or getattr(values, "type", "objects")
    array = filled(np.asarray(values))
    if array.dtype.kind not in "fiub":
        raise DTypeError(
            f"{name} holds {kind}: expected numbers. Leave the column out, or make it numbers: "
            "categories by .astype('category').cat.codes or pandas.get_dummies, a date by its year."
        )
    return array


def filled(array: np.ndarray) -> np.ndarray:
    """Objects that are numbers or missing (None, pandas.NA) as float64; others as they are."""
    if array.dtype != object:
        return array
    missing = [x is None or type(x).__name__ == "NAType" for x in array.flat]
    try:
        return np.where(missing, np.nan, array.reshape(-1)).astype("float64").reshape(array.shape)
    except (TypeError, ValueError):
        return array
