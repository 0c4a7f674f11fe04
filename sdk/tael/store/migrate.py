"""Bringing a database's tables up to date with alembic."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from tael.errors import StoreVersionError

if TYPE_CHECKING:
    from collections.abc import Callable

MIGRATIONS = Path(__file__).parent / "migrations"

_UPGRADE_LOCK = 0x7461656C
"""Any number, the same in every process: "tael"."""
_ONE_AT_A_TIME = threading.Lock()
"""Alembic keeps what it works on in variables of its modules."""


def upgrade(engine: sa.Engine, revision: str = "head") -> None:
    """Run the migrations that are missing, in one transaction; processes take turns.

    Raises:
        StoreVersionError: The tables are of a newer version than this package knows.
    """
    _with_connection(engine, lambda config: command.upgrade(config, revision))


def downgrade(engine: sa.Engine, revision: str) -> None:
    """Take migrations back, to `base` or a revision. What they added is lost."""
    _with_connection(engine, lambda config: command.downgrade(config, revision))


def _with_connection(engine: sa.Engine, run: Callable[[Config], None]) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    with _ONE_AT_A_TIME, engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
        found = MigrationContext.configure(connection).get_current_revision()
        if found is not None and found not in known:
            raise StoreVersionError(
                f"The store's tables are of revision {found}, which this version of tael does not "
                "know; use the version that made them, or a newer one."
            )
        config.attributes["connection"] = connection
        run(config)


__all__ = ["downgrade", "upgrade"]
