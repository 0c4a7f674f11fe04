"""The tables are what the migrations make, and keep numbers of any size."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from tael.store import Store
from tael.store.migrate import downgrade, upgrade
from tael.store.tables import balances, metadata
from tests.support.world import World


def test_migrations_make_the_tables(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []


def test_migration_is_taken_back_and_made_again(store: Store, world: World) -> None:
    from tael.index import Index, Indexer, verify

    downgrade(store.engine, "0001")
    with store.engine.connect() as connection:
        assert not sa.inspect(connection).has_table("movements")
        assert sa.inspect(connection).has_table("writes")
    upgrade(store.engine)
    Indexer(store, world.client("outsider")).catch_up()
    index = Index(store, world.manifest)
    assert verify(index, world.client("outsider")).faults == 0


@pytest.mark.parametrize("amount", [0, 1, 2**63 - 1, 2**63, 2**80 - 1, -(2**63), -(2**80), 10**37])
def test_amount_is_exact(store: Store, amount: int) -> None:
    row = {
        "deployment": 1,
        "account": 1,
        "token": 1,
        "participant": "0x" + "11" * 20,
        "available": amount,
        "held": 0,
        "movements": 0,
        "first_receipt": 1,
    }
    with store.write() as connection:
        connection.execute(sa.insert(balances).values(row))
    with store.read() as connection:
        found = connection.execute(sa.select(balances.c.available)).scalar_one()
    assert found == amount
    assert type(found) is int
