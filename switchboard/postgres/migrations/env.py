"""Run by alembic: revisions are applied over the connection that `switchboard.postgres.schema` has made."""

from alembic import context

attributes = context.config.attributes
context.configure(connection=attributes["connection"], version_table_schema=attributes["schema"])
with context.begin_transaction():
    context.run_migrations()
