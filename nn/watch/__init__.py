"""Watching a training: recorded, replayed, live.

>>> import nn
>>> run = nn.Record(every=10)            # a callback of fit; nn.record(model, optimizer) elsewhere
>>> # model.fit(x, y, callbacks=[run])
>>> # run.explore()
"""

from .recorder import Record, record
from .run import Run, load

__all__ = ["Record", "Run", "load", "record"]
