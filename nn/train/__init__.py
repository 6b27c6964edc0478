"""Training: the loop behind `fit`, what it shows, and what it finds out about gradients."""

from .flow import Flow
from .history import History

__all__ = ["Flow", "History"]
