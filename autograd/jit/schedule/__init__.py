"""From steps to kernels: what runs in one loop, what has a kernel of its own, what NumPy does.

Steps are taken in their order.  One that fits the loop of what it is computed from joins it, and
loops whose results only that one needs are drawn into it.  Views cost nothing.  What is put one
behind the other in memory (the gradients of all parameters, for the optimizer) is computed in its
place there, and what is assigned is computed in the memory of the tensor.

    kinds.py      what may run: a loop, a call of a kernel, a step for NumPy, a fill
    schedule.py   these in their order, and where every variable lies
    scheduler.py  takes one step after the other, and decides what becomes of it
    placement.py  where variables lie, as far as that is known before they are computed; views
    fusion.py     how loops grow
    calls.py      kernels of their own, and their operands
    copies.py     elements that have to move
    writes.py     what the call assigns, once everything has been checked
"""

from .kinds import Call, Fill, Host, Kind, Loop
from .schedule import Schedule
from .scheduler import scheduled

__all__ = ["Call", "Fill", "Host", "Kind", "Loop", "Schedule", "scheduled"]
