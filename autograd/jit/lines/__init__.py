"""A program as lines of Python: calls of NumPy that write into memory which is there already."""

from .lower import FRESH, computed
from .text import Text

__all__ = ["FRESH", "Text", "computed"]
