"""Draw an expression of numbers with all its gradients, as in micrograd's README.

python examples/expression.py
"""

from autograd import Value, draw

a, b = Value(-4.0), Value(2.0)
c = a + b
d = a * b + b**3
e = (c - d).tanh() + d / 2.0
e.backward()

print(f"∂e/∂a = {a.grad:.4f}, ∂e/∂b = {b.grad:.4f}")
print("drawn in", draw(e).save("expression.svg"))
