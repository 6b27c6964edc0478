"""Data on their way in."""
