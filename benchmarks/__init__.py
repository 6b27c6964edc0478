"""Glassgrad measured beside its peers: `make bench`, or `python -m benchmarks --help`.

What is measured is in `rows.py` and, of `autograd.jit`, in `jit_rows.py`: one function per row of
the table. Each contestant is a small program in `contestants/`, run in a process of its own
(`worker.py`) with the same two threads (one where the row says so), the same initial weights, the
same data and Python's own settings of the garbage collector. All contestants of a row are alive at
once and take turns (`arena.py`), so that a machine that slows down slows down for everybody. Before
anything is timed, they must agree on the numbers.
`python -m benchmarks --where step` tells where the time of one training step goes (`where.py`);
`--chart` draws the compiled rows of the last full run (`chart.py`).
"""
