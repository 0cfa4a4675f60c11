"""Run by Alembic for every command: migrates over the connection that `ledger.store` hands in."""

from alembic import context

from pairs_platform.ledger.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
