"""The C text that runs a straight line: one function for each function of it, and the loop.

It depends on which functions there are, and not on how often they occur or where, so that many
tapes share one compiled library.
"""

from __future__ import annotations

import re

from backends import c

from .line import ADD, SUM, Function, Line

__all__ = ["ENTRY", "source_of"]

ENTRY = "run_tape"

_FILE = """\
#include "tape.h"
{functions}
void {entry}(const struct group *groups, long count, const int32_t *index, double *m) {{
    for (const struct group *g = groups; g < groups + count; g++) {{
        const int32_t *at = index + g->at;
        double *result = m + g->result;
        switch (g->kind) {{
        case {SUM}: sum_of_products(g->steps, g->inputs, at, m, result); break;
        case {ADD}: sum(g->steps, g->inputs, at, m, result); break;
{cases}        }}
    }}
}}
"""

_FUNCTION = """
/* {told} */
KERNEL void {name}(long steps, const int32_t *restrict at, const double *restrict m,
{indent}double *restrict result) {{
    for (long i = 0; i < steps; i++) {{
{inputs}        result[i] = {expression};
    }}
}}
"""


def source_of(line: Line) -> str:
    """The C source for the functions of a line; it defines `ENTRY`."""
    texts, cases, taken = [], [], set[str]()
    for function, kind in line.functions.items():
        name, number = _name(function), 2
        while name in taken:
            name, number = f"{_name(function)}_{number}", number + 1
        taken.add(name)
        texts.append(_written(function, name))
        cases.append(f"        case {kind}: {name}(g->steps, at, m, result); break;\n")
    return _FILE.format(
        functions="".join(texts), cases="".join(cases), entry=ENTRY, SUM=SUM, ADD=ADD
    )


def _name(function: Function) -> str:
    if function.rule is None:
        return f"{function.op.name}_step"
    return f"{function.op.name}_gradient_{function.op.inputs[function.rule]}"


def _written(function: Function, name: str) -> str:
    expression = _expression(function)
    words = set(re.findall(r"[A-Za-z_]\w*", expression))
    inputs = []
    for place, x in enumerate(function.inputs):
        if x in words:
            offset = ["", "steps + ", f"{place} * steps + "][min(place, 2)]
            inputs.append(f"        double {x} = m[at[{offset}i]];\n")
    params = ", ".join(f"{key}={value!r}" for key, value in function.params)
    told = f"{function.op.name}({params})" if params else function.op.name
    if function.rule is not None:
        told = f"the gradient of {told} by {function.op.inputs[function.rule]}"
    return _FUNCTION.format(
        told=told, name=name, indent=" " * len(f"KERNEL void {name}("),
        inputs="".join(inputs), expression=expression,
    )  # fmt: skip


def _expression(function: Function) -> str:
    """What a function computes, in the names of its inputs."""
    return c.bare(str(function(c, *[c.C(x, "float64") for x in function.inputs])))
