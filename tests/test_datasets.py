"""Data sets: files of the true format, whole and damaged; downloads from a server in here."""

import ast
import gzip
import hashlib
import io
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from datetime import date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

import autograd
from autograd.errors import DomainError, DTypeError
from nn.data import datasets
from nn.data.datasets import download, images, shipped
from nn.data.datasets.download import Remote, fetch
from nn.data.datasets.formats import FormatError, read_idx

rng = np.random.default_rng(0)
TRAIN, TEST = (rng.integers(0, 256, (n, 28, 28), dtype="uint8") for n in (5, 3))
TRAIN_LABELS, TEST_LABELS = np.arange(5, dtype="uint8"), np.array([9, 0, 9], "uint8")
NAMES = "train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1".split()


def idx(array: np.ndarray) -> bytes:
    """An array of bytes in MNIST's format."""
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def write(folder: Path, packed: bool = False, style: str = "-idx") -> dict[str, Path]:
    """MNIST's four files."""
    folder.mkdir(exist_ok=True)
    paths = {}
    for name, array in zip(NAMES, (TRAIN, TRAIN_LABELS, TEST, TEST_LABELS), strict=True):
        paths[name] = folder / (f"{name}-ubyte".replace("-idx", style) + ".gz" * packed)
        paths[name].write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    return paths


# --- MNIST --------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("style", ["-idx", ".idx"])
@pytest.mark.parametrize("load", [datasets.mnist, datasets.fashion_mnist])
def test_mnist_from_its_files(tmp_path: Path, packed: bool, style: str, load: Any) -> None:
    write(tmp_path, packed, style)
    (x_train, y_train), (x_test, y_test) = load(tmp_path)
    assert (x_train.shape, x_train.dtype) == ((5, 28, 28, 1), "float32")
    assert (x_test.shape, y_test.dtype) == ((3, 28, 28, 1), "int64")
    np.testing.assert_allclose(x_train[..., 0], TRAIN / 255, rtol=1e-6)
    assert y_train.tolist() == TRAIN_LABELS.tolist()
    assert y_test.tolist() == TEST_LABELS.tolist()
    (raw, _), (_, _) = load(str(tmp_path), dtype="uint8")
    np.testing.assert_array_equal(raw[..., 0], TRAIN)
    raw[0] = 0  # its own memory


def damage(path: Path, change: Any) -> str:
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(FormatError) as caught:
        datasets.mnist(path.parent)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_damaged_idx_file_is_told_with_its_byte(tmp_path: Path) -> None:
    images, labels = NAMES[:2]
    told = damage(write(tmp_path)[images], lambda b: b[:-1])
    assert "it ends at byte 3935; its header says 5 × 28 × 28, which end at byte 3936" in told
    told = damage(write(tmp_path)[images], lambda b: b + b"xx")
    assert "it goes on after its data, and ends at byte 3938" in told
    told = damage(write(tmp_path)[images], lambda b: b[:7])
    assert "it ends at byte 7, within its header of 16" in told
    told = damage(write(tmp_path)[images], lambda b: b"")
    assert "byte 0 of its magic number is wrong. It begins with nothing" in told
    told = damage(write(tmp_path)[labels], lambda b: b[:3] + b"\x03" + b[4:])
    assert "byte 3 of its magic number is wrong. It begins with 00 00 08 03" in told
    told = damage(write(tmp_path)[images], lambda b: b[:2] + b"\x0d" + b[3:])
    assert "byte 2 of its magic number" in told
    told = damage(write(tmp_path)[labels], lambda b: idx(TRAIN_LABELS[:4]))
    assert "has 5 images (bytes 4 to 7), but" in told
    assert "has 4 labels" in told


def test_a_damaged_gzip_file_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, packed=True)[NAMES[0]]
    assert "damaged or truncated gzip file" in damage(path, lambda b: b[:-9])
    path = write(tmp_path, packed=True)[NAMES[0]]
    assert "damaged or truncated gzip file" in damage(path, lambda b: b[:40] + b"???" + b[43:])


def test_a_label_out_of_range_is_told(tmp_path: Path) -> None:
    write(tmp_path)["train-labels-idx1"].write_bytes(idx(np.array([1, 2, 10, 3, 4], "uint8")))
    with pytest.raises(DomainError, match=r"train-labels-idx1-ubyte: label 2 is 10, outside"):
        datasets.mnist(tmp_path)


def test_a_missing_file_is_named_with_the_others(tmp_path: Path) -> None:
    write(tmp_path)["t10k-images-idx3"].unlink()
    with pytest.raises(FileNotFoundError, match=r"no t10k-images-idx3-ubyte .* one of four files"):
        datasets.mnist(tmp_path)
    write(tmp_path)
    with pytest.raises(DTypeError, match="not as int32"):
        datasets.mnist(tmp_path, dtype="int32")


def test_idx_of_other_ranks(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(idx(np.arange(6, dtype="uint8").reshape(2, 3)))
    assert read_idx(tmp_path / "a", 2).tolist() == [[0, 1, 2], [3, 4, 5]]


# --- CIFAR --------------------------------------------------------------------------------

PICTURES = rng.integers(0, 256, (12, 32, 32, 3), dtype="uint8")
CLASSES = np.arange(12, dtype="uint8") % 10
BATCHES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]


def records(part: slice, *labels: np.ndarray) -> bytes:
    planes = PICTURES[part].transpose(0, 3, 1, 2).reshape(-1, 3072)
    return np.column_stack([*(column[part] for column in labels), planes]).tobytes()


def cifar10_files() -> dict[str, bytes]:
    return {name: records(slice(2 * i, 2 * i + 2), CLASSES) for i, name in enumerate(BATCHES)}


def cifar100_files() -> dict[str, bytes]:
    fine = CLASSES + 80
    return {
        "train.bin": records(slice(8), CLASSES, fine),
        "test.bin": records(slice(8, 12), CLASSES, fine),
    }


def tar(files: dict[str, bytes], inside: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in {"readme.html": b"<html>", **files}.items():
            member = tarfile.TarInfo(f"{inside}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.mark.parametrize("where", [".", "cifar-10-batches-bin", "archive"])
def test_cifar10_from_its_files(tmp_path: Path, where: str) -> None:
    if where == "archive":
        content = tar(cifar10_files(), "cifar-10-batches-bin")
        (tmp_path / "cifar-10-binary.tar.gz").write_bytes(content)
    else:
        (tmp_path / where).mkdir(exist_ok=True)
        for name, content in cifar10_files().items():
            (tmp_path / where / name).write_bytes(content)
    (x_train, y_train), (x_test, y_test) = datasets.cifar10(tmp_path)
    assert (x_train.shape, x_test.shape) == ((10, 32, 32, 3), (2, 32, 32, 3))
    np.testing.assert_allclose(x_train, PICTURES[:10] / 255, rtol=1e-6)
    assert [*y_train, *y_test] == CLASSES.tolist()
    (raw, _), _ = datasets.cifar10(tmp_path, dtype="uint8")
    np.testing.assert_array_equal(raw, PICTURES[:10])


def test_cifar100_has_classes_and_groups(tmp_path: Path) -> None:
    (tmp_path / "cifar-100-binary.tar.gz").write_bytes(tar(cifar100_files(), "cifar-100-binary"))
    (x, y), (_, y_test) = datasets.cifar100(tmp_path)
    np.testing.assert_allclose(x, PICTURES[:8] / 255, rtol=1e-6)
    assert [*y, *y_test] == (CLASSES + 80).tolist()
    (_, y), _ = datasets.cifar100(tmp_path, coarse=True)
    assert y.tolist() == CLASSES[:8].tolist()


def test_damaged_cifar_files_are_told(tmp_path: Path) -> None:
    files = cifar10_files()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "data_batch_3.bin").write_bytes(files["data_batch_3.bin"][:-5])
    with pytest.raises(
        FormatError, match=r"data_batch_3\.bin has 6141 bytes.* at byte 3073 is cut"
    ):
        datasets.cifar10(tmp_path)
    (tmp_path / "data_batch_3.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks data_batch_3\.bin"):
        datasets.cifar10(tmp_path)

    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(FileNotFoundError, match=r"neither cifar-10-binary\.tar\.gz nor data_batch"):
        datasets.cifar10(other)
    archive = other / "cifar-10-binary.tar.gz"
    packed = tar(files, "cifar-10-batches-bin")
    archive.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(FormatError, match=r"damaged or truncated tar\.gz file"):
        datasets.cifar10(other)
    del files["test_batch.bin"]
    archive.write_bytes(tar(files, "cifar-10-batches-bin"))
    with pytest.raises(FormatError, match=r"lacks test_batch\.bin"):
        datasets.cifar10(other)


# --- downloads ----------------------------------------------------------------------------

CONTENT = bytes(range(256)) * 40
FILE = Remote("data.gz", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


class Server(BaseHTTPRequestHandler):
    """Gives what `files` holds by path; `ranges` tells which parts were asked for."""

    files: dict[str, bytes]
    ranges: list[str | None]
    cut = 0
    knows_ranges = True

    def do_GET(self) -> None:
        self.ranges.append(self.headers["Range"])
        content = self.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        asked = re.match(r"bytes=(\d+)-", self.headers["Range"] or "")
        begin = int(asked[1]) if asked and self.knows_ranges else 0
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        end = len(content) - self.cut if self.cut else len(content)
        self.wfile.write(content[begin:end])

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, type[Server]]]:
    class Fresh(Server):
        files: dict[str, bytes] = {"/data.gz": CONTENT}  # noqa: RUF012
        ranges: list[str | None] = []  # noqa: RUF012

    with ThreadingHTTPServer(("127.0.0.1", 0), Fresh) as http:
        thread = Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", Fresh
        http.shutdown()
        thread.join()


def test_a_file_is_downloaded_once(tmp_path: Path, server: Any) -> None:
    url, http = server
    folder = tmp_path / "cache" / "mnist"
    path = fetch(FILE, folder, [url + "/"])
    assert path.read_bytes() == CONTENT
    assert [p.name for p in folder.iterdir()] == ["data.gz"]
    assert fetch(FILE, folder, [url]) == path
    assert http.ranges == [None]


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_what_was_cut_off_is_gone_on_with(tmp_path: Path, server: Any, knows_ranges: bool) -> None:
    url, http = server
    http.cut, http.knows_ranges = 1000, knows_ranges
    with pytest.raises(ConnectionError, match=r"ended after 9240 of 10240 bytes|IncompleteRead"):
        fetch(FILE, tmp_path, [url])
    assert (tmp_path / "data.gz.part").stat().st_size == 9240
    assert not (tmp_path / "data.gz").exists()
    http.cut = 0
    assert fetch(FILE, tmp_path, [url]).read_bytes() == CONTENT
    assert http.ranges == [None, "bytes=9240-"]
    assert [p.name for p in tmp_path.iterdir()] == ["data.gz"]


def test_a_damaged_file_is_discarded_and_the_next_mirror_asked(tmp_path: Path, server: Any) -> None:
    url, http = server
    http.files |= {
        "/bad/data.gz": CONTENT[::-1], "/long/data.gz": CONTENT + b"!", "/short/data.gz": b"<html>",
    }  # fmt: skip
    mirrors = [f"{url}/none", f"{url}/bad", f"{url}/long", url]
    assert fetch(FILE, tmp_path, mirrors).read_bytes() == CONTENT
    assert http.ranges == [None] * 4
    (tmp_path / "data.gz").unlink()
    with pytest.raises(ConnectionError) as caught:
        fetch(FILE, tmp_path, [*mirrors[:3], f"{url}/short"])
    told = str(caught.value)
    for part in ("404", "its SHA-256 is", "larger than 10240 bytes", "ended after 6 of 10240"):
        assert part in told
    assert f"put the file data.gz (10,240 bytes) into {tmp_path}" in told
    (tmp_path / "data.gz.part").write_bytes(CONTENT[:10] + b"?" + CONTENT[11:20])
    with pytest.raises(ConnectionError, match="SHA-256"):
        fetch(FILE, tmp_path, [url])  # what was gone on with is damaged: it is deleted
    assert list(tmp_path.iterdir()) == []


def test_mnist_is_downloaded_to_the_cache(
    tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, http = server
    files = []
    for name, path in write(tmp_path / "origin", packed=True).items():
        content = path.read_bytes()
        http.files[f"/{name}-ubyte.gz"] = content
        digest = hashlib.sha256(content).hexdigest()
        files.append(Remote(f"{name}-ubyte.gz", len(content), digest))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(images, "MNIST", tuple(files))
    monkeypatch.setattr(images, "MNIST_MIRRORS", (url,))
    for _ in range(2):
        (_, y_train), _ = datasets.mnist()
        assert y_train.tolist() == TRAIN_LABELS.tolist()
    assert len(http.ranges) == 4
    assert len(list((tmp_path / "cache" / "glassgrad" / "mnist").iterdir())) == 4


def test_without_a_network_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError("Network is unreachable")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(download, "urlopen", refuse)
    with pytest.raises(ConnectionError, match="Network is unreachable") as caught:
        datasets.cifar10()
    folder = tmp_path / "glassgrad" / "cifar10"
    assert f"put the file cifar-10-binary.tar.gz (170,052,171 bytes) into {folder}" in str(
        caught.value
    )


def test_the_cache_is_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert download.cache("mnist") == Path.home() / ".cache" / "glassgrad" / "mnist"


# --- shipped ------------------------------------------------------------------------------


def test_scikit_learns_data() -> None:
    pytest.importorskip("sklearn")
    x, y = datasets.digits()
    assert (x.shape, x.dtype, y.shape) == ((1797, 8, 8, 1), "float32", (1797,))
    assert (x.min(), x.max()) == (0, 1)
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    x, y = datasets.breast_cancer()
    assert (x.shape, x.dtype, y.dtype) == ((569, 30), "float32", "int64")
    assert np.bincount(y).tolist() == [212, 357]
    x, y = datasets.diabetes()
    assert (x.shape, y.shape, y.dtype) == ((442, 10), (442, 1), "float32")
    np.testing.assert_allclose((x * 442**0.5).std(0), 1, rtol=1e-5)


def test_statsmodels_data() -> None:
    pytest.importorskip("statsmodels")
    years, spots = datasets.sunspots()
    assert (years[0], years[-1], len(years), spots.dtype) == (1700, 2008, 309, "float32")
    assert years[spots.argmax()] == 1957
    months, ppm = datasets.co2()
    assert (str(months[0]), str(months[-1]), len(months)) == ("1958-03", "2001-12", 526)
    assert (np.diff(months) == np.timedelta64(1, "M")).all()
    assert np.isfinite(ppm).all()
    np.testing.assert_allclose(ppm[:3], [316.1, 317.2, 317.43332])


def test_pythons_documentation() -> None:
    text = datasets.python_docs()
    assert len(text) > 300_000
    assert 'The "for" statement is used to iterate' in text


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsmodels.datasets.co2", None)
    with pytest.raises(ModuleNotFoundError, match=r"co2 ships with statsmodels, .* pip install"):
        shipped.co2()


def test_nothing_is_imported_before_it_is_needed() -> None:
    lazy = "sklearn statsmodels pandas pyarrow scipy"
    code = f"import sys, nn; print(*set('{lazy}'.split()) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", datasets.__all__)
def test_each_says_what_it_is(name: str) -> None:
    doc = getattr(datasets, name).__doc__
    made = name in ("moons", "circles", "spirals", "addition", "dates")
    assert made or name == "cifar100" or "Source: " in doc
    assert made or name == "cifar100" or re.search(r"(?i)licence|public domain|CC BY", doc)


# --- made to order ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["moons", "circles", "spirals"])
def test_shapes_in_the_plane(name: str) -> None:
    make = getattr(datasets, name)
    x, y = make(101, noise=0.0, seed=3)
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((101, 2), "float32", (101,), "int64")
    assert sorted(np.bincount(y)) == [50, 51]
    again, _ = make(101, noise=0.0, seed=3)
    assert (x == again).all()
    assert (make(101, seed=4)[0] != make(101, seed=5)[0]).any()
    autograd.seed(3)
    assert (make(101, noise=0.0)[0] == x).all()
    noisy, _ = make(101, noise=0.1, seed=3)
    assert noisy.std() > 0
    assert y[:50].std() > 0  # shuffled


def test_where_the_points_lie() -> None:
    x, y = datasets.circles(200, noise=0, factor=0.3, seed=0)
    radius = np.hypot(*x.T)
    np.testing.assert_allclose(radius[y == 0], 1, rtol=1e-6)
    np.testing.assert_allclose(radius[y == 1], 0.3, rtol=1e-6)
    x, y = datasets.moons(200, noise=0, seed=0)
    np.testing.assert_allclose(np.hypot(*x[y == 0].T), 1, rtol=1e-6)
    np.testing.assert_allclose(np.hypot(*(x[y == 1] - [1, 0.5]).T), 1, rtol=1e-5)
    x, y = datasets.spirals(300, classes=3, noise=0, seed=0)
    assert np.bincount(y).tolist() == [100, 100, 100]
    assert np.hypot(*x.T).max() == pytest.approx(1)
    noise = datasets.moons(4000, noise=0.2, seed=0)[0] - datasets.moons(4000, noise=0, seed=0)[0]
    assert noise.std() == pytest.approx(0.2, rel=0.05)


def test_sums() -> None:
    sums, results = datasets.addition(300, digits=2, seed=0)
    for text, result in zip(sums, results, strict=True):
        assert re.fullmatch(r"\d{1,2}\+\d{1,2}", text)
        assert sum(map(ast.literal_eval, text.split("+"))) == int(result)
    assert {text for text in sums if "0" in text.split("+")}, "0 is a number, too"
    assert datasets.addition(300, digits=2, seed=0) == (sums, results)
    assert datasets.addition(300, digits=2, seed=1) != (sums, results)


def test_dates() -> None:
    written, iso = datasets.dates(400, seed=0)
    assert written[:2] == ["November 27, 1989", "28.7.2023"]
    formats = "%d %B %Y|%B %d, %Y|%d %b %Y|%b %d %Y|%A, %d %B %Y|%a, %d %B %Y|%d.%m.%Y|%m/%d/%Y"
    seen = set()
    for text, expected in zip(written, iso, strict=True):
        for style in formats.split("|"):
            try:
                found = datetime.strptime(text, style).date()
            except ValueError:
                continue
            assert found == date.fromisoformat(expected)
            seen.add(style)
    assert len(seen) == 8
