"""A traced network under many masks at once, everything that they share computed once.

Replacing a channel commutes with what acts on each channel by itself; a convolution or product
that sums over channels changes by the contribution of one. What has no rule is evaluated whole for
every mask, which is always right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Shaped

from ._forms import Dense, Form, Replaced, is_form
from ._program import Program, bind, read

Seed = Callable[[Form], Form]
Rule = Callable[["Walk", Any, Sequence[Form]], "list[Form] | None"]


class Walk:
    """One evaluation of a program in forms.

    Attributes:
      rows: how many masks.
      running: whether every row's changes come on top of those of the rows before it.
      after: what the rows have changed in all, for the rows that follow, one array for each place
        where changes are summed.
      dense: the names of the operations that were evaluated whole for every mask.
    """

    def __init__(
        self, rows: int, *, running: bool = False, before: Sequence[Array] | None = None
    ) -> None:
        self.rows = rows
        self.running = running
        self.after: list[Array] = []
        self.dense: list[str] = []
        self._before = before

    def run(
        self,
        program: Program,
        arguments: Sequence[Any],
        seeds: Mapping[Any, Seed],
        rules: Mapping[str, Rule],
    ) -> list[Form]:
        """The program's outputs as forms.

        Args:
          program: the program.
          arguments: of the program.
          seeds: for the variables where masks act, what they make of the value.
          rules: by the names of operations.
        """
        values: dict[Any, Any] = program.bound(arguments)
        for variable in program.inputs:
            if variable in seeds:
                values[variable] = seeds[variable](values[variable])
        for equation in program.equations:
            inputs = [read(values, atom) for atom in equation.invars]
            results = self._apply(equation, inputs, rules)
            for variable, result in zip(equation.outvars, results, strict=True):
                values[variable] = seeds[variable](result) if variable in seeds else result
        return [read(values, atom) for atom in program.outputs]

    def _apply(
        self, equation: Any, inputs: Sequence[Form], rules: Mapping[str, Rule]
    ) -> Sequence[Form]:
        if not any(map(is_form, inputs)):
            return bind(equation, inputs)
        rule = rules.get(equation.primitive.name)
        if rule is not None and not any(isinstance(each, Dense) for each in inputs):
            results = rule(self, equation, inputs)
            if results is not None:
                return results
        return self._whole(equation, inputs)

    def _whole(self, equation: Any, inputs: Sequence[Form]) -> list[Form]:
        self.dense.append(equation.primitive.name)
        whole = [self.densified(each).value if is_form(each) else each for each in inputs]
        axes = [0 if is_form(each) else None for each in inputs]
        return [
            Dense(result) for result in self.each(lambda *row: bind(equation, row), axes)(*whole)
        ]

    def each(self, function: Callable[..., Any], axes: Sequence[int | None]) -> Callable[..., Any]:
        """A function for every row; of one row without the axis.

        On CPUs the axis costs time, and XLA of JAX 0.12 reads beyond arrays where it fuses some
        sums with what has it.
        """
        if self.rows > 1:
            return jax.vmap(function, in_axes=tuple(axes))

        def alone(*arguments: Any) -> Any:
            first = [
                each if axis is None else each[0]
                for each, axis in zip(arguments, axes, strict=True)
            ]
            return jax.tree.map(lambda result: result[None], function(*first))

        return alone

    def densified(self, form: Any) -> Dense:
        """A form as a whole array for every row."""
        if isinstance(form, Dense):
            return form
        if isinstance(form, Replaced):
            if form.vectors is None and not self.running:
                return Dense(form.substituted())
            return self.total(form.whole, form.scattered())
        return Dense(jnp.broadcast_to(form[None], (self.rows, *form.shape)))

    def total(self, base: Any, change: Shaped[Array, "rows ..."]) -> Dense:
        """A shared array with what every row adds to it, summed in float32 or integers."""
        real = jnp.issubdtype(base.dtype, jnp.inexact)
        wide = jnp.promote_types(base.dtype, jnp.float32 if real else jnp.int32)
        added = change.astype(wide)
        if self.running:
            added = jnp.cumsum(added, 0)
            if self._before is not None:
                added = self._before[len(self.after)][None] + added
            self.after.append(added[-1])
        shared = base.astype(wide)
        return Dense(self.each(lambda row: (shared + row).astype(base.dtype), [0])(added))
