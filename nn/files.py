"""Files that are whole or absent: a crash, at whatever moment, leaves the old one or the new."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["PART", "sync_folder", "write"]

PART = ".part"
"""How the name of a file ends that is being written."""


def write(path: Path, data: bytes) -> None:
    """Write a file that appears under its name when it is complete and on the disk."""
    part = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        with open(part, "wb") as file:  # with the rights of any new file, unlike tempfile's
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk too; Windows does that by itself."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
