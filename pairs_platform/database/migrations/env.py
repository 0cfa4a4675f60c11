"""Run by Alembic for every command: migrates over the connection that `database.store` hands in."""

from alembic import context

from pairs_platform.database.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
