"""What a traced program computes under each of its marks."""

import jax
from jax.extend import core

from jaxunits.tracing._marks import mark_of


def marked_values(function, *arguments):
    """What a function returns, as a list, and for each mark the values that bear it, in order."""
    program = jax.make_jaxpr(function)(*arguments)
    marked = {}
    outputs = evaluate(program.jaxpr, program.consts, jax.tree.leaves(arguments), marked)
    return outputs, marked


def evaluate(program, constants, arguments, marked):
    """Evaluate equation by equation, into nested programs where these may hold marks."""
    values = dict(zip(program.constvars, constants, strict=True))
    values |= zip(program.invars, arguments, strict=True)
    for equation in program.eqns:
        inputs = [
            each.val if isinstance(each, core.Literal) else values[each] for each in equation.invars
        ]
        mark = mark_of(equation)
        if mark is not None:
            marked.setdefault(mark.name, []).append(inputs[0])
        values |= zip(equation.outvars, _outputs(equation, inputs, marked), strict=True)
    return [
        each.val if isinstance(each, core.Literal) else values[each] for each in program.outvars
    ]


def _outputs(equation, inputs, marked):
    if equation.primitive.name in ("jit", "pjit"):
        nested = equation.params["jaxpr"]
        return evaluate(nested.jaxpr, nested.consts, inputs, marked)
    parameters = equation.primitive.get_bind_params(equation.params)
    outputs = equation.primitive.bind(*inputs, **parameters)
    return outputs if equation.primitive.multiple_results else [outputs]
