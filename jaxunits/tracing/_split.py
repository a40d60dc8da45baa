"""A program in two: what does not depend on some arguments, and the rest."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

import jax

from ._program import Program, needed, variables

# What costs less to compute again than to keep.
_CHEAP = {"broadcast_in_dim", "convert_element_type", "iota", "reshape", "squeeze"}


class Halves(NamedTuple):
    """A program in two.

    Attributes:
      early: from the early arguments to a list of arrays.
      late: from these arrays and all arguments to what the program gives.
    """

    early: Program
    late: Program


def split(program: Program, late: Collection[int], passed: Collection[int] = ()) -> Halves:
    """Split off what does not depend on some arguments.

    Args:
      program: the program.
      late: the numbers of these arguments.
      passed: early arguments that `late` may read as they are; others go through the list.

    Returns:
      `early`, whose arguments are the early ones, and `late`, whose first argument is what `early`
      gives; unless it is among `passed`, an early argument may then be anything.
    """
    count = len(program.arguments.children())
    ahead = [number for number in range(count) if number not in late]
    behind = program.dependent(variable for number in late for variable in program.leaves(number))
    producers = program.producers()
    free = set(program.constants)
    free |= {variable for number in (*passed, *late) for variable in program.leaves(number)}
    wanted: dict[Any, None] = {}
    again: dict[Any, None] = {}

    def want(atoms: Iterable[Any]) -> None:
        for variable in variables(atoms):
            if variable in behind or variable in free:
                continue
            equation = producers.get(variable)
            if equation is not None and _is_cheap(equation):
                again[equation] = None
                want(equation.invars)
            else:
                wanted[variable] = None

    later = [each for each in program.equations if any(v in behind for v in each.outvars)]
    for equation in later:
        want(equation.invars)
    want(program.outputs)
    rest = {*map(id, later), *map(id, again)}
    order = [each for each in program.equations if id(each) in rest]
    kept = tuple(wanted)
    listed = jax.tree.structure([0] * len(kept))
    children = program.arguments.children()
    early = Program(
        equations=needed(program.equations, kept),
        inputs=tuple(variable for number in ahead for variable in program.leaves(number)),
        outputs=kept,
        constants=program.constants,
        arguments=_tuple_of([children[number] for number in ahead]),
        results=listed,
    )
    return Halves(
        early,
        Program(
            equations=needed(order, program.outputs),
            # An argument that comes in the list is not read in its own place.
            inputs=(*kept, *(object() if each in wanted else each for each in program.inputs)),
            outputs=program.outputs,
            constants=program.constants,
            arguments=_tuple_of([listed, *children]),
            results=program.results,
        ),
    )


def cut(program: Program, value: Any, argument: int) -> Halves:
    """Cut a program at a value that depends on an argument.

    Args:
      program: the program.
      value: the variable.
      argument: the number of the argument.

    Returns:
      `early`, from all arguments to a list of arrays that depend on this one, the value first, and
      `late`, which takes the list in the argument's place.
    """
    behind, of_argument = program.dependent([value]), program.dependent(program.leaves(argument))
    rest = [
        each
        for each in program.equations
        if value not in each.outvars
        and (behind.intersection(each.outvars) or not of_argument.intersection(each.outvars))
    ]
    late = needed(rest, program.outputs)
    given = {variable for each in late for variable in each.outvars}
    read = variables(atom for each in late for atom in each.invars)
    read = itertools.chain([value], read, variables(program.outputs))
    kept = tuple(dict.fromkeys(each for each in read if each in of_argument and each not in given))
    listed = jax.tree.structure([0] * len(kept))
    children = program.arguments.children()
    inputs = [program.leaves(number) for number in range(len(children))]
    children[argument], inputs[argument] = listed, kept
    return Halves(
        dataclasses.replace(
            program, equations=needed(program.equations, kept), outputs=kept, results=listed
        ),
        dataclasses.replace(
            program,
            equations=late,
            inputs=tuple(itertools.chain(*inputs)),
            arguments=_tuple_of(children),
        ),
    )


def _is_cheap(equation: Any) -> bool:
    sizes = [atom.aval.size for atom in equation.invars]
    return equation.primitive.name in _CHEAP and max(sizes, default=0) <= max(
        each.aval.size for each in equation.outvars
    )


def _tuple_of(children: list[Any]) -> Any:
    return jax.tree_util.treedef_tuple(children)
