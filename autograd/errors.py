"""Errors that teach: what, with which operands, where, and how to mend it."""

__all__ = ["AutogradError", "DTypeError", "DomainError", "GraphError", "RuleError", "ShapeError"]


class AutogradError(Exception):
    """What every error of this engine is."""


class ShapeError(AutogradError, ValueError):
    """Shapes, axes or indices that do not fit the operation."""


class DTypeError(AutogradError, TypeError):
    """Dtypes that do not fit the operation or each other."""


class DomainError(AutogradError, ArithmeticError, ValueError):
    """A number outside the domain of the operation."""


class GraphError(AutogradError, RuntimeError):
    """A graph that is freed, stale, cut, or asked for a gradient that it cannot give."""


class RuleError(AutogradError, AssertionError):
    """A gradient rule that disagrees with the measured derivative."""
