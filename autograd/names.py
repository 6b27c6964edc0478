"""Who a node is: found when somebody asks, so that recording stays cheap."""
from __future__ import annotations

from typing import Any


def here() -> str:
    return "?"
def where(node: Any) -> str:
    return "?"
def describe(node: Any) -> str:
    return repr(node)
