"""Data beside PyTorch's: its loaders and datasets are taken, and images are warped as it does."""

from typing import Any

import numpy as np
import pytest

import nn
from autograd import Tensor
from nn.data import DataLoader, batches_of, is_batches, is_lazy, pad_sequences
from nn.data.augment.warp import bilinear

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

rng = np.random.default_rng(0)
X = rng.normal(size=(10, 3)).astype("float32")
Y = np.arange(10)


def test_its_loader_gives_batches() -> None:
    dataset = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    loader = torch.utils.data.DataLoader(dataset, batch_size=4, shuffle=True)
    assert is_batches(loader)
    batches = batches_of(loader)
    assert len(batches) == 3
    seen = []
    for x, y in batches:
        assert (x.dtype, y.dtype) == ("float32", "int64")
        np.testing.assert_array_equal(x.numpy(), X[y.numpy()])
        seen += y.tolist()
    assert sorted(seen) == list(range(10))


def test_its_datasets_give_samples() -> None:
    class Own(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return 10

        def __getitem__(self, i: int) -> Any:
            return torch.tensor(X[i]), int(Y[i])

    part = torch.utils.data.Subset(Own(), range(10))
    for dataset in (torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y)), Own(), part):
        assert is_lazy(dataset)
        assert not is_batches(dataset)
        mine = [(x.tolist(), y.tolist()) for x, y in DataLoader(dataset, batch_size=4)]
        its = torch.utils.data.DataLoader(dataset, batch_size=4)
        assert mine == [(x.tolist(), y.tolist()) for x, y in its]


def test_a_model_is_fitted_to_either() -> None:
    dataset = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(X[:, :1] * 2))
    for source in (dataset, torch.utils.data.DataLoader(dataset, batch_size=5)):
        model = nn.Sequential([nn.Dense(1, input_shape=(3,))])
        model.compile(nn.SGD(lr=0.1), "mse")
        losses = model.fit(source, epochs=30, verbose=0).history["loss"]
        assert losses[-1] < 0.1 * losses[0]


def test_tensors_come_in() -> None:
    (x,) = next(iter(DataLoader(torch.tensor(X))))
    np.testing.assert_array_equal(x.numpy(), X)


@pytest.mark.parametrize(("fill", "mode"), [("constant", "zeros"), ("reflect", "reflection")])
def test_images_are_read_between_pixels_as_grid_sample_does(fill: str, mode: str) -> None:
    n, h, w, c = 2, 6, 9, 3
    images = rng.normal(size=(n, h, w, c))
    rows, columns = rng.uniform(-4, h + 3, (n, 5, 7)), rng.uniform(-6, w + 5, (n, 5, 7))
    mine = bilinear(Tensor(images), *map(to_float32, (rows, columns)), fill).numpy()
    # its coordinates run from -1 to 1, between the outer edges of the outermost pixels
    grid = np.stack([(2 * columns + 1) / w - 1, (2 * rows + 1) / h - 1], -1)
    its = torch.nn.functional.grid_sample(
        torch.tensor(images.transpose(0, 3, 1, 2)), torch.tensor(grid),
        padding_mode=mode, align_corners=False,
    ).numpy().transpose(0, 2, 3, 1)  # fmt: skip
    np.testing.assert_allclose(mine, its, atol=1e-5)


def to_float32(places: np.ndarray) -> Tensor:
    return Tensor(places.astype("float32"))


def test_sequences_are_padded_as_it_does() -> None:
    ragged = [rng.normal(size=(n, 2)) for n in (3, 1, 4)]
    mine, mask = pad_sequences(ragged, value=-1)
    its = torch.nn.utils.rnn.pad_sequence(
        [torch.tensor(a) for a in ragged], batch_first=True, padding_value=-1
    )
    np.testing.assert_array_equal(mine, its.numpy())
    assert mask.sum(1).tolist() == [3, 1, 4]
