"""The file formats of MNIST (idx) and CIFAR (binary batches), read from plain or packed files."""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from math import prod
from pathlib import Path
from typing import IO

import numpy as np

__all__ = ["FormatError", "read_cifar", "read_idx", "unpacked"]


class FormatError(ValueError):
    """A file that is not what its name promises; it tells the file and the byte."""


def unpacked(path: Path) -> bytes:
    """What is in a file, whether it is compressed with gzip or not."""
    data = path.read_bytes()
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(
            f"{path} is a damaged or truncated gzip file of {len(data)} bytes: {error}"
        ) from error


def read_idx(path: Path, ndim: int) -> np.ndarray:
    """An array of bytes from an idx file, gzip or not.

    The format (LeCun, Cortes and Burges, "The MNIST database", file formats): two zero bytes, the
    type (8: unsigned bytes), the number of axes; then the size of each axis as four bytes, the
    highest first; then the elements, the last axis running fastest.
    """
    data = unpacked(path)
    told = f"{path} is no idx file of unsigned bytes with {ndim} axes"
    wanted = bytes([0, 0, 8, ndim])
    if data[:4] != wanted:
        place = next((i for i in range(4) if data[i : i + 1] != wanted[i : i + 1]), 0)
        raise FormatError(
            f"{told}: byte {place} of its magic number is wrong. It begins with "
            f"{data[:4].hex(' ') or 'nothing'}, expected {wanted.hex(' ')}"
        )
    begin = 4 + 4 * ndim
    if len(data) < begin:
        raise FormatError(f"{told}: it ends at byte {len(data)}, within its header of {begin}")
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", ndim, 4))
    end = begin + prod(shape)
    if len(data) != end:
        what = "it ends" if len(data) < end else "it goes on after its data, and ends"
        raise FormatError(
            f"{path}: {what} at byte {len(data)}; its header says {' × '.join(map(str, shape))}, "
            f"which end at byte {end}"
        )
    return np.frombuffer(data, "uint8", offset=begin).reshape(shape)


def read_cifar(name: str, data: bytes, labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 32, 32, 3) and labels (N, labels) from the bytes of a binary batch.

    A record is `labels` bytes, then 1,024 bytes each of red, green and blue, row by row
    (Krizhevsky, "Learning multiple layers of features from tiny images", 2009; binary version).
    """
    record = labels + 3 * 32 * 32
    if not data or len(data) % record:
        whole = len(data) // record
        raise FormatError(
            f"{name} has {len(data)} bytes, no whole number of records of {record}: "
            f"the one that begins at byte {whole * record} is cut off"
        )
    table = np.frombuffer(data, "uint8").reshape(-1, record)
    images = table[:, labels:].reshape(-1, 3, 32, 32)  # (N, C, H, W)
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1)), table[:, :labels]  # (N, H, W, C)


def read_members(archive: Path, names: list[str]) -> dict[str, bytes]:
    """The files of these names from a tar.gz, whatever folder of it they are in.

    Nothing is written to disk, so that a path in the archive cannot lead anywhere.
    """
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                base = os.path.basename(member.name)
                if base in names and member.isfile():
                    content: IO[bytes] | None = tar.extractfile(member)
                    assert content is not None  # a file has some
                    found[base] = content.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise FormatError(f"{archive} is a damaged or truncated tar.gz file: {error}") from error
    missing = [name for name in names if name not in found]
    if missing:
        raise FormatError(f"{archive} lacks {', '.join(missing)}")
    return found
