"""Verdicts in words: why a gradient is missing or zero, where NaN comes from, what memory holds."""

from .held import held_by_node
from .nan import NotFinite, find_nan
from .none import why_none
from .words import Why
from .zero import why_zero

__all__ = ["NotFinite", "Why", "find_nan", "held_by_node", "why_none", "why_zero"]
