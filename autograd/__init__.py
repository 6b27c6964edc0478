"""The autograd engine you can see through."""

from .node import enable_grad, no_grad
from .tensor import Tensor
from .value import Value

__all__ = ["Tensor", "Value", "enable_grad", "no_grad"]
