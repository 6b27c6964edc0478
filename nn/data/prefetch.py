"""Items of an iterator, made ahead of time in a background thread."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextvars import copy_context
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from typing import Any, TypeVar

__all__ = ["ahead"]

T = TypeVar("T")


class _End:
    """What comes after the last item: why there is no further one."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(start: Callable[[], Iterator[T]], n: int) -> Generator[T]:
    """What `start()` iterates over, in the same order, with up to `n` items made ahead.

    NumPy and files let other threads run while they work, so that a batch is read and transformed
    while the last one trains.  An error there is raised here, with its own traceback.  When this
    generator is closed, as a `for` loop does that ends or is left, the thread ends with it.
    """
    made: SimpleQueue[Any] = SimpleQueue()
    room, stop = Semaphore(n - 1), Event()

    def work() -> None:
        try:
            for item in start():
                made.put(item)
                room.acquire()  # before the next is begun, so that no more than n lie ready
                if stop.is_set():
                    break
            made.put(_End(None))
        except BaseException as error:
            made.put(_End(error))

    # backend, `no_grad` and training mode are those of the caller
    thread = Thread(target=copy_context().run, args=(work,), name="nn.data prefetch", daemon=True)
    thread.start()
    try:
        while not isinstance(item := made.get(), _End):
            room.release()
            yield item
        if item.error is not None:
            try:
                raise item.error
            finally:
                del item  # the error holds this frame, which would hold the error
    finally:
        stop.set()
        room.release()
        thread.join()
