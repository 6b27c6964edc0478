"""Files from the net, once: resumed, checked by size and SHA-256, and put in place in one step."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

__all__ = ["Remote", "cache", "fetch"]

TIMEOUT = 30.0
"""Seconds without an answer after which the next mirror is tried."""
PIECE = 1 << 18


@dataclass(frozen=True)
class Remote:
    """A file that mirrors hold under the same name."""

    name: str
    size: int
    sha256: str


class _DamagedError(Exception):
    """What came is not what was asked for."""


def cache(dataset: str) -> Path:
    """The folder that downloads of a dataset go to: in `$XDG_CACHE_HOME`, or else ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "glassgrad" / dataset


def fetch(file: Remote, folder: Path, mirrors: Sequence[str]) -> Path:
    """The file in that folder, downloaded from the first mirror that gives it whole.

    It is written beside its place as `name.part` and renamed when its SHA-256 is right, so that
    what lies there under its name is complete.  A part that an interrupted download left is gone
    on with; one that turns out damaged is deleted.  If no mirror helps, a ConnectionError tells
    why, and where to put the file by hand.
    """
    target = folder / file.name
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{file.name}.part"
    failures = []
    for mirror in mirrors:
        url = mirror.rstrip("/") + "/" + file.name
        print(f"downloading {url} ({file.size / 1e6:.1f} MB) to {folder}", file=sys.stderr)
        try:
            _continue(url, part, file.size)
            _check(part, file)
        except _DamagedError as error:
            part.unlink(missing_ok=True)
            failures.append(f"{url}: {error}")
        except (OSError, HTTPException) as error:  # no net, no such host, a timeout, a cut line
            failures.append(f"{url}: {error}")
        else:
            part.replace(target)
            return target
    told = "\n  ".join(failures)
    raise ConnectionError(
        f"{file.name} could not be downloaded:\n  {told}\n"
        f"Without a network, put the file {file.name} ({file.size:,} bytes) into {folder}"
    )


def _continue(url: str, part: Path, size: int) -> None:
    """Add to the part what it lacks."""
    have = part.stat().st_size if part.exists() else 0
    if have >= size:  # complete, or too long: the checksum will tell
        return
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        raise
    with answer, open(part, "ab" if answer.status == 206 else "wb") as out:
        while piece := answer.read(PIECE):
            out.write(piece)
            if out.tell() > size:
                raise _DamagedError(f"it is larger than {size} bytes")
        out.flush()
        os.fsync(out.fileno())


def _check(part: Path, file: Remote) -> None:
    found = part.stat().st_size
    if found < file.size:  # kept, to go on with
        raise OSError(f"the connection ended after {found} of {file.size} bytes")
    with part.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if digest != file.sha256:
        raise _DamagedError(f"its SHA-256 is {digest}, not {file.sha256}: damaged, or another file")
