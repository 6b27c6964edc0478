"""Callbacks that write down how it goes: as a table, and for TensorBoard."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from typing import Any

from .callbacks import Callback

__all__ = ["CSVLogger", "TensorBoard"]


class CSVLogger(Callback):
    """A row per epoch, counted from 0, with all numbers of the logs and the learning rate.

    The file begins anew with each training, unless `append`; a training that goes on from a
    checkpoint goes on with its file, less the rows that were written after the checkpoint.
    """

    def __init__(self, path: Any, append: bool = False, separator: str = ",") -> None:
        self.path, self.append, self.separator = Path(path), append, separator

    def on_train_begin(self, logs: dict[str, float]) -> None:
        self.columns: list[str] = []
        self.end = 0
        if self.append and self.path.exists() and self.path.stat().st_size:
            with self.path.open(newline="", encoding="utf-8") as file:
                self.columns = next(csv.reader(file, delimiter=self.separator))
            self.end = self.path.stat().st_size

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        row = {"epoch": epoch, **logs, "lr": self.model.optimizer.lr}
        text = StringIO()
        writer = csv.writer(text, delimiter=self.separator, lineterminator="\n")
        if not self.columns:
            self.columns = list(row)
            writer.writerow(self.columns)
        missed = [name for name in row if name not in self.columns]
        if missed:
            raise ValueError(
                f"CSVLogger: {self.path} has the columns {', '.join(self.columns)}, and none for "
                f"{', '.join(missed)}; write another file"
            )
        writer.writerow([row.get(name, "") for name in self.columns])
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("r+b" if self.end else "wb") as file:
            file.truncate(self.end)  # rows of a training that was killed after its checkpoint
            file.seek(self.end)
            file.write(text.getvalue().encode())
            self.end = file.tell()

    def state_dict(self) -> dict[str, Any]:
        return {"columns": self.columns, "end": self.end}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        there = self.path.stat().st_size if self.path.exists() else 0
        if there >= state["end"]:
            self.columns, self.end = state["columns"], state["end"]
        # else the file is another, or was deleted: it begins anew


class TensorBoard(Callback):
    """Losses, metrics and the learning rate as scalars, weights and gradients as histograms.

    They are written into a folder that `tensorboard --logdir folder` shows, one point per epoch;
    `histograms` is every how many epochs these are drawn, 0 for never.  The gradients are those of
    the epoch's last batch.  Needs tensorboardX, the extra `glassgrad[tensorboard]`.
    """

    def __init__(self, folder: Any = "logs", histograms: int = 1) -> None:
        if isinstance(histograms, bool) or not isinstance(histograms, int) or histograms < 0:
            raise ValueError(f"TensorBoard: histograms={histograms!r}: a whole number from 0 on")
        self.folder, self.histograms = Path(folder), histograms
        _writer_class()  # what is missing is told here, not after the first epoch

    def on_train_begin(self, logs: dict[str, float]) -> None:
        self.writer: Any = None
        self.first = 0
        self.gradients: dict[str, Any] = {}

    def after_backward(self, batch: int, data: Any) -> None:
        if self.histograms:  # they are kept as they are, without a copy
            self.gradients = {
                name: p.grad for name, p in self.model.named_parameters() if p.grad is not None
            }

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if self.writer is None:
            self.writer = _writer_class()(str(self.folder), purge_step=self.first or None)
        for name, value in logs.items():
            group = "validation" if name.startswith("val_") else "training"
            self.writer.add_scalar(f"{name.removeprefix('val_')}/{group}", value, epoch)
        self.writer.add_scalar("learning_rate", self.model.optimizer.lr, epoch)
        if self.histograms and epoch % self.histograms == 0:
            for name, p in self.model.named_parameters():
                self._histogram(f"weights/{name}", p, epoch)
            for name, gradient in self.gradients.items():
                self._histogram(f"gradients/{name}", gradient, epoch)
        self.writer.flush()
        self.first = epoch + 1

    def _histogram(self, name: str, tensor: Any, epoch: int) -> None:
        values = tensor.detach().astype("float64").numpy()
        if (abs(values) < float("inf")).all():  # TensorBoard has no place for others
            self.writer.add_histogram(name, values, epoch)

    def on_train_end(self, logs: dict[str, float]) -> None:
        if self.writer is not None:
            self.writer.close()
        self.gradients = {}

    def state_dict(self) -> dict[str, Any]:
        return {"first": self.first}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.first = state["first"]


def _writer_class() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise ImportError(
            "TensorBoard: tensorboardX is not installed; pip install 'glassgrad[tensorboard]'"
        ) from error
    return SummaryWriter
