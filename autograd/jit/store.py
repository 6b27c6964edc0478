"""Where compiled programs are kept: a private folder, whose files are checked before they run.

A program is three files: the library, its source for people to read, and a manifest with size and
SHA-256 of the library.  The manifest is written last, by one rename, and names the library by its
content: whoever reads it sees a whole program or none, however many processes write.  A file that
is cut off or altered is as good as absent.  Loading a library runs it, so a folder that somebody
else could write to is refused.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import math
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["LIMIT", "FolderError", "Store", "Usage", "stores", "user_folder"]

LIMIT = 500 * 10**6
"""Bytes that the folder may hold; beyond, what was not used for longest goes first."""

SUFFIX = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
NEW = ".new-"  # what is not yet whole
HOUR, DAY = 3600.0, 86400.0
PATIENCE = 120.0
"""Seconds to wait for another process that builds the same program, before building it too."""


class FolderError(OSError):
    """The user's cache folder cannot be trusted; the message says why, and how to mend it."""


@dataclass(frozen=True)
class Usage:
    """What a folder holds."""

    programs: int
    bytes: int

    def __str__(self) -> str:
        megabytes = self.bytes / 1e6
        return f"{self.programs} program{'s' * (self.programs != 1)}, {megabytes:.1f} MB"


def user_folder() -> Path:
    """The user's own folder; made, with nobody else's access, where it is not there yet.

    Raises `FolderError` where others could write to it, another OSError where it cannot be made.
    """
    told = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(told) if os.path.isabs(told) else Path.home() / ".cache"
    except RuntimeError as error:  # no HOME, and no entry in the list of users
        raise FileNotFoundError(f"no home folder: {error}") from None
    base.mkdir(parents=True, exist_ok=True)
    for folder in (base / "glassgrad", base / "glassgrad" / "jit"):
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        _trust(folder)
    return folder


def _trust(folder: Path) -> None:
    """Refuse a folder that is not this user's alone to write to."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise FolderError(f"{folder} is no folder: remove it, or set XDG_CACHE_HOME")
    if not hasattr(os, "geteuid"):  # Windows: a user's profile is private
        return
    if found.st_uid != os.geteuid():
        raise FolderError(
            f"{folder} belongs to another user: set XDG_CACHE_HOME to a folder of yours"
        )
    if found.st_mode & 0o022:
        raise FolderError(f"{folder} can be written by others: chmod go-w {folder}")


def stores(new: bool = True) -> Iterator[Store]:
    """Where to look and to build, best first: the user's folder, then one of this process.

    The latter is made when it is first come to, unless `new` is false.
    """
    with suppress(OSError):
        yield Store(user_folder())
    if new or _own is not None:
        yield Store(_own_folder())


_own: Path | None = None


def _own_folder() -> Path:
    """A temporary folder, private to this process, that goes when it ends."""
    global _own
    if _own is None or not _own.is_dir():  # a forked child may outlive its parent's folder
        _own = Path(tempfile.mkdtemp(prefix="glassgrad-"))
        atexit.register(_remove_in, os.getpid(), _own)
    return _own


def _remove_in(process: int, folder: Path) -> None:
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Store:
    """A folder of programs. Every method may raise OSError; none leaves half a program behind."""

    folder: Path

    def find(self, name: str) -> Path | None:
        """The library of a program, checked, or None."""
        told = self.read_note(name)
        path = self._library(name, told.get("sha256"))
        try:
            content = path.read_bytes()
        except OSError:
            return None
        if len(content) != told.get("bytes") or _digest(content) != told.get("sha256"):
            return None
        with suppress(OSError):  # what is used stays longest; once a day is often enough
            note = self.folder / f"{name}.json"
            if time.time() - note.stat().st_mtime > DAY:
                os.utime(note)
        return path

    def keep(self, name: str, library: Path, source: str, about: dict[str, Any]) -> Path:
        """Take a library in, from a file of `scratch()`; returns where it lies now."""
        content = library.read_bytes()
        told = {"sha256": _digest(content), "bytes": len(content), **about}
        path = self._library(name, told["sha256"])
        library.chmod(0o700)
        library.replace(path)
        self._write(self.folder / f"{name}.c", source)
        self.write_note(name, told)
        self._trim_now_and_then(but=name)
        return path

    def _library(self, name: str, digest: object) -> Path:
        return self.folder / f"{name}-{str(digest)[:16]}{SUFFIX}"

    # --- notes: small facts, as JSON ---

    def read_note(self, name: str) -> dict[str, Any]:
        """What `write_note` wrote; {} where it is absent or no longer readable."""
        try:
            found = json.loads((self.folder / f"{name}.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write_note(self, name: str, told: dict[str, Any]) -> None:
        """Write facts down, all or nothing."""
        self._write(self.folder / f"{name}.json", json.dumps(told, indent=1))

    def _write(self, path: Path, text: str) -> None:
        handle, new = tempfile.mkstemp(prefix=NEW, dir=self.folder)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(new, path)
        except BaseException:
            os.unlink(new)
            raise

    # --- building ---

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder beside the programs, for as long as something is built there."""
        made = Path(tempfile.mkdtemp(prefix=NEW, dir=self.folder))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Wait for others that build this program, so that it is compiled once.

        Only a courtesy: where files cannot be locked, or the other one takes too long, two build
        the same and the last rename wins.  A lock ends with the process that holds it.
        """
        try:
            import fcntl
        except ImportError:  # Windows
            yield
            return
        path = self.folder / f"{name}.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(0.005)
                except OSError:  # a file system without locks
                    break
            yield
        finally:
            with suppress(OSError):
                path.unlink()
            os.close(handle)

    # --- the folder as a whole ---

    def usage(self) -> Usage:
        """How many programs there are, and how large everything is."""
        programs = sum(1 for path in self.folder.glob(f"*{SUFFIX}"))
        return Usage(programs, sum(_size(path) for path in self.folder.iterdir()))

    def clear(self) -> Usage:
        """Remove everything; what a process has loaded goes on working."""
        found = self.usage()
        for path in self.folder.iterdir():
            _remove(path)
        return found

    def _trim_now_and_then(self, but: str) -> None:
        """Trim, unless that was done within the hour: to look at thousands of files takes time."""
        mark = self.folder / "trimmed"
        if _age(mark) > HOUR:
            mark.touch(mode=0o600)
            self.trim(LIMIT, but)

    def trim(self, limit: int, but: str = "") -> None:
        """Remove what was left over by processes that died, and the oldest beyond `limit` bytes."""
        groups: dict[str, list[Path]] = {}
        for path in self.folder.iterdir():
            if path.name.startswith(NEW):
                if _age(path) > DAY:
                    _remove(path)
            else:
                name = path.stem.rpartition("-")[0] if path.suffix == SUFFIX else path.stem
                groups.setdefault(name, []).append(path)
        groups.pop(but, None)
        sizes = {name: sum(map(_size, paths)) for name, paths in groups.items()}
        excess = _size(self.folder) - limit
        for name in sorted(groups, key=lambda name: -min(map(_age, groups[name]))):
            if excess <= 0:
                break
            for path in groups[name]:
                _remove(path)
            excess -= sizes[name]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; 0 for what is gone meanwhile."""
    try:
        if path.is_dir():
            return sum(_size(inner) for inner in path.iterdir())
        return path.lstat().st_size
    except OSError:
        return 0


def _age(path: Path) -> float:
    """Seconds since a file was written; infinite for what is gone meanwhile."""
    try:
        return time.time() - path.lstat().st_mtime
    except OSError:
        return math.inf


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
