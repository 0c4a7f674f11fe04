"""Looks for the canary in files and databases."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.canary.key import LONGEST, find

CHUNK_BYTES = 16 * 1024 * 1024
SQLITE_MAGIC = b"SQLite format 3\0"


class Finding(NamedTuple):
    """Where the key was found; the key itself is not repeated.

    Attributes:
        place: What it was in.
        form: In which form.
    """

    place: str
    form: str

    def __str__(self) -> str:
        return f"{self.place}: {self.form}"


def in_text(place: str, content: str | bytes) -> Iterator[Finding]:
    for form in find(content):
        yield Finding(place, form)


def in_folder(folder: Path, *, since: float = 0.0) -> Iterator[Finding]:
    """Every file in a folder and below that was written since a moment; names count too."""
    for where, _, names in os.walk(folder):
        for name in names:
            path = Path(where, name)
            with contextlib.suppress(OSError):
                if path.is_symlink() or not path.is_file() or path.stat().st_mtime < since:
                    continue
                yield from in_text(f"the name of {path.parent}/…", name)
                yield from in_file(path)


def in_file(path: Path) -> Iterator[Finding]:
    found = set()
    rest = b""
    with path.open("rb") as file:
        is_sqlite = file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
        file.seek(0)
        while chunk := file.read(CHUNK_BYTES):
            found |= set(in_text(str(path), rest + chunk))
            rest = chunk[-LONGEST:]
    yield from sorted(found)
    if is_sqlite and not found:
        yield from in_sqlite(path)


def in_sqlite(path: Path) -> Iterator[Finding]:
    """A database as rows: on disk a value may be spread over pages that lie apart."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            connection.text_factory = bytes
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for (name,) in tables.fetchall():
                quoted = name.decode().replace('"', '""')
                for row in connection.execute(f'SELECT * FROM "{quoted}"'):  # noqa: S608
                    for value in row:
                        content = value if isinstance(value, bytes) else str(value)
                        yield from in_text(f"{path}, table {quoted}", content)
    except sqlite3.Error:
        # Half a database, as some tests leave behind: its bytes were looked at.
        return


def in_postgresql(url: str) -> Iterator[Finding]:
    """Every table of every database of a server, as text."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        names = connection.execute("SELECT datname FROM pg_database WHERE datallowconn").fetchall()
    for (name,) in names:
        with psycopg.connect(url, dbname=name, autocommit=True) as connection:
            tables = connection.execute(
                "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables "
                "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            ).fetchall()
            for (table,) in tables:
                with connection.cursor().copy(f"COPY {table} TO STDOUT") as rows:
                    for row in rows:
                        yield from in_text(f"PostgreSQL {name}, table {table}", bytes(row))
