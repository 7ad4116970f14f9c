"""The part of the pickle machine that builds plain data: nothing of a file is called or imported.

An object is kept as the name of what would be called, its arguments and its state. Only what belongs to NumPy arrays,
SciPy sparse matrices and chumpy's arrays may be named. `pickle.Unpickler` with a restricted `find_class` is not enough
for a file that nobody vouches for: it allocates what a memo index or a length asks for, and hashes tuples nested into
each other, which takes exponential time.
"""

from __future__ import annotations

import codecs
import dataclasses
import mmap
import pickletools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

MOST_OPERATIONS = 200_000  # the largest FLAME files have some thousands
PYTHON_RECONSTRUCTORS = ("copy_reg._reconstructor", "copyreg._reconstructor")
ADMITTED = re.compile(
    r"numpy\.(ndarray|dtype|_?core\.multiarray\.(_reconstruct|scalar)|_?core\.numeric\._frombuffer)"
    r"|scipy\.sparse\._?(csc|csr|coo)\.(csc|csr|coo)_(matrix|array)"
    r"|chumpy\.ch\.Ch"
    r"|(__builtin__|builtins)\.(object|(frozen)?set)|copy_?reg\._reconstructor|_codecs\.encode"  # how those are pickled
)
OPERATIONS = {operation.code: operation for operation in pickletools.opcodes}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
# fmt: off
LITERALS = frozenset([  # their value stands in the opcode itself
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "UNICODE", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8",
])
# fmt: on
IGNORED = frozenset(["PROTO", "FRAME"])


@dataclasses.dataclass(frozen=True)
class Name:
    """Something that the pickle would import."""

    path: str  # module and name, "numpy.core.multiarray._reconstruct"


@dataclasses.dataclass(eq=False)
class Call:
    """Something that the pickle would call, and the state that it would give to the result."""

    path: str
    arguments: Any
    state: Any = None


def plain_data(path: Path) -> Any:
    """What the pickle holds, with a `Call` for each object.

    Raises:
        ValueError: the pickle is damaged, names something that is not admitted or has more operations than a model.
    """
    try:
        return Machine().run(operations(path))
    except ValueError:
        raise
    except Exception as error:  # pickletools, the stack and the memo report damage with a type for each kind of it
        raise ValueError("it is damaged") from error


def operations(path: Path) -> Iterator[tuple[str, Any]]:
    """The opcodes of a pickle with their arguments, decoded and not executed.

    Raises:
        Exception: the pickle is damaged, or has more operations than a model; several types, after `pickletools`.
    """
    # A map, not the file: asked for more bytes than there are, it allocates no more than there are.
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        stream = cast(IO[bytes], mapped)
        for _ in range(MOST_OPERATIONS):
            code = stream.read(1).decode("latin-1")
            operation = OPERATIONS.get(code)
            if operation is None:
                raise ValueError(f"opcode {code!r} is unknown" if code else "it ends too early")
            if operation.name == "STRING":  # pickletools decodes this one as ASCII, which arrays are not
                yield operation.name, _quoted_latin1(stream)
            else:
                yield operation.name, None if operation.arg is None else operation.arg.reader(stream)
            if operation.name == "STOP":
                return
    raise ValueError(f"it has more than {MOST_OPERATIONS} operations")


def _quoted_latin1(stream: IO[bytes]) -> str:
    line = stream.readline()
    quote = line[:1]
    if quote not in (b"'", b'"') or not line.endswith(quote + b"\n") or len(line) < 3:
        raise ValueError("a string without its quotes")
    return codecs.escape_decode(line[1:-2])[0].decode("latin-1")


class Machine:
    """The pickle machine for plain data: a stack, marks on it, and a memo."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, program: Iterator[tuple[str, Any]]) -> Any:
        for name, argument in program:
            if name == "STOP":
                break
            if name in CONSTANTS:
                self.stack.append(CONSTANTS[name])
            elif name in LITERALS:
                self.stack.append(argument)
            elif name not in IGNORED:
                step = getattr(self, f"_{name.lower()}", None)
                if step is None:
                    raise ValueError(f"operation {name} is not admitted")
                step(argument)
        return self.stack.pop()

    def _since_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _mark(self, _: None) -> None:
        self.marks.append(len(self.stack))

    def _tuple(self, _: None) -> None:
        self.stack.append(tuple(self._since_mark()))

    def _list(self, _: None) -> None:
        self.stack.append(self._since_mark())

    def _dict(self, _: None) -> None:
        items = self._since_mark()
        self.stack.append({})
        self._add_items(items)

    # The content of a set is of no use, so that a list will do.
    _frozenset = _list

    def _tuple1(self, _: None) -> None:
        self._last_as_tuple(1)

    def _tuple2(self, _: None) -> None:
        self._last_as_tuple(2)

    def _tuple3(self, _: None) -> None:
        self._last_as_tuple(3)

    def _last_as_tuple(self, count: int) -> None:
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def _empty_list(self, _: None) -> None:
        self.stack.append([])

    _empty_set = _empty_list

    def _empty_dict(self, _: None) -> None:
        self.stack.append({})

    def _append(self, _: None) -> None:
        item = self.stack.pop()
        self._extend([item])

    def _appends(self, _: None) -> None:
        self._extend(self._since_mark())

    _additems = _appends

    def _extend(self, items: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise ValueError("an item is added to something that is no list")
        self.stack[-1].extend(items)

    def _setitem(self, _: None) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._add_items([key, value])

    def _setitems(self, _: None) -> None:
        self._add_items(self._since_mark())

    def _add_items(self, items: list[Any]) -> None:
        # Strings alone: they keep their hash, whereas a key that is a nest of tuples can take for ever.
        if not isinstance(self.stack[-1], dict) or not all(isinstance(key, str) for key in items[::2]):
            raise ValueError("only dictionaries with strings as keys are admitted")
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def _put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    _binput = _long_binput = _put

    def _memoize(self, _: None) -> None:
        self._put(len(self.memo))

    def _get(self, index: int) -> None:
        self.stack.append(self.memo[index])

    _binget = _long_binget = _get

    def _global(self, argument: str) -> None:
        self._name(*argument.split(" ", 1))

    def _stack_global(self, _: None) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self._name(module, name)

    def _name(self, module: Any, name: Any) -> None:
        path = f"{module}.{name}" if isinstance(module, str) and isinstance(name, str) else "something without a name"
        if not ADMITTED.fullmatch(path):
            raise ValueError(f"it wants to load {path[:80]}, and only arrays are admitted")
        self.stack.append(Name(path))

    def _reduce(self, _: None) -> None:
        arguments, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, Name) or not isinstance(arguments, tuple):
            raise ValueError("a call of something that is no name")
        if name.path in PYTHON_RECONSTRUCTORS and arguments and isinstance(arguments[0], Name):
            name, arguments = arguments[0], ()
        self.stack.append(Call(name.path, arguments))

    _newobj = _reduce

    def _build(self, _: None) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], Call):
            raise ValueError("a state for something that is no object")
        self.stack[-1].state = state
