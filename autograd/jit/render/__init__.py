"""A schedule as C: one function for the whole step, or one per stretch between what NumPy does.

source.py      all of the text: what is included, the kernels' functions, the exported ones
functions.py   each kernel's function, written once, and the lines that call it
calling.py     a call on this thread, or on all of them where that pays
numbers.py     Python numbers that are handed over, and what is computed from them
loop_text.py   the function of a loop, stage after stage
loop_names.py  what such a function takes, and what it calls that
columns.py     the pass over the columns of a row
"""

from .source import Rendered, render

__all__ = ["Rendered", "render"]
