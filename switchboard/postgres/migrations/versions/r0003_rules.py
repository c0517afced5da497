"""Rules of users and groups: who is called when."""

from alembic import op

revision = "0003"
down_revision = "0002"

RULES = """
CREATE TABLE rules_state (
    alone boolean PRIMARY KEY DEFAULT true CHECK (alone),
    series text NOT NULL,
    number bigint NOT NULL
);
CREATE TABLE rules_marks (number bigint PRIMARY KEY);
CREATE TABLE rules (
    name text PRIMARY KEY,
    number bigint NOT NULL UNIQUE,
    body text NOT NULL,
    changed_at double precision NOT NULL
);
"""


def upgrade() -> None:
    """Written as `users` are (postgres/records.py)."""
    op.execute(RULES)
