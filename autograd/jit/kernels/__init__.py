"""Kernels that are written for one operation, and not made of loops: see `kernel.py`."""
