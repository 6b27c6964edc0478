"""MNIST, Fashion-MNIST and CIFAR from their original files: in a folder, or downloaded once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autograd.errors import DomainError, DTypeError

from .download import Remote, cache, fetch
from .formats import FormatError, read_cifar, read_idx, read_members, unpacked

__all__ = ["cifar10", "cifar100", "fashion_mnist", "mnist"]

Part = tuple[np.ndarray, np.ndarray]
Folder = str | os.PathLike[str] | None

MNIST = (
    Remote("train-images-idx3-ubyte.gz", 9912422,
           "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    Remote("train-labels-idx1-ubyte.gz", 28881,
           "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    Remote("t10k-images-idx3-ubyte.gz", 1648877,
           "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    Remote("t10k-labels-idx1-ubyte.gz", 4542,
           "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
)  # fmt: skip
MNIST_MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist",
    "https://ossci-datasets.s3.amazonaws.com/mnist",
)
FASHION = (
    Remote("train-images-idx3-ubyte.gz", 26421880,
           "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
    Remote("train-labels-idx1-ubyte.gz", 29515,
           "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
    Remote("t10k-images-idx3-ubyte.gz", 4422102,
           "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
    Remote("t10k-labels-idx1-ubyte.gz", 5148,
           "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
)  # fmt: skip
FASHION_MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
)
CIFAR10 = Remote("cifar-10-binary.tar.gz", 170052171,
                 "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd")  # fmt: skip
CIFAR100 = Remote("cifar-100-binary.tar.gz", 168513733,
                  "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec")  # fmt: skip
CIFAR_MIRRORS = ("https://www.cs.toronto.edu/~kriz",)


def mnist(folder: Folder = None, dtype: Any = "float32") -> tuple[Part, Part]:
    """Handwritten digits: (x_train, y_train), (x_test, y_test), of 60,000 and 10,000.

    x is (N, 28, 28, 1): ink from 0 (paper) to 1, or with dtype="uint8" the bytes 0 to 255 of the
    file; y is (N,) int64, the digit.  The four files train-images-idx3-ubyte, train-labels-idx1-
    ubyte, t10k-… are read from `folder`, with or without .gz; without a folder they are downloaded
    once (12 MB), to ~/.cache/glassgrad/mnist.

    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits" (1998), made from
    NIST's Special Databases 1 and 3.  Licence: CC BY-SA 3.0, as stated by its distributors.
    """
    return _idx("mnist", folder, dtype, MNIST, MNIST_MIRRORS)


def fashion_mnist(folder: Folder = None, dtype: Any = "float32") -> tuple[Part, Part]:
    """Pictures of clothes, in MNIST's format: (x_train, y_train), (x_test, y_test).

    x is (N, 28, 28, 1): 60,000 and 10,000 grey images, 0 (background) to 1, or with
    dtype="uint8" the bytes of the file.  y is (N,) int64: 0 T-shirt, 1 trousers, 2 pullover,
    3 dress, 4 coat, 5 sandal, 6 shirt, 7 sneaker, 8 bag, 9 ankle boot.  The files have MNIST's
    names, so they need a folder of their own; downloaded are 31 MB, once.

    Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking
    machine learning algorithms", 2017.  Licence: MIT, Zalando SE.
    """
    return _idx("fashion_mnist", folder, dtype, FASHION, FASHION_MIRRORS)


def cifar10(folder: Folder = None, dtype: Any = "float32") -> tuple[Part, Part]:
    """Small colour photographs: (x_train, y_train), (x_test, y_test), of 50,000 and 10,000.

    x is (N, 32, 32, 3): red, green and blue from 0 to 1 (600 MB), or with dtype="uint8" the bytes
    of the file (150 MB).  y is (N,) int64: 0 airplane, 1 automobile, 2 bird, 3 cat, 4 deer, 5 dog,
    6 frog, 7 horse, 8 ship, 9 truck.  Read from `folder` are data_batch_1.bin to _5.bin and
    test_batch.bin, there or in cifar-10-batches-bin, or the archive cifar-10-binary.tar.gz;
    without a folder the archive is downloaded once (170 MB).

    Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.  No licence
    is stated; the author asks to be cited.
    """
    train = [f"data_batch_{i}.bin" for i in range(1, 6)]
    parts = _cifar("cifar10", folder, CIFAR10, "cifar-10-batches-bin", train, "test_batch.bin", 1)
    return _finished(parts, dtype, 10)


def cifar100(
    folder: Folder = None, dtype: Any = "float32", coarse: bool = False
) -> tuple[Part, Part]:
    """As `cifar10`, with 100 classes, of 500 and 100 images each; 20 groups of them if `coarse`.

    Read are train.bin and test.bin, in the folder or in cifar-100-binary in it, or the archive
    cifar-100-binary.tar.gz, where also the names of the classes are.
    """
    parts = _cifar(
        "cifar100", folder, CIFAR100, "cifar-100-binary", ["train.bin"], "test.bin", labels=2
    )
    column = 0 if coarse else 1  # a record begins with the group and the class
    chosen = [(name, x, y[:, column : column + 1]) for name, x, y in parts]
    return _finished(chosen, dtype, 20 if coarse else 100)


# --- idx ----------------------------------------------------------------------------------


def _idx(
    dataset: str, folder: Folder, dtype: Any, files: Sequence[Remote], mirrors: Sequence[str]
) -> tuple[Part, Part]:
    paths = []
    for file in files:
        plain = file.name.removesuffix(".gz")
        names = [plain, file.name, plain.replace("-idx", ".idx"), file.name.replace("-idx", ".idx")]
        found = _found(folder or cache(dataset), names)
        if found is None and folder is not None:
            raise FileNotFoundError(
                f"{dataset}: there is no {plain} (or {file.name}) in {Path(folder).absolute()}. "
                f"It is one of four files: {', '.join(f.name for f in files)}. "
                f"{dataset}() without a folder downloads them."
            )
        paths.append(found or fetch(file, cache(dataset), mirrors))
    parts = []
    for images, labels in (paths[:2], paths[2:]):
        x, y = read_idx(images, 3), read_idx(labels, 1)
        if len(x) != len(y):
            raise FormatError(
                f"{images} has {len(x)} images (bytes 4 to 7), but {labels} has {len(y)} labels"
            )
        parts.append((str(labels), x[..., None], y[:, None]))
    return _finished(parts, dtype, 10)


def _found(folder: str | os.PathLike[str], names: Sequence[str]) -> Path | None:
    """The first of these files that is there."""
    return next((path for path in (Path(folder) / n for n in names) if path.is_file()), None)


# --- CIFAR --------------------------------------------------------------------------------


def _cifar(
    dataset: str, folder: Folder, archive: Remote, inner: str, train: list[str], test: str,
    labels: int,
) -> list[tuple[str, np.ndarray, np.ndarray]]:  # fmt: skip
    """Training and test part, each as its name, images and columns of labels."""
    names = [*train, test]
    home = Path(folder) if folder is not None else cache(dataset)
    for place in (home, home / inner):
        files = {name: place / name for name in names}
        there = [name for name, path in files.items() if path.is_file()]
        if there:
            missing = [name for name in names if name not in there]
            if missing:
                raise FileNotFoundError(f"{dataset}: {place} lacks {', '.join(missing)}")
            contents = {name: unpacked(path) for name, path in files.items()}
            break
    else:
        place = home / archive.name
        if not place.is_file():
            if folder is not None:
                raise FileNotFoundError(
                    f"{dataset}: neither {archive.name} nor {', '.join(names)} are in "
                    f"{home.absolute()}. {dataset}() without a folder downloads the archive."
                )
            place = fetch(archive, home, CIFAR_MIRRORS)
        contents = read_members(place, names)
    found = {name: read_cifar(f"{place}: {name}", contents[name], labels) for name in names}
    x = np.concatenate([found[name][0] for name in train])
    y = np.concatenate([found[name][1] for name in train])
    return [(f"{place}: {train[0]} …", x, y), (f"{place}: {test}", *found[test])]


def _finished(parts: Sequence[tuple[str, np.ndarray, np.ndarray]], dtype: Any, classes: int) -> Any:
    """Images in the wanted dtype and labels (N,) int64, which are checked."""
    dtype = np.dtype(dtype)
    if dtype != np.uint8 and dtype.kind != "f":
        raise DTypeError(f"images come as uint8 (0 to 255) or as floats (0 to 1), not as {dtype}")
    done = []
    for name, x, y in parts:
        labels = y[:, 0].astype("int64")
        if len(labels) and labels.max() >= classes:
            first = int((labels >= classes).argmax())
            raise DomainError(f"{name}: label {first} is {labels[first]}, outside [0, {classes})")
        if dtype == np.uint8:
            done.append((x.copy(), labels))
        else:
            scaled = x.astype(dtype)
            scaled /= 255
            done.append((scaled, labels))
    return tuple(done)
