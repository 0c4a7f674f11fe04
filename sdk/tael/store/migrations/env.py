"""What alembic runs; the connection comes from `tael.store.migrate`."""

from __future__ import annotations

from alembic import context

from tael.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
