"""Data sets by name, as NumPy arrays; each says its shapes, units, source and licence.

x, y = nn.data.datasets.digits()
x_train, x_test, y_train, y_test = nn.data.split(x, y, 0.2, stratify=True)
(x_train, y_train), (x_test, y_test) = nn.data.datasets.mnist()
"""

from .images import cifar10, cifar100, fashion_mnist, mnist
from .shipped import breast_cancer, co2, diabetes, digits, python_docs, sunspots
from .synthetic import addition, circles, dates, moons, spirals

__all__ = [
    "mnist", "fashion_mnist", "cifar10", "cifar100", "digits", "breast_cancer", "diabetes",
    "sunspots", "co2", "python_docs", "moons", "circles", "spirals", "addition", "dates",
]  # fmt: skip
