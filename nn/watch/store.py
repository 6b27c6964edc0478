"""Frames, where they are kept: in memory, or in a folder that a kill leaves readable.

    run/run.json       the header: what is recorded; replaced as a whole
    run/frames.jsonl   a frame per line; only ever appended to, or replaced as a whole

A line whose step was there already amends that frame: what it holds takes the place of what the
frame held.  A last line without an end was being written when its writer was killed, and is no
frame.  Both are read by `Memory.read` and `Folder.read`, by whoever follows a training: each
call gives the lines since the last.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from .. import files

__all__ = [
    "FORMAT",
    "FRAMES",
    "HEADER",
    "VERSION",
    "Folder",
    "Memory",
    "Place",
    "frames_of",
    "thinned",
]

FORMAT, VERSION = "glassgrad-run", 1
HEADER, FRAMES = "run.json", "frames.jsonl"


class Place(NamedTuple):
    """How far a reader has come: in which version of the frames, and to which line or byte."""

    version: int = 0
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.version}-{self.offset}"

    @classmethod
    def of(cls, text: str | None) -> Place:
        """What `str` told; the beginning for anything else."""
        version, _, offset = (text or "").partition("-")
        known = version.isdecimal() and offset.isdecimal() and len(f"{version}{offset}") < 50
        return cls(int(version), int(offset)) if known else cls()


START = Place()


class Memory:
    """Frames and the header, in memory; a frame becomes a line of JSON when it is read."""

    def __init__(self) -> None:
        self.header: dict[str, Any] = {}
        self.version, self.lines = 1, list[Any]()
        self.lock = Lock()
        self.changed = 0
        """How often the header was written."""

    def write_header(self, header: dict[str, Any]) -> None:
        """Replace the header."""
        self.header, self.changed = header, self.changed + 1

    def append(self, line: Any) -> None:
        """One more frame, or what amends the last: whatever is a line of JSON as text."""
        self.lines.append(line)

    def replace(self, lines: Iterable[str]) -> None:
        """Other frames than before."""
        with self.lock:
            self.version, self.lines = self.version + 1, list(lines)

    def read(self, place: Place = START) -> tuple[Place, list[str]]:
        """The lines since a place, and the place after them; all, where the version is another."""
        with self.lock:
            version, lines = self.version, self.lines
        start = place.offset if place.version == version and place.offset <= len(lines) else 0
        found = lines[start:]
        return Place(version, start + len(found)), [str(line) for line in found]

    def close(self) -> None:
        """Nothing more will be written."""


class Folder:
    """The same in a folder, which another process may write."""

    def __init__(self, folder: Any) -> None:
        self.path = Path(folder)
        self.file: Any = None

    @property
    def header(self) -> dict[str, Any]:
        """The header; ValueError where the folder holds no run, or one of another version."""
        try:
            header = json.loads((self.path / HEADER).read_text("utf-8"))
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{self.path} holds no recorded training: there is no {HEADER} in it. "
                "fit(callbacks=[nn.Record(folder)]) writes one."
            ) from None
        except ValueError as error:
            raise ValueError(f"{self.path / HEADER} is not JSON: {error}") from None
        told = (header.get("format"), header.get("version")) if isinstance(header, dict) else ()
        if told != (FORMAT, VERSION):
            raise ValueError(f"{self.path / HEADER} is not of {FORMAT} {VERSION}, but of {told}")
        return dict(header)

    @property
    def changed(self) -> int:
        """Another number after each change of the header; 0 where there is none."""
        try:
            return os.stat(self.path / HEADER).st_mtime_ns
        except FileNotFoundError:
            return 0

    def write_header(self, header: dict[str, Any]) -> None:
        """Replace the header."""
        self.path.mkdir(parents=True, exist_ok=True)
        files.write(self.path / HEADER, json.dumps(header, ensure_ascii=False).encode())

    def append(self, line: Any) -> None:
        """One more frame, or what amends the last; the system has it when this returns."""
        if self.file is None:
            self.path.mkdir(parents=True, exist_ok=True)
            self.file = open(self.path / FRAMES, "ab", buffering=0)  # noqa: SIM115
        self.file.write(f"{line}\n".encode())

    def replace(self, lines: Iterable[str]) -> None:
        """Other frames than before."""
        self.close()
        self.path.mkdir(parents=True, exist_ok=True)
        files.write(self.path / FRAMES, "".join(f"{line}\n" for line in lines).encode())

    def read(self, place: Place = START) -> tuple[Place, list[str]]:
        """The whole lines since a place, and the place after them; all of another file."""
        try:
            with open(self.path / FRAMES, "rb") as file:
                status = os.fstat(file.fileno())
                same = place.version == status.st_ino and place.offset <= status.st_size
                start = place.offset if same else 0
                file.seek(start)
                data = file.read()
        except FileNotFoundError:
            return Place(), []
        end = data.rfind(b"\n") + 1
        return Place(status.st_ino, start + end), data[:end].decode().splitlines()

    def close(self) -> None:
        """Nothing more will be written."""
        if self.file is not None:
            self.file.close()
            self.file = None


def frames_of(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The frames that lines tell, in the order of their steps; damaged lines are passed over."""
    frames: dict[int, dict[str, Any]] = {}
    for line in lines:
        try:
            told = json.loads(line)
            step = told["step"]
        except (ValueError, TypeError, KeyError):
            continue
        frames.setdefault(step, {}).update(told)
    return [frames[step] for step in sorted(frames) if "loss" in frames[step]]


def thinned(frames: list[dict[str, Any]], every: int) -> list[dict[str, Any]]:
    """The frames at steps that `every` divides; what others say of an epoch goes to the one before.

    So no epoch's metrics are lost with a frame.
    """
    kept: list[dict[str, Any]] = []
    for frame in frames:
        if frame["step"] % every == 0 or not kept:
            kept.append(frame)
        elif "logs" in frame:
            kept[-1] = kept[-1] | {"logs": kept[-1].get("logs", {}) | frame["logs"]}
    return kept
