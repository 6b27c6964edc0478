"""A model of your own and a training loop of your own: breast cancer, told from cell nuclei.

python examples/custom_loop.py
"""

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import autograd
import nn
from autograd import Tensor, no_grad


class Residual(nn.Module):
    """x plus what a layer makes of it: gradients also flow past the layer."""

    def __init__(self, width: int) -> None:
        self.inner = nn.Dense(width, activation="relu", input_shape=(width,))

    def __call__(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


autograd.seed(0)
X, y = load_breast_cancer(return_X_y=True)  # (569, 30) measurements, 0 malignant, 1 benign
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
scaler = StandardScaler().fit(X_train)
x, t = Tensor(scaler.transform(X_train), dtype="float32"), Tensor(y_train, dtype="float32")

model = nn.Sequential([
    nn.Dense(32, activation="relu", input_shape=(30,)), Residual(32), nn.Dense(1),
])  # fmt: skip
optimizer = nn.AdamW(model.parameters(), lr=0.01, weight_decay=0.01)

for epoch in range(30):
    total = 0.0
    for start in range(0, len(x), 65):
        batch = slice(start, start + 65)
        logits = model(x[batch]).reshape(-1)
        loss = nn.binary_cross_entropy_with_logits(logits, t[batch])
        model.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(logits)
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1}  loss {total / len(x):.4f}")

with no_grad():
    said = model(Tensor(scaler.transform(X_test), dtype="float32")).reshape(-1) > 0
right = (said.numpy() == (y_test == 1)).mean()
print(f"{right:.1%} of {len(y_test)} patients it has not seen are told right")
