from typing import Any


def explain(op: Any, inputs: Any, params: Any, error: Exception) -> Exception:
    return error
