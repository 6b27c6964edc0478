"""Verdicts in words: why a gradient is missing or zero, where NaN comes from, what memory holds."""

from .held import held_by_node

__all__ = ["held_by_node"]
