"""Demonstrations that train on real data and write pictures of what happened: `glassgrad demo`."""
