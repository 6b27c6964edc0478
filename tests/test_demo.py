"""The demonstrations, on real data: what they write, and what they say."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from nn.demo import digits, moons

PNG = b"\x89PNG\r\n\x1a\n"


def told(capsys: pytest.CaptureFixture[str], out: Path) -> set[str]:
    """The files that were named on the screen, one per line."""
    lines = capsys.readouterr().out.splitlines()
    return {Path(line.split()[0]).name for line in lines if line.startswith(str(out))}


def check_files(out: Path, names: set[str]) -> None:
    """All are there, none beside them, and each is what its suffix says."""
    assert {path.name for path in out.iterdir()} == names
    for path in out.iterdir():
        data = path.read_bytes()
        if path.suffix == ".png":
            assert data.startswith(PNG)
            assert len(data) > 4000
        elif path.suffix == ".svg":
            assert ElementTree.fromstring(data).tag.endswith("svg")


def test_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "digits"
    accuracy = digits.main(out=out, epochs=8)
    names = {"training.png", "misclassified.png", "step.svg", "expression.svg"}
    names |= {"digits.safetensors"}
    assert accuracy >= 0.95  # 98 % after the 40 epochs of the whole demonstration
    check_files(out, names)
    assert told(capsys, out) == names
    step = (out / "step.svg").read_text()
    assert all(name in step for name in ("stroke", "shape", "digit"))
    assert "24.7" in (out / "expression.svg").read_text()
    assert "138.8" in (out / "expression.svg").read_text()


@pytest.mark.slow
def test_the_whole_demonstration_reads_97_percent(tmp_path: Path) -> None:
    assert digits.main(out=tmp_path) >= 0.97


def test_the_same_seed_gives_the_same_result(tmp_path: Path) -> None:
    for name in ("a", "b"):
        digits.main(out=tmp_path / name, epochs=1, seed=3)
    weights = [(tmp_path / name / "digits.safetensors").read_bytes() for name in ("a", "b")]
    assert weights[0] == weights[1]


def test_the_split_is_fixed_and_holds_out_a_fifth_of_each_class() -> None:
    X_train, X_test, y_train, y_test = digits.split()
    assert (X_train.shape, X_test.shape) == ((1437, 64), (360, 64))
    for label in range(10):
        share = (y_test == label).sum() / ((y_test == label).sum() + (y_train == label).sum())
        assert share == pytest.approx(0.2, abs=0.01)
    assert (digits.split()[1] == X_test).all()
    rows = {x.tobytes() for x in X_train}
    assert not any(x.tobytes() in rows for x in X_test)


def test_no_mistake_is_a_picture_too(tmp_path: Path) -> None:
    _, X, _, y = digits.split()
    perfect = (y[:, None] == range(10)).astype(float)
    digits.misread(perfect, X, y).savefig(tmp_path / "none.png")
    assert (tmp_path / "none.png").read_bytes().startswith(PNG)


def test_moons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accuracy = moons.main(out=tmp_path, epochs=4)
    names = {"moons.png", "neuron.svg", "moons.safetensors"}
    assert accuracy > 0.7
    check_files(tmp_path, names)
    assert told(capsys, tmp_path) == names
