"""The one error of this package."""


class BackendError(RuntimeError):
    """A backend is unknown, not usable on this machine, or mixed with another."""
