"""Elements put where an index picks them."""

import numpy as np


def put(g, at, shape):
    """Zeros of a shape with g added at [at]; where an index occurs twice, both are added."""
    z = np.zeros(shape, g.dtype)
    np.add.at(z, at, g)
    return z


def additem(x, y, at):
    """A copy of x with y added at [at]; where an index occurs twice, both are added."""
    z = x.copy()
    np.add.at(z, at, y)
    return z


def setitem(x, y, at):
    """A copy of x in which [at] is y; where an index occurs twice, the last y stays."""
    z = x.copy()
    z[at] = y
    return z


def winners(x, at):
    """Of the elements that `setitem` puts at [at] of x, which stay."""
    z = np.zeros(x.shape, int)
    places = np.arange(z[at].size).reshape(z[at].shape)
    z[at] = places
    return z[at] == places


def along(index, axis):
    """What picks x[i, index[i, j]] for axis 1, and so on."""
    at = list(np.ogrid[tuple(map(slice, index.shape))])
    at[axis] = index
    return tuple(at)
