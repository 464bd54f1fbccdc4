"""What Alembic runs. The connection comes from `versions.migrate`, which owns the transaction."""

from alembic import context

from windlass_runner.ledger.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,
)
context.run_migrations()
