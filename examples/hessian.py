"""Newton's method by automatic second derivatives: the lowest point of Rosenbrock's valley.

python examples/hessian.py
"""

import autograd
from autograd import Tensor


def rosenbrock(x: Tensor) -> Tensor:
    """(1 - x₀)² + 100 (x₁ - x₀²)² (Rosenbrock 1960): a curved valley, lowest at (1, 1)."""
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2


x = Tensor([-1.2, 1.0], dtype="float64")
for step in range(7):
    g = autograd.grad(rosenbrock)(x)
    (a, b), (_, d) = autograd.hessian(rosenbrock)(x).tolist()
    det = a * d - b * b
    newton = Tensor([[d / det, -b / det], [-b / det, a / det]], dtype="float64") @ g
    x = x - newton
    place = ", ".join(f"{n:.6f}" for n in x.tolist())
    print(f"step {step + 1}  x = ({place})  f = {rosenbrock(x).item():.2e}")
