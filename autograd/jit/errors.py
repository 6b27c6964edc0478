"""Why a function cannot be compiled."""

from ..errors import GraphError

__all__ = ["CaptureError", "TooEarly"]


class CaptureError(GraphError):
    """What a function does cannot be recorded once and run many times: it says what, and where."""


class TooEarly(CaptureError):  # noqa: N818  # no error for the caller: the call runs as it stands
    """The function has to run as it stands once before it can be recorded."""
