"""Why a function cannot be compiled."""

from ..errors import GraphError

__all__ = ["CaptureError"]


class CaptureError(GraphError):
    """What a function does cannot be recorded once and run many times: it says what, and where."""
