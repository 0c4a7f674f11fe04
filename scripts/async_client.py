"""Write `sdk/tael/aio/client.py`: `Client` and its services, with methods to be awaited.

What there is, is found by looking: the services are what `Client.__init__` makes and keeps under a
public name, the methods are their public ones, base classes first. So a new service or method
appears by itself, and `make check` fails until `make artifacts` has written it. `--check` changes
nothing and fails when the file differs.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import inspect
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from tael.client import Client

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "sdk" / "tael" / "aio" / "client.py"

Function = Callable[..., Any]

_HEAD = '''"""The asynchronous client: `Client` and its services, with methods to be awaited.

Written by scripts/async_client.py: change `tael.client` and `tael.services`, and run
`make artifacts`. Threads and tasks meet in `connection.py` and `iteration.py`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tael.aio.connection import THREADS, Connection
from tael.client import Client
{for_values}

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, Callable

    from tael.chain import Chain
    from tael.manifest import Manifest
    from tael.outbox import Change
    from tael.signers import Signer
    {for_types}
'''

_SERVICE = '''
class {name}:
    """{doc}"""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
'''

_CLIENT_DOC = """`Client` for asyncio: the same services, methods and names, to be awaited.

Every call runs the very code of `Client` in a thread of this client's own, so many of them are
in flight at once and share requests and commits. What yields one outcome after the other
(`payments.authorize_each`, `charge_each`, `history().events`) is iterated with `async for`.

Cancelling a task never cancels its write: what was asked for is journaled, signed and sent all
the same. Ask with the same reference again, or `resolve` it. That also holds for a call that
still waited for a thread, and for `asyncio.timeout`.

Nothing happens before the first call, or before `async with`, which also ends the threads.

{arguments}
    threads: How many calls run at once; more wait their turn. Each has a write in flight, so
        this bounds what one request to the node and one commit of the journal serve.

Raises:
    ConfigurationError: There is no thread.

Example:
    >>> async def pay(bank: AsyncClient) -> None:
    ...     async with bank:
    ...         print(await bank.balances.of("CNY"))
"""

# What an asynchronous client has of its own; the methods of `Client` follow it.
_CLIENT = '''
class AsyncClient:
    """{doc}"""

    __slots__ = ("_connection", {slots})

    def __init__({parameters}, threads: int = THREADS) -> None:
        self._connect(Connection(lambda: Client({arguments}), threads))

    @classmethod
    def of(cls, client: Client, *, threads: int = THREADS) -> AsyncClient:
        """An asynchronous way to a client that is there; closing it leaves the client open."""
        made = cls.__new__(cls)
        made._connect(Connection(client, threads))
        return made

    def _connect(self, connection: Connection) -> None:
        self._connection = connection
        {services}

    async def open(self) -> None:
        """Connect and check the contracts, as `Client` does when it is made; repeats do nothing.

        Raises:
            TaelError: What `Client` raises.
        """
        await self._connection.open()

    async def close(self, wait_seconds: float = 2.0) -> None:
        """End the threads and connections. What is in flight stays in the journal.

        Calls that have not come back by then raise `OutcomeUnknownError`.

        Args:
            wait_seconds: How long to wait for a thread that is talking to a node.
        """
        await self._connection.close(wait_seconds)

    async def __aenter__(self) -> AsyncClient:
        await self.open()
        return self

    async def __aexit__(self, *_error: object) -> None:
        # Cancelled or not, the threads end.
        await asyncio.shield(self.close())

    def __repr__(self) -> str:
        return f"AsyncClient({{self._connection}})"

    @property
    def manifest(self) -> Manifest:
        """What is deployed."""
        return self._connection.client.manifest

    @property
    def chain(self) -> Chain:
        """The chain."""
        return self._connection.client.chain

    @property
    def signer(self) -> Signer | None:
        """Who signs; None if this client can only read."""
        return self._connection.client.signer

    @property
    def participant(self) -> str:
        """Whose money moves and whose references these are."""
        return self._connection.client.participant

    async def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Have a function called, in this loop, whenever a write changes its status.

        Returns:
            A function that ends it.
        """
        return await self._connection.listen(listener)
'''
_OWN = frozenset({"close", "listen", "participant"})


class Writer:
    """The lines of the module, and where the names in them come from."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._for_types: dict[str, str] = {}
        self._for_values: dict[str, str] = {}

    def parameters(self, function: Function, *, iterates: bool = False) -> str:
        """A function's parameters as its source has them, with the values they default to."""
        arguments = _source(function).args
        for value in (*arguments.defaults, *arguments.kw_defaults):
            self._import(value, function, self._for_values)
        for each in _each_parameter(arguments):
            self._import(each.annotation, function, self._for_types)
            if iterates and _is_iterable(each):
                assert each.annotation is not None  # noqa: S101
                kind = ast.unparse(each.annotation)
                each.annotation = ast.parse(f"{kind} | Async{kind}", mode="eval").body
        return ast.unparse(arguments)

    def method(self, target: str, name: str, function: Function) -> None:
        """Add a method that calls that of the target, an expression of `client`."""
        source, iterates = _source(function), is_iteration(function)
        if source.returns is None:
            raise SystemExit(f"{function.__qualname__} does not say what it returns")
        if inspect.isgeneratorfunction(function) and not iterates:
            raise SystemExit(f"{function.__qualname__} yields: let it return an Iterator[...]")
        self._import(source.returns, function, self._for_types)
        parameters = self.parameters(function, iterates=iterates)
        call = f"{target}.{name}({_passed_on(function, iterates=iterates)})"
        if iterates:
            assert isinstance(source.returns, ast.Subscript)  # noqa: S101
            item = ast.unparse(source.returns.slice)
            begin = f"def {name}({parameters}) -> AsyncGenerator[{item}, None]:"
            second = "iteration" if "iteration." in call else "_"
            body = f"return self._connection.each(lambda client, {second}: {call})"
        else:
            begin = f"async def {name}({parameters}) -> {ast.unparse(source.returns)}:"
            body = f"return await self._connection.run(lambda client: {call})"
        self._add(begin, function, body)

    def handed_out(self, name: str, function: Function, kind: type) -> None:
        """Add a method that gives the asynchronous side of an object and asks nobody."""
        self._add(
            f"def {name}(self) -> Async{kind.__name__}:",
            function,
            f"return Async{kind.__name__}(self._connection)",
        )

    def service(self, kind: type, target: str) -> None:
        """Add a class with the methods of another one."""
        doc = _indented(_without_arguments(kind.__doc__), 4)
        self.lines.append(_SERVICE.format(name=f"Async{kind.__name__}", doc=doc))
        for name, function in public_methods(kind):
            self.method(target, name, function)

    def text(self) -> str:
        """The whole file, formatted."""
        head = _HEAD.format(
            for_values="\n".join(_lines(self._for_values)),
            for_types="\n    ".join(_lines(self._for_types)),
        )
        text = "\n".join([head, *self.lines, ""])
        for command in (["check", "--select", "I,F401", "--fix", "--quiet"], ["format"]):
            text = subprocess.run(
                [ROOT / ".venv" / "bin" / "ruff", *command, "--stdin-filename", str(TARGET), "-"],
                input=text,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        return text

    def _add(self, begin: str, function: Function, body: str) -> None:
        doc = _indented(function.__doc__, 8)
        self.lines += [f"    {begin}", f'        """{doc}"""', f"        {body}", ""]

    def _import(
        self, expression: ast.expr | None, function: Function, into: dict[str, str]
    ) -> None:
        names = _imported(function.__module__)
        for each in ast.walk(expression) if expression else ():
            if not isinstance(each, ast.Name) or hasattr(builtins, each.id):
                continue
            source = names.get(each.id, function.__module__)
            if into.setdefault(each.id, source) != source:
                raise SystemExit(f"{each.id} is one thing in {source}, another in {into[each.id]}")


def generated(client: type = Client) -> str:
    """The whole module as it should be."""
    writer, services = Writer(), dict(services_of(client))
    for name, kind in services.items():
        writer.service(kind, f"client.{name}")
    methods = [each for each in public_methods(client) if each[0] not in _OWN]
    readers = {name: reader for name, function in methods if (reader := _reader(function))}
    for name, reader in readers.items():
        writer.service(reader, f"client.{name}()")
    made = [f"self.{name} = Async{kind.__name__}(connection)" for name, kind in services.items()]
    arguments = _arguments_in(client.__doc__)
    writer.lines.append(
        _CLIENT.format(
            doc=_indented(_CLIENT_DOC.format(arguments=arguments), 4),
            slots=", ".join(repr(name) for name in sorted(services)),
            parameters=writer.parameters(_init(client)),
            arguments=_passed_on(_init(client)),
            services="\n        ".join(made),
        )
    )
    for name, function in methods:
        if name in readers:
            writer.handed_out(name, function, readers[name])
        else:
            writer.method("client", name, function)
    return writer.text()


def services_of(client: type) -> Iterator[tuple[str, type]]:
    """The services by attribute: what the client makes from a class and keeps publicly."""
    names = vars(sys.modules[client.__module__])
    for each in ast.walk(_source(_init(client))):
        targets = each.targets if isinstance(each, ast.Assign) else []
        if isinstance(each, ast.AnnAssign):
            targets = [each.target]
        for target in targets:
            value = getattr(each, "value", None)
            if (
                isinstance(target, ast.Attribute)
                and not target.attr.startswith("_")
                and isinstance(value, ast.Call)
                and isinstance(value.func, ast.Name)
                and isinstance(names.get(value.func.id), type)
            ):
                yield target.attr, names[value.func.id]


def public_methods(kind: type) -> Iterator[tuple[str, Function]]:
    """The functions that are meant for a class's users, as sources have them, bases first."""
    seen: dict[str, None] = {
        name: None
        for base in reversed(kind.__mro__[:-1])
        for name in vars(base)
        if not name.startswith("_")
    }
    for name in seen:
        member = getattr(kind, name)
        if inspect.isfunction(member):
            yield name, member
        elif isinstance(member, property) and name not in _OWN:
            raise SystemExit(f"{kind.__name__}.{name} is a property, which cannot be awaited")


def is_iteration(function: Function) -> bool:
    """Whether a function gives one thing after the other."""
    return str(function.__annotations__.get("return", "")).startswith("Iterator[")


def _reader(function: Function) -> type | None:
    """The class of what a method gives without asking anybody, if iterations are read from it."""
    returned, module = str(function.__annotations__.get("return", "")), function.__module__
    source = import_module(_imported(module).get(returned, module))
    kind = getattr(source, returned, None)
    if not isinstance(kind, type):
        return None
    if not any(is_iteration(each) for _, each in inspect.getmembers(kind, inspect.isfunction)):
        return None
    if [*_each_parameter(_source(function).args)]:
        raise SystemExit(
            f"{function.__qualname__} takes arguments, which its iterations would need"
        )
    return kind


def _passed_on(function: Function, *, iterates: bool = False) -> str:
    arguments = _source(function).args
    passed = []
    for each in _each_parameter(arguments):
        name = each.arg
        value = f"iteration.over({name})" if iterates and _is_iterable(each) else name
        if each is arguments.vararg:
            value = f"*{value}"
        elif each is arguments.kwarg:
            value = f"**{value}"
        elif each in arguments.kwonlyargs:
            value = f"{name}={value}"
        passed.append(value)
    return ", ".join(passed)


def _each_parameter(arguments: ast.arguments) -> Iterator[ast.arg]:
    positional = [*arguments.posonlyargs, *arguments.args]
    stars = [each for each in (arguments.vararg,) if each]
    double = [each for each in (arguments.kwarg,) if each]
    for each in (*positional, *stars, *arguments.kwonlyargs, *double):
        if each.arg != "self":
            yield each


def _is_iterable(parameter: ast.arg) -> bool:
    return parameter.annotation is not None and ast.unparse(parameter.annotation).startswith(
        "Iterable["
    )


def _init(client: type) -> Function:
    function: Function = vars(client)["__init__"]
    return function


def _source(function: Function) -> ast.FunctionDef:
    found = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    if not isinstance(found, ast.FunctionDef):
        raise SystemExit(f"{function.__qualname__} is not a plain function")
    return found


@cache
def _imported(module: str) -> dict[str, str]:
    """Where a module's names are imported from, by its source: also those only for types."""
    tree = ast.parse(Path(str(sys.modules[module].__file__)).read_text(encoding="utf-8"))
    return {
        each.asname or each.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for each in node.names
    }


def _indented(doc: str | None, spaces: int) -> str:
    """A docstring as the source of a class or method has it, without its quotes."""
    lines = inspect.cleandoc(doc or "").replace("\\", "\\\\").split("\n")
    if len(lines) == 1:
        return lines[0]
    return textwrap.indent("\n".join(lines), " " * spaces).lstrip() + "\n" + " " * spaces


def _without_arguments(doc: str | None) -> str:
    # What the other class is made of is not what this one is.
    text = inspect.cleandoc(doc or "")
    return text.replace(_arguments_in(text), "").strip()


def _arguments_in(doc: str | None) -> str:
    sections = inspect.cleandoc(doc or "").split("\n\n")
    return next((each for each in sections if each.startswith("Args:")), "Args:")


def _lines(imported: dict[str, str]) -> list[str]:
    return [f"from {source} import {name}" for name, source in imported.items()]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Write sdk/tael/aio/client.py.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if out of date")
    options = parser.parse_args(arguments)
    wanted, name = generated(), TARGET.relative_to(ROOT)
    present = TARGET.read_text(encoding="utf-8") if TARGET.exists() else ""
    if wanted == present:
        print(f"{name} is up to date")
        return 0
    if options.check:
        print(f"{name} is out of date: run `make artifacts`", file=sys.stderr)
        return 1
    TARGET.write_text(wanted, encoding="utf-8")
    print(f"{name} written")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
