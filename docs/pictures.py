"""Make the README's pictures: run both demonstrations and keep what they draw.

python docs/pictures.py
"""

from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory

from nn.demo import digits, moons

HERE = Path(__file__).parent

if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        out = Path(folder)
        digits.main(out=out, backend=None, epochs=None, seed=0)
        moons.main(out=out, backend=None, epochs=None, seed=0)
        for name, kept in {
            "step.svg": "digits-gradients.svg", "expression.svg": "expression.svg",
            "training.png": "training.png", "misclassified.png": "misclassified.png",
            "moons.png": "moons.png",
        }.items():  # fmt: skip
            print("docs/" + Path(copy(out / name, HERE / kept)).name)
