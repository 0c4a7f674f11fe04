"""Write `sdk/tael/aio/__init__.pyi`: the asynchronous client as type checkers and editors see it.

Its methods are made at run time from those of `Client` and its services, so their signatures are
taken from there too. `--check` changes nothing and fails when the file differs from what they say.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import inspect
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tael.aio.client import SERVICES, AsyncClient
from tael.aio.mirror import is_iteration, public_methods
from tael.client import Client
from tael.history import History

ROOT = Path(__file__).resolve().parent.parent
STUB = ROOT / "sdk" / "tael" / "aio" / "__init__.pyi"

_HEAD = '''"""Tael for asyncio. Written by scripts/async_stub.py; `make check` compares it."""
'''
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_OWN_ORDER = (
    *("of", "open", "manifest", "chain", "signer", "participant", "history", "listen"),
    *("close", "__aenter__", "__aexit__"),
)


class Stub:
    """The lines of the stub, and where the names in them come from."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._sources: dict[str, str] = {}
        self._own: set[str] = set()

    def begin(self, name: str, doc: str | None) -> None:
        """Begin a class."""
        self._own.add(name)
        self.lines += ["", f"class {name}:", *_quoted(_summary(doc), "    "), ""]

    def add(self, text: str, doc: str, *, decorator: str = "") -> None:
        """Add a method."""
        if decorator:
            self.lines.append(f"    {decorator}")
        self.lines += [f"    {text}:", *_quoted(doc, "        ")]

    def signature(self, function: Callable[..., Any], *, extra: str = "", first: str = "") -> str:
        """A function's parameters as its source has them, and what it returns."""
        iterates = is_iteration(function)
        found = inspect.signature(function)
        shown, marked = [first] if first else [], False
        for each in found.parameters.values():
            if each.name in ("self", "cls"):
                continue
            if each.kind is inspect.Parameter.KEYWORD_ONLY and not marked:
                shown.append("*")
            marked = marked or each.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD
            shown.append(self._parameter(each, function, iterates=iterates))
        if extra:
            shown.append(extra)
        returned = self._type(str(found.return_annotation), function)
        if iterates:
            returned = self._type(f"Async{returned}", function)
        return f"({', '.join(shown)}) -> {returned}"

    def _parameter(
        self, each: inspect.Parameter, function: Callable[..., Any], *, iterates: bool
    ) -> str:
        kind = self._type(str(each.annotation), function)
        if iterates and kind.startswith("Iterable["):
            kind = self._type(f"{kind} | Async{kind}", function)
        stars = "*" if each.kind is inspect.Parameter.VAR_POSITIONAL else ""
        text = f"{stars}{each.name}: {kind}"
        if each.default is inspect.Parameter.empty:
            return text
        plain = each.default is None or isinstance(each.default, bool | int | float | str)
        return f"{text} = {each.default!r}" if plain else f"{text} = ..."

    def _type(self, annotation: str, function: Callable[..., Any]) -> str:
        names = _names_of(function.__module__)
        for word in _WORD.findall(_QUOTED.sub("", annotation)):
            if word in self._own or hasattr(builtins, word):
                continue
            source = names.get(word) or (
                "collections.abc" if word.startswith("Async") else function.__module__
            )
            first = self._sources.setdefault(word, source)
            if first != source and not _is_same_alias(word, first, source):
                raise SystemExit(f"{word} is one thing in {source} and another in {first}")
        return annotation

    def text(self) -> str:
        """The whole file, formatted."""
        imports: dict[str, list[str]] = {}
        for word, source in self._sources.items():
            imports.setdefault(source, []).append(word)
        head = [
            f"from {source} import {', '.join(sorted(words))}"
            for source, words in sorted(imports.items())
        ]
        parts = [_HEAD, *head, "", f"__all__ = {sorted(self._own)!r}", *self.lines, ""]
        text = "\n".join(parts)
        for command in (["check", "--select", "I,F401", "--fix", "--quiet"], ["format"]):
            text = subprocess.run(
                [ROOT / ".venv" / "bin" / "ruff", *command, "--stdin-filename", str(STUB), "-"],
                input=text,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        return text


def stub() -> str:
    """The whole file as it should be."""
    made = Stub()
    for kind in (*SERVICES.values(), History):
        made.begin(f"Async{kind.__name__}", kind.__doc__)
        for name, function in _in_order(kind):
            _add_mirrored(made, kind, name, function)
    made.begin("AsyncClient", AsyncClient.__doc__)
    _add_client(made)
    return made.text()


def _add_mirrored(made: Stub, kind: type, name: str, function: Callable[..., Any]) -> None:
    word = "def" if is_iteration(function) else "async def"
    doc = f"As `{kind.__name__}.{name}`.\n\n{_summary(function.__doc__)}"
    made.add(f"{word} {name}{made.signature(function, first='self')}", doc)


def _add_client(made: Stub) -> None:
    made.lines += [f"    {name}: Async{kind.__name__}" for name, kind in SERVICES.items()]
    threads = inspect.signature(AsyncClient.__init__).parameters["threads"].default
    signature = made.signature(Client.__init__, first="self", extra=f"threads: int = {threads}")
    made.add(f"def __init__{signature}", "What `Client` takes, and the number of threads.")
    for name in _OWN_ORDER:
        own = AsyncClient.__dict__[name]
        if isinstance(own, property):
            function: Any = own.fget
            made.add(
                f"def {name}{made.signature(function, first='self')}",
                _summary(function.__doc__),
                decorator="@property",
            )
            continue
        is_class = isinstance(own, classmethod)
        function = own.__func__ if is_class else own
        word = "async def" if inspect.iscoroutinefunction(function) else "def"
        signature = made.signature(function, first="cls" if is_class else "self")
        if name == "history":
            signature = signature.replace("-> Any", "-> AsyncHistory")
        made.add(
            f"{word} {name}{signature}",
            _summary(function.__doc__ or "What `async with` calls."),
            decorator="@classmethod" if is_class else "",
        )
    for name, function in _in_order(Client):
        if name not in _OWN_ORDER:
            _add_mirrored(made, Client, name, function)


def _in_order(kind: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The public methods as their sources have them, base classes first."""
    found = public_methods(kind)
    for base in reversed(kind.__mro__):
        yield from ((name, found[name]) for name in base.__dict__ if name in found)


def _names_of(module: str) -> dict[str, str]:
    """Where a module's names are imported from, by its source: also those only for types."""
    return {
        each.asname or each.name: node.module
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.ImportFrom) and node.module
        for each in node.names
    }


def _is_same_alias(name: str, *modules: str) -> bool:
    """Whether two modules give a type of their own the same meaning."""
    meanings = {
        ast.unparse(node.value)
        for module in modules
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    }
    return len(meanings) == 1


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(Path(str(sys.modules[module].__file__)).read_text(encoding="utf-8"))


def _summary(doc: str | None) -> str:
    return inspect.cleandoc(doc or "").split("\n\n")[0].replace("\n", " ")


def _quoted(doc: str, indent: str) -> list[str]:
    lines = [
        line
        for part in doc.split("\n\n")
        for line in ["", *textwrap.wrap(part, 100 - len(indent) - 6)]
    ][1:]
    if len(lines) == 1:
        return [f'{indent}"""{lines[0]}"""']
    body = [f"{indent}{line}".rstrip() for line in lines[1:]]
    return [f'{indent}"""{lines[0]}', *body, f'{indent}"""']


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Write sdk/tael/aio/__init__.pyi.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if out of date")
    options = parser.parse_args(arguments)
    wanted, name = stub(), STUB.relative_to(ROOT)
    present = STUB.read_text(encoding="utf-8") if STUB.exists() else ""
    if wanted == present:
        print(f"{name} is up to date")
        return 0
    if options.check:
        print(f"{name} is out of date: run scripts/async_stub.py", file=sys.stderr)
        return 1
    STUB.write_text(wanted, encoding="utf-8")
    print(f"{name} written")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
