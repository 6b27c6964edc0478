"""Verdicts in words: why a gradient is missing or zero, where NaN comes from, what memory holds."""

from .memory import Held, held
from .nan import NotFinite, find_nan
from .none import why_none
from .words import Why
from .zero import why_zero

__all__ = ["Held", "NotFinite", "Why", "find_nan", "held", "why_none", "why_zero"]
