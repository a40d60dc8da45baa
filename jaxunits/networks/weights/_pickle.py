"""PyTorch's pickles, read without executing anything that they name.

A pickle is a program for a machine with a stack. The machine here knows the operations that build
data, gets a short list of names with something inert for each, and refuses every other name before
it is looked up. It neither hashes, compares nor prints the objects that a pickle builds, and never
recurses, so that neither their depth nor how often they are shared makes a difference.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Any, cast

from ..._errors import InputError
from ._pickle_names import (
    IGNORED,
    WAY_OUT,
    Function,
    Ignored,
    Storage,
    StorageType,
    Tensor,
    refusal,
    stand_in,
)
from ._stored import damaged, shortened

MOST_BYTES = 2**27
# Ten times what the state dict and optimizer of a network of 1,000 arrays take.
_MOST_OPERATIONS = 2_000_000
_MOST_AXES = 64
_MOST_BITS = 128
_NEWEST_PROTOCOL = 5


@dataclass(frozen=True)
class Unpickled:
    """What a pickle holds.

    Attributes:
      content: the object, made of tuples, lists, dictionaries with strings as keys, strings,
        integers, None, `Tensor`, `Storage` and `IGNORED` for all else.
      storages: the storages that it speaks of, by key, whether or not an array lies in them.
    """

    content: Any
    storages: dict[str, Storage]


def read_pickle(file: BufferedIOBase, path: Path) -> Unpickled:
    """The next object of a stream of pickles.

    Args:
      file: the stream, left behind the object.
      path: the file, for errors.

    Raises:
      InputError: the pickle would execute something, is broken, truncated or too large.
    """
    machine = _Machine(path)
    stream = cast(IO[bytes], _Limited(file, MOST_BYTES))
    try:
        content = machine.run(pickletools.genops(stream))
    except InputError:
        raise
    # The decoder raises ValueError, an empty stack IndexError, and a missing memo KeyError.
    except (ValueError, LookupError) as error:
        raise damaged(path, f"its pickle cannot be read ({error})") from error
    return Unpickled(content, machine.storages)


class _Limited:
    """A stream that ends after a number of bytes, however many a pickle asks for at once."""

    def __init__(self, file: BufferedIOBase, most: int) -> None:
        self._file = file
        self._left = most

    def read(self, size: int) -> bytes:
        if size > self._left:
            raise ValueError(f"it takes more than {MOST_BYTES >> 20} MiB")
        return self._counted(self._file.read(size))

    def readline(self) -> bytes:
        line = self._counted(self._file.readline(self._left))
        # Only protocols 0 and 1 have them, which PyTorch never wrote; unknown ones are warned of.
        if b"\\" in line:
            raise ValueError("it has escape sequences")
        return line

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        return data


class _Machine:
    """The stack machine of one pickle."""

    def __init__(self, path: Path) -> None:
        self.storages: dict[str, Storage] = {}
        self._path = path
        # What was on the stack below each mark waits in `_below`.
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._work = 0

    def run(self, operations: Iterable[tuple[pickletools.OpcodeInfo, Any, int | None]]) -> Any:
        for opcode, argument, _ in operations:
            self._count(1)
            if opcode.name == "STOP":
                break
            if opcode.name not in _STEPS:
                raise ValueError(f"it has operation {opcode.name}")
            _STEPS[opcode.name](self, argument)
        return self._stack.pop()

    def _count(self, work: int) -> None:
        self._work += work
        if self._work > _MOST_OPERATIONS:
            raise InputError(
                f"weights file {self._path} has a pickle of more than {_MOST_OPERATIONS:,} "
                f"operations, far beyond a network's weights. {WAY_OUT}"
            )

    def protocol(self, number: int) -> None:
        if number > _NEWEST_PROTOCOL:
            raise ValueError(f"it has protocol {number}")

    def nothing(self, _: object) -> None:
        pass

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def number(self, value: int) -> None:
        self.push(value if value.bit_length() <= _MOST_BITS else IGNORED)

    def ignored(self, _: object) -> None:
        self.push(IGNORED)

    def mark(self, _: object) -> None:
        self._below.append(self._stack)
        self._stack = []

    def _since_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._below.pop()
        return items

    def pop_mark(self, _: object) -> None:
        self._since_mark()

    def pop(self, _: object) -> None:
        # As pickle does: without anything above a mark the mark itself is taken away.
        if self._stack:
            self._stack.pop()
        else:
            self._since_mark()

    def duplicate(self, _: object) -> None:
        self.push(self._stack[-1])

    def push_tuple(self, size: int | None) -> None:
        if size is None:
            self.push(tuple(self._since_mark()))
            return
        start = len(self._stack) - size
        if start < 0:
            raise IndexError("the stack is empty")
        items = tuple(self._stack[start:])
        del self._stack[start:]
        self.push(items)

    def push_list(self, marked: bool) -> None:
        self.push(self._since_mark() if marked else [])

    def append(self, marked: bool) -> None:
        items = self._since_mark() if marked else [self._stack.pop()]
        into = self._stack[-1]
        if isinstance(into, list):
            into.extend(items)
        elif into is not IGNORED:
            raise ValueError("it appends to something other than a list")

    def push_dictionary(self, marked: bool) -> None:
        self.push(_filled({}, self._since_mark()) if marked else {})

    def set_items(self, marked: bool) -> None:
        value = None if marked else self._stack.pop()
        items = self._since_mark() if marked else [self._stack.pop(), value]
        into = self._stack[-1]
        if isinstance(into, dict):
            _filled(into, items)
        elif into is not IGNORED:
            raise ValueError("it sets items of something other than a dictionary")

    def frozen_set(self, _: object) -> None:
        self._since_mark()
        self.push(IGNORED)

    def put(self, place: int | None) -> None:
        place = len(self._memo) if place is None else place
        # Far larger integers could be chosen so that their hashes collide.
        if not 0 <= place < 2**32:
            raise ValueError(f"it remembers an object as number {place}")
        self._memo[place] = self._stack[-1]

    def get(self, place: int) -> None:
        self.push(self._memo[place])

    def name(self, words: str | None) -> None:
        if words is None:
            name, module = self._stack.pop(), self._stack.pop()
        else:
            module, _, name = words.partition(" ")
        if not (isinstance(module, str) and isinstance(name, str)):
            raise ValueError("a name is not a string")
        self.push(stand_in(module, name, self._path))

    def call(self, _: object) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        self.push(self._called(function, arguments))

    def call_with_keywords(self, _: object) -> None:
        self._stack.pop()
        self.call(None)

    def call_marked(self, words: str | None) -> None:
        arguments = self._since_mark()
        if words is None:
            function, arguments = arguments[0], arguments[1:]
        else:
            self.name(words)
            function = self._stack.pop()
        self.push(self._called(function, tuple(arguments)))

    def build(self, _: object) -> None:
        self._stack.pop()
        if not isinstance(self._stack[-1], dict | Ignored):
            raise ValueError("it modifies something read-only")

    def persistent(self, _: object) -> None:
        storage = self._storage(self._stack.pop())
        known = self.storages.setdefault(storage.key, storage)
        if (known.dtype, known.count) != (storage.dtype, storage.count):
            raise ValueError(f"storage {shortened(storage.key)!r} has two sizes or types")
        self.push(storage)

    def _storage(self, description: Any) -> Storage:
        match description:
            case ("module", *_):
                raise refusal("torch.nn", "Module", self._path)
            case ("storage", StorageType() as kind, str() | int() as key, _, int() as count, *view):
                match view:
                    case [] | [None]:
                        start, length = 0, count
                    case [(_, int() as start, int() as length)]:
                        pass
                    case _:
                        raise ValueError("a view of a storage is described wrongly")
            case _:
                raise ValueError("a persistent object is not a storage")
        if min(count, start, length) < 0:
            raise ValueError(f"a storage of {count} numbers, {length} of them from {start}")
        return Storage(kind.dtype, str(key), count, start, length)

    def _called(self, function: Any, arguments: Any) -> Any:
        if function is IGNORED:
            return IGNORED
        if not (isinstance(function, Function) and isinstance(arguments, tuple)):
            raise ValueError("it calls something other than a function")
        match function, arguments:
            case Function.TENSOR, (storage, offset, shape, strides, *_):
                return Tensor(storage, offset, shape, strides)
            case Function.PARAMETER, (tensor, *_):
                return tensor
            case Function.SIZE, ([*sides],) if len(sides) <= _MOST_AXES:
                return tuple(sides)
            case Function.DICTIONARY, ():
                return {}
            case Function.DICTIONARY, (list() as pairs,):
                # A list can be given to many calls.
                self._count(len(pairs))
                return _filled({}, [part for pair in pairs for part in _pair(pair)])
        raise ValueError(f"it calls {function.value} with other arguments than PyTorch")


def _pair(pair: Any) -> Sequence[Any]:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise ValueError("an item of a dictionary is not a pair")
    return pair


def _filled(dictionary: dict[str, Any], items: Sequence[Any]) -> dict[str, Any]:
    """Set items given as key, value, key, value, …; other keys than strings and integers go."""
    if len(items) % 2:
        raise ValueError("a key of a dictionary has no value")
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Hashes of integers could be made to collide; those of strings could not.
        if isinstance(key, str | int):
            dictionary[str(key)] = value
    return dictionary


def _fixed(
    step: Callable[[_Machine, Any], None], argument: int | bool | None
) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: step(machine, argument)


_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": _Machine.protocol,
    "FRAME": _Machine.nothing,
    "NONE": _Machine.push,
    "NEWTRUE": _fixed(_Machine.push, True),
    "NEWFALSE": _fixed(_Machine.push, False),
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2"), _Machine.number),
    **dict.fromkeys(("LONG", "LONG1", "LONG4"), _Machine.number),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE"), _Machine.push),
    **dict.fromkeys(("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"), _Machine.push),
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"), _Machine.ignored),
    **dict.fromkeys(("BYTEARRAY8", "FLOAT", "BINFLOAT", "EMPTY_SET"), _Machine.ignored),
    "MARK": _Machine.mark,
    "POP": _Machine.pop,
    "POP_MARK": _Machine.pop_mark,
    "DUP": _Machine.duplicate,
    "TUPLE": _fixed(_Machine.push_tuple, None),
    "EMPTY_TUPLE": _fixed(_Machine.push_tuple, 0),
    "TUPLE1": _fixed(_Machine.push_tuple, 1),
    "TUPLE2": _fixed(_Machine.push_tuple, 2),
    "TUPLE3": _fixed(_Machine.push_tuple, 3),
    "EMPTY_LIST": _fixed(_Machine.push_list, False),
    "LIST": _fixed(_Machine.push_list, True),
    "APPEND": _fixed(_Machine.append, False),
    "APPENDS": _fixed(_Machine.append, True),
    "ADDITEMS": _fixed(_Machine.append, True),
    "FROZENSET": _Machine.frozen_set,
    "EMPTY_DICT": _fixed(_Machine.push_dictionary, False),
    "DICT": _fixed(_Machine.push_dictionary, True),
    "SETITEM": _fixed(_Machine.set_items, False),
    "SETITEMS": _fixed(_Machine.set_items, True),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.get),
    **dict.fromkeys(("GLOBAL", "STACK_GLOBAL"), _Machine.name),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), _Machine.call),
    "NEWOBJ_EX": _Machine.call_with_keywords,
    **dict.fromkeys(("INST", "OBJ"), _Machine.call_marked),
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.persistent,
}
