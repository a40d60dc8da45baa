"""A traced function as a flat list of operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Literal
from jaxtyping import Array, PyTree

from ._borders import with_narrow_borders
from ._marks import mark_of

# Calls whose body can stand in their place. Derivatives of their own are lost by that.
_CALLS = {"pjit", "jit", "closed_call", "core_call", "checkpoint", "remat2", "remat"}
_OWN_DERIVATIVES = {"custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"}

Replacement = Callable[[Array], Any]


@dataclass(frozen=True, eq=False)
class Program:
    """A traced function: operations in the order in which they run, without nested calls.

    Attributes:
      equations: the operations that the outputs depend on.
      inputs: the variables of the arguments' arrays, in the order of their leaves.
      outputs: variables or literals of what it gives.
      constants: arrays that the function closed over.
      arguments: how the arguments are made of their leaves.
      results: how what it gives is made of the outputs.
    """

    equations: tuple[Any, ...]
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    constants: Mapping[Any, Any]
    arguments: jax.tree_util.PyTreeDef
    results: jax.tree_util.PyTreeDef

    def __call__(self, *arguments: PyTree) -> PyTree:
        """What the function gives."""
        return jax.tree.unflatten(self.results, self.values(arguments, self.outputs))

    def values(
        self,
        arguments: Sequence[PyTree],
        wanted: Sequence[Any],
        replace: Mapping[Any, Replacement] | None = None,
    ) -> list[Any]:
        """The values of some variables; nothing is evaluated that they do not depend on.

        Args:
          arguments: of the function.
          wanted: the variables, or literals.
          replace: for some variables a function that gives another value in their place.
        """
        values = self.bound(arguments)
        replace = replace or {}
        for variable in self.inputs:
            if variable in replace:
                values[variable] = replace[variable](values[variable])
        for equation in needed(self.equations, wanted):
            results = bind(equation, [read(values, atom) for atom in equation.invars])
            for variable, result in zip(equation.outvars, results, strict=True):
                values[variable] = replace[variable](result) if variable in replace else result
        return [read(values, atom) for atom in wanted]

    def bound(self, arguments: Sequence[PyTree]) -> dict[Any, Any]:
        """The values of inputs and constants; None is given for an argument that is not read."""
        leaves = [
            leaf
            for child, given in zip(self.arguments.children(), arguments, strict=True)
            for leaf in ([None] * child.num_leaves if given is None else child.flatten_up_to(given))
        ]
        return {**self.constants, **dict(zip(self.inputs, leaves, strict=True))}

    def leaves(self, argument: int) -> tuple[Any, ...]:
        """The variables of one argument."""
        counts = [child.num_leaves for child in self.arguments.children()]
        start = sum(counts[:argument])
        return self.inputs[start : start + counts[argument]]

    def producers(self) -> dict[Any, Any]:
        """For every variable that an operation gives, the operation."""
        return {variable: each for each in self.equations for variable in each.outvars}

    def readers(self) -> dict[Any, list[Any]]:
        """For every variable the operations that read it."""
        found: dict[Any, list[Any]] = {}
        for equation in self.equations:
            for variable in dict.fromkeys(variables(equation.invars)):
                found.setdefault(variable, []).append(equation)
        return found

    def dependent(self, seeds: Iterable[Any]) -> set[Any]:
        """All variables that depend on some."""
        found = set(seeds)
        for equation in self.equations:
            if any(variable in found for variable in variables(equation.invars)):
                found.update(equation.outvars)
        return found


def trace(
    function: Callable[..., PyTree], *arguments: PyTree, derivatives: bool = False
) -> Program:
    """Trace a function and put the bodies of its calls in their place.

    Loops (`scan`) that contain marks are unrolled; their marks get the number of the round.

    Args:
      function: a pure function of arrays.
      arguments: its arguments, or their shapes.
      derivatives: keep derivatives that functions define for themselves, except round marks.
    """
    shapes = jax.tree.map(_shape, arguments)
    leaves, structure = jax.tree.flatten(shapes)
    with _no_devices():
        closed, result = jax.make_jaxpr(
            lambda *flat: function(*jax.tree.unflatten(structure, flat)), return_shape=True
        )(*leaves)
        flat = jax.make_jaxpr(lambda *inputs: _inlined(closed, inputs, derivatives))(*leaves)
    jaxpr = flat.jaxpr
    return Program(
        equations=needed(jaxpr.eqns, jaxpr.outvars),
        inputs=tuple(jaxpr.invars),
        outputs=tuple(jaxpr.outvars),
        constants=dict(zip(jaxpr.constvars, flat.consts, strict=True)),
        arguments=structure,
        results=jax.tree.structure(result),
    )


def _no_devices() -> Any:
    """What is traced within serves any devices that share images."""
    return jax.sharding.use_abstract_mesh(jax.sharding.AbstractMesh((), ()))


def bind(equation: Any, values: Sequence[Any]) -> list[Any]:
    """What an operation gives for some values."""
    if "jvp_jaxpr_fun" in equation.params:
        # JAX traces a derivative once, for the devices at hand then.
        with _no_devices():
            others = len(equation.invars) - equation.params["num_consts"]
            equation.params["jvp_jaxpr_fun"].call_wrapped(*[False] * others)
    given = equation.params
    if equation.primitive.name == "conv_general_dilated":
        given, values = with_narrow_borders(given, values)
    parameters = equation.primitive.get_bind_params(given)
    # Since JAX 0.10 the parameters alone, before with the functions that they hold.
    functions, parameters = parameters if isinstance(parameters, tuple) else ((), parameters)
    result = equation.primitive.bind(*functions, *values, **parameters)
    return list(result) if equation.primitive.multiple_results else [result]


def read(values: Mapping[Any, Any], atom: Any) -> Any:
    """The value of a variable or literal."""
    return atom.val if isinstance(atom, Literal) else values[atom]


def variables(atoms: Iterable[Any]) -> Iterator[Any]:
    """The atoms that are not literals."""
    return (atom for atom in atoms if not isinstance(atom, Literal))


def needed(equations: Sequence[Any], outputs: Iterable[Any]) -> tuple[Any, ...]:
    """The operations that some outputs depend on."""
    live = set(variables(outputs))
    kept = []
    for equation in reversed(equations):
        if any(variable in live for variable in equation.outvars):
            kept.append(equation)
            live.update(variables(equation.invars))
    return tuple(reversed(kept))


def body(equation: Any) -> ClosedJaxpr | None:
    """What a call computes; None for operations that are not calls, and for loops."""
    if equation.primitive.name not in _CALLS | _OWN_DERIVATIVES:
        return None
    for name in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        if name in equation.params:
            found = equation.params[name]
            return found if isinstance(found, ClosedJaxpr) else ClosedJaxpr(found, ())
    return None


def _inlined(closed: ClosedJaxpr, inputs: Sequence[Any], derivatives: bool) -> list[Any]:
    jaxpr = closed.jaxpr
    values = dict(zip(jaxpr.constvars, closed.consts, strict=True))
    values.update(zip(jaxpr.invars, inputs, strict=True))
    for equation in jaxpr.eqns:
        arguments = [read(values, atom) for atom in equation.invars]
        called = body(equation)
        keeps = derivatives and equation.primitive.name in _OWN_DERIVATIVES
        if called is not None and not (keeps and not _has_marks(called)):
            results = _inlined(called, arguments, derivatives)
        elif equation.primitive.name == "scan" and _has_marks(equation.params["jaxpr"]):
            results = _unrolled(equation, arguments, derivatives)
        else:
            results = bind(equation, arguments)
        values.update(zip(equation.outvars, results, strict=True))
    return [read(values, atom) for atom in jaxpr.outvars]


def _unrolled(equation: Any, arguments: Sequence[Any], derivatives: bool) -> list[Any]:
    parameters = equation.params
    constants, carried = _constants_and_carried(equation)
    shared, carry = list(arguments[:constants]), list(arguments[constants : constants + carried])
    stacked = arguments[constants + carried :]
    rounds = range(parameters["length"])
    given: dict[int, list[Any]] = {}
    for number in reversed(rounds) if parameters["reverse"] else rounds:
        closed = _numbered(parameters["jaxpr"], number)
        results = _inlined(
            closed, [*shared, *carry, *(each[number] for each in stacked)], derivatives
        )
        carry, given[number] = results[:carried], results[carried:]
    outputs = zip(*(given[number] for number in rounds), strict=True)
    return [*carry, *(jax.numpy.stack(each) for each in outputs)]


def _constants_and_carried(equation: Any) -> tuple[int, int]:
    """How many values each round of a loop reads, and how many it hands to the next.

    Told by their ranks: what differs from round to round has an axis more outside the loop. JAX
    keeps the numbers under names that change.
    """
    inside = equation.params["jaxpr"].jaxpr

    def unstacked(outer: Sequence[Any], inner: Sequence[Any]) -> int:
        pairs = zip(outer, inner, strict=True)
        return sum(len(one.aval.shape) == len(other.aval.shape) for one, other in pairs)

    carried = unstacked(equation.outvars, inside.outvars)
    return unstacked(equation.invars, inside.invars) - carried, carried


def _numbered(closed: ClosedJaxpr, number: int) -> ClosedJaxpr:
    """The body of a loop whose marks tell the round."""

    def renamed(equation: Any) -> Any:
        parameters = dict(equation.params)
        if mark_of(equation) is not None:
            parameters["name"] = f"{parameters['name']}[{number}]"
        for name, value in parameters.items():
            if isinstance(value, ClosedJaxpr):
                parameters[name] = _numbered(value, number)
            elif hasattr(value, "eqns"):
                parameters[name] = value.replace(eqns=[renamed(each) for each in value.eqns])
        return equation.replace(params=parameters)

    jaxpr = closed.jaxpr
    return ClosedJaxpr(jaxpr.replace(eqns=[renamed(each) for each in jaxpr.eqns]), closed.consts)


def _has_marks(jaxpr: Any) -> bool:
    inner = getattr(jaxpr, "jaxpr", jaxpr)
    return any(
        mark_of(equation) is not None
        or any(
            hasattr(getattr(value, "jaxpr", value), "eqns") and _has_marks(value)
            for value in equation.params.values()
        )
        for equation in inner.eqns
    )


def _shape(leaf: Any) -> Any:
    if isinstance(leaf, jax.ShapeDtypeStruct):
        return leaf
    return jax.ShapeDtypeStruct(jax.numpy.shape(leaf), jax.dtypes.result_type(leaf))
