"""What can be written as ONNX and what can be read, counted."""

from __future__ import annotations

from autograd.node import Op

from .execute import OPERATORS
from .translate import RULES

__all__ = ["SKIPPED", "coverage"]

SKIPPED = {
    "strings": "tensors hold numbers; text is a matter for the host",
    "float8, float4, int4, uint4, int2, uint2": "no array library we compute with has them",
    "ImageDecoder": "decodes files of images",
    "TfIdfVectorizer, TreeEnsemble, LabelEncoder": "classical machine learning, not networks",
}
"""What of ONNX is left out, and why."""


def coverage() -> dict[str, list[str]]:
    """Names of operators and operations, by what can be done with them.

    - "import": ONNX's operators that the importer computes by our operations;
    - "import by definition": those that ONNX itself defines by others, and so are computed;
    - "import missing": the rest of ONNX's operators;
    - "export": our operations that are written as ONNX;
    - "export missing": those that are not: gradients, and what ONNX has no words for.
    """
    from onnx import defs

    latest = {
        (schema.domain, schema.name): schema
        for schema in sorted(defs.get_all_schemas(), key=lambda s: s.since_version)
        if not schema.deprecated
    }
    here = [key for key in latest if key in OPERATORS]
    defined = [
        key for key, schema in latest.items()
        if key not in OPERATORS
        and (schema.has_function or schema.has_context_dependent_function)
    ]  # fmt: skip
    rest = [key for key in latest if key not in OPERATORS and key not in defined]
    return {
        "import": _named(here),
        "import by definition": _named(defined),
        "import missing": _named(rest),
        "export": sorted(set(RULES) & set(Op.table)),
        "export missing": sorted(set(Op.table) - set(RULES) - {"part"}),
    }


def _named(keys: list[tuple[str, str]]) -> list[str]:
    return sorted(f"{domain}.{name}" if domain else name for domain, name in keys)
